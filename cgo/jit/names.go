package jit

import (
	"errors"
	"fmt"
	"strings"
)

func isClass(name string) bool { return strings.HasPrefix(name, "__torch__.") }

// sizes are the bytes of an element by the name of its storage's class, less "Storage".
var sizes = map[string]int64{
	"Byte": 1, "Char": 1, "Bool": 1, "Short": 2, "Half": 2, "BFloat16": 2, "Int": 4, "Float": 4, "Long": 8, "Double": 8,
	"ComplexHalf": 4, "ComplexFloat": 8, "ComplexDouble": 16, "QInt8": 1, "QUInt8": 1, "QInt32": 4,
	"Float8_e5m2": 1, "Float8_e4m3fn": 1, "Float8_e5m2fnuz": 1, "Float8_e4m3fnuz": 1, "UInt16": 2, "UInt32": 4, "UInt64": 8,
}

const intList = "torch.jit._pickle.build_intlist"

// results are what the functions make that libtorch's pickler writes, by name.
var results = map[string]kind{
	"collections.OrderedDict": none, "builtins.complex": other, "torch.device": other,
	"torch._utils._rebuild_tensor_v2": tensor, "torch._utils._rebuild_qtensor": tensor,
	intList: other, "torch.jit._pickle.build_tensorlist": other,
	"torch.jit._pickle.build_doublelist": other, "torch.jit._pickle.build_boollist": other,
	"torch.jit._pickle.restore_type_tag": other,
}

// global names a function, a class or a constant.
func (p *pickle) global(module, name string) error {
	full := module + "." + name
	_, known := results[full]
	switch {
	case known || isClass(full):
		return p.push(item{kind: function, text: full})
	case module == "torch" && strings.HasSuffix(name, "Storage"):
		if n := sizes[strings.TrimSuffix(name, "Storage")]; n > 0 {
			return p.push(item{kind: dtype, number: n})
		}
	case module == "torch" && strings.HasPrefix(name, "per_"):
		return p.push(item{kind: scheme, text: name})
	}
	return fmt.Errorf("got %s, which is not supported", quote(full))
}

// persistent makes a storage of ("storage", type, key, device, elements).
func (p *pickle) persistent() error {
	l, err := p.pop(1)
	if err != nil {
		return err
	}
	if !kinds(l[0].tuple(), text, dtype, text, text, integer) || l[0].items[0].text != "storage" {
		return errors.New("got a reference to something else than a storage")
	}
	size, key, n := l[0].items[1].number, l[0].items[2].text, l[0].items[4].number
	if n < 0 || n > 1<<56 {
		return fmt.Errorf("got a storage of %d elements", n)
	}
	if n > 0 {
		f := p.storage(key)
		if f == nil {
			return fmt.Errorf("got no storage %s", quote(key))
		}
		if f.UncompressedSize64 < uint64(n*size) {
			return fmt.Errorf("got a storage %s of %d bytes vs %d", quote(key), f.UncompressedSize64, n*size)
		}
	}
	return p.push(item{kind: storages, number: n})
}

// kinds tells whether the items are of these kinds.
func kinds(l []*item, want ...kind) bool {
	if len(l) != len(want) {
		return false
	}
	for i, v := range l {
		if v.kind != want[i] {
			return false
		}
	}
	return true
}

// call makes what a function or class makes of its argument.
func (p *pickle) call(name string, arg *item) error {
	out := item{kind: results[name]}
	args := arg.items
	ok := arg.kind == tuple
	switch name {
	case "collections.OrderedDict":
		ok = ok && len(args) == 0
	case "builtins.complex":
		ok = ok && kinds(args, float, float)
	case "torch.device":
		ok = ok && kinds(args, text)
	case "torch.jit._pickle.restore_type_tag":
		ok = ok && (kinds(args, list, text) || kinds(args, dict, text)) && checkSource(args[1].text) == nil && len(args[1].text) <= maxName*64
	case "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_qtensor":
		if !ok {
			break
		}
		if err := tensorOf(args, strings.HasSuffix(name, "_rebuild_qtensor")); err != nil {
			return err
		}
	default:
		if isClass(name) {
			ok, out.kind = true, other
			break
		}
		if ok = ok && kinds(args, list); ok {
			out.text, out.items = name, args[0].items
		}
	}
	if !ok {
		return fmt.Errorf("got %s of other arguments than torch gives it", quote(name))
	}
	if err := out.hold([]*item{arg}); err != nil {
		return err
	}
	return p.push(out)
}

// tensorOf looks at (storage, offset, sizes, strides, requires_grad, hooks) and perhaps a dict of flags; a quantised one has
// its parameters in the middle.
func tensorOf(args []*item, quantised bool) error {
	const storage, offset, size, stride = 0, 1, 2, 3
	rest := min(4, len(args))
	if quantised {
		if rest >= len(args) || !parameters(args[rest]) {
			return errors.New("got a quantised tensor without its parameters")
		}
		rest++
	}
	if !kinds(args[:min(4, len(args))], storages, integer, tuple, tuple) || !kinds(args[rest:], boolean, none) && !kinds(args[rest:], boolean, none, dict) {
		return errors.New("got a tensor of other arguments than torch gives it")
	}
	sizes, strides := args[size].items, args[stride].items
	if len(sizes) != len(strides) || len(sizes) > maxDims {
		return fmt.Errorf("got a tensor of %d sizes and %d strides", len(sizes), len(strides))
	}
	last, numel := args[offset].number, int64(1)
	if last < 0 {
		return fmt.Errorf("got a tensor at %d of its storage", last)
	}
	const most = 1 << 56
	for i := range sizes {
		n, step := sizes[i].number, strides[i].number
		if sizes[i].kind != integer || strides[i].kind != integer || n < 0 || step < 0 || n > most || step > most {
			return errors.New("got a tensor with a size or stride that is none")
		}
		if n > 0 && numel > most/n {
			return errors.New("got a tensor of too many elements")
		}
		numel *= n
		if n > 1 && step > 0 {
			if n-1 > (most-min(last, most))/step {
				return errors.New("got a tensor outside of its storage")
			}
			last += (n - 1) * step
		}
	}
	if numel > 0 && last >= args[storage].number {
		return fmt.Errorf("got a tensor that ends at %d of a storage of %d elements", last+1, args[storage].number)
	}
	return nil
}

// parameters are (scheme, scale, zero point) or (scheme, scales, zero points, axis).
func parameters(v *item) bool {
	if v.kind != tuple || len(v.items) == 0 || v.items[0].kind != scheme {
		return false
	}
	if strings.HasPrefix(v.items[0].text, "per_tensor_") {
		return kinds(v.items, scheme, float, integer)
	}
	return kinds(v.items, scheme, tensor, tensor, integer)
}
