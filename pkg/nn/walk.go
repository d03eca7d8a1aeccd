package nn

import (
	"iter"
	"reflect"
	"strconv"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Layer is a module that maps one tensor to one tensor.
type Layer interface {
	Forward(x *torch.Tensor) *torch.Tensor
}

// entry is one tensor of a module.
type entry struct {
	name   string
	tensor *torch.Tensor
	buffer bool
}

var (
	tensorType = reflect.TypeFor[*torch.Tensor]()
	moduleTag  = "torch"
)

// walk visits every tensor of m in the order of its fields, which is the order of registration.
func walk(m any, visit func(entry) bool, modules func(any)) {
	walkValue(reflect.ValueOf(m), "", visit, modules)
}

func walkValue(v reflect.Value, prefix string, visit func(entry) bool, modules func(any)) bool {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return true
		}
		if v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct && modules != nil && v.CanInterface() {
			modules(v.Interface())
		}
		return walkValue(v.Elem(), prefix, visit, modules)
	case reflect.Slice:
		for i := range v.Len() {
			if !walkValue(v.Index(i), join(prefix, strconv.Itoa(i)), visit, modules) {
				return false
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			name, option, _ := strings.Cut(f.Tag.Get(moduleTag), ",")
			if f.Type == tensorType {
				t, _ := v.Field(i).Interface().(*torch.Tensor)
				if name == "" || t == nil {
					continue
				}
				if visit != nil && !visit(entry{join(prefix, name), t, option == "buffer"}) {
					return false
				}
				continue
			}
			if !holdsModules(f.Type) || name == "-" {
				continue
			}
			if name == "" && !f.Anonymous {
				name = strings.ToLower(f.Name)
			}
			if !walkValue(v.Field(i), join(prefix, name), visit, modules) {
				return false
			}
		}
	}
	return true
}

// holdsModules keeps the walk away from fields such as options and functions.
func holdsModules(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Pointer:
		return t.Elem().Kind() == reflect.Struct
	case reflect.Slice:
		return holdsModules(t.Elem())
	case reflect.Struct:
		return true
	}
	return false
}

func join(prefix, name string) string {
	if prefix == "" || name == "" {
		return prefix + name
	}
	return prefix + "." + name
}

// StateDict yields parameters and buffers with PyTorch's names, in the order of registration.
func StateDict(m any) iter.Seq2[string, *torch.Tensor] {
	return func(yield func(string, *torch.Tensor) bool) {
		walk(m, func(e entry) bool { return yield(e.name, e.tensor) }, nil)
	}
}

// Params yields the parameters.
func Params(m any) iter.Seq2[string, *torch.Tensor] { return only(m, false) }

// Buffers yields the buffers: running statistics and counters.
func Buffers(m any) iter.Seq2[string, *torch.Tensor] { return only(m, true) }

func only(m any, buffers bool) iter.Seq2[string, *torch.Tensor] {
	return func(yield func(string, *torch.Tensor) bool) {
		walk(m, func(e entry) bool { return e.buffer != buffers || yield(e.name, e.tensor) }, nil)
	}
}

// ParamList is the parameters as a list, for optimisers and [torch.Grad].
func ParamList(m any) []*torch.Tensor { return list(Params(m)) }

// BufferList is the buffers as a list.
func BufferList(m any) []*torch.Tensor { return list(Buffers(m)) }

func list(seq iter.Seq2[string, *torch.Tensor]) []*torch.Tensor {
	var l []*torch.Tensor
	for _, t := range seq {
		l = append(l, t)
	}
	return l
}

// CountParams is the number of elements of all parameters.
func CountParams(m any) int64 {
	var n int64
	for _, p := range Params(m) {
		n += p.Numel()
	}
	return n
}

// trainer is a layer that behaves differently in training.
type trainer interface{ train(on bool) }

// Train sets training mode, or evaluation mode when on is false, for m and every layer in it.
func Train(m any, on bool) {
	walk(m, nil, func(layer any) {
		if t, ok := layer.(trainer); ok {
			t.train(on)
		}
	})
}
