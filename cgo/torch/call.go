package torch

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
)

// operator is one entry of libtorch's dispatcher, looked up when it is first called.
type operator struct {
	name string
	once sync.Once
	op   ctorch.Op
	err  error
}

// op declares an operator by its schema name, e.g. "aten::add.Tensor".
func op(name string) *operator { return &operator{name: name} }

func (o *operator) find() {
	base, overload, _ := strings.Cut(o.name, ".")
	o.op, o.err = ctorch.FindOp(base, overload)
	if o.err != nil {
		o.err = &Error{Op: o.name, Kind: ErrUnsupported,
			Msg: "libtorch " + Version() + " has no such operator; names look like aten::add.Tensor"}
	}
}

var dynamic sync.Map // name -> *operator, for Call

func lookup(name string) *operator {
	if o, ok := dynamic.Load(name); ok {
		return o.(*operator)
	}
	o, _ := dynamic.LoadOrStore(name, op(name))
	return o.(*operator)
}

// Has tells whether this libtorch has the operator, e.g. Has("aten::_fused_adamw_").
func Has(name string) bool {
	o := lookup(name)
	o.once.Do(o.find)
	return o.err == nil
}

// SchemaOf returns the operator's schema as libtorch prints it, or an error that wraps [ErrUnsupported].
func SchemaOf(name string) (string, error) {
	o := lookup(name)
	o.once.Do(o.find)
	if o.err != nil {
		return "", o.err
	}
	s, err := ctorch.Schema(o.op)
	return s, wrapError(name, err)
}

// Operators lists the names of all operators of this libtorch.
func Operators() ([]string, error) {
	text, err := ctorch.OpNames()
	return strings.Fields(text), wrapError("Operators", err)
}

// Call calls any operator of libtorch by its schema name and returns its only result:
//
//	y := torch.Call("aten::softplus", x, 1.0, 20.0)
//
// Arguments are given by position, keyword-only ones too; those left out at the end take the schema's defaults. They may
// be *Tensor, []*Tensor, nil, a float, an integer that fits an int64, bool, string, [DType], [Device], *[Generator],
// []int64, []int, []float64 or []bool. The result joins the innermost scope among the operands; an operator that returns
// one of its operands, as those that work in place do, gives that very *Tensor.
//
// It panics with *[Error] when there is no such operator, when an argument does not fit the schema, when the operator
// fails, or when it does not return exactly one tensor.
func Call(name string, args ...any) *Tensor { return lookup(name).call(nil, args) }

// CallMulti is [Call] for operators with any number of results of any kind: *Tensor, []*Tensor, int64, float64, bool or
// nil.
func CallMulti(name string, args ...any) []any { return lookup(name).callMulti(nil, args) }

// Call is [Call] with the result in s, wherever the operands live.
func (s *Scope) Call(name string, args ...any) *Tensor {
	s.check("Call")
	return lookup(name).call(s, args)
}

// CallMulti is [CallMulti] with the results in s, wherever the operands live.
func (s *Scope) CallMulti(name string, args ...any) []any {
	s.check("CallMulti")
	return lookup(name).callMulti(s, args)
}

// call1 is for methods: one tensor out, in the operands' scope.
func (o *operator) call1(args ...any) *Tensor { return o.call(nil, args) }

func (o *operator) call(s *Scope, args []any) *Tensor {
	var out [ctorch.MaxResults]ctorch.Val
	n, in := o.invoke(s, args, &out)
	if n == 1 {
		switch out[0].Tag {
		case ctorch.Alias:
			return args[out[0].P].(*Tensor)
		case ctorch.Tensor:
			o.wantScope(in, out[:1])
			return in.adopt(ctorch.Handle(out[0].P))
		}
	}
	release(out[:n])
	panicf(o.name, nil, "got %s vs one tensor as its result: use CallMulti", describeResults(out[:n]))
	return nil
}

func (o *operator) callMulti(s *Scope, args []any) []any {
	var out [ctorch.MaxResults]ctorch.Val
	n, in := o.invoke(s, args, &out)
	for _, v := range out[:n] {
		if v.Tag == ctorch.Tensor || v.Tag == ctorch.Tensors {
			o.wantScope(in, out[:n])
		}
	}
	res := make([]any, n)
	for i, v := range out[:n] {
		switch v.Tag {
		case ctorch.Alias:
			res[i] = args[v.P].(*Tensor)
		case ctorch.Tensor:
			res[i] = in.adopt(ctorch.Handle(v.P))
		case ctorch.Tensors:
			hs := ctorch.TakeHandles(v)
			l := make([]*Tensor, len(hs))
			for k, h := range hs {
				if h != 0 {
					l[k] = in.adopt(h)
				}
			}
			res[i] = l
		case ctorch.Int:
			res[i] = v.P
		case ctorch.Float:
			res[i] = math.Float64frombits(uint64(v.P))
		case ctorch.Bool:
			res[i] = v.P != 0
		}
	}
	return res
}

// wantScope frees the results and panics when there is no scope for them: every operand is sealed, or there were none.
func (o *operator) wantScope(in *Scope, results []ctorch.Val) {
	if in != nil && in != unrelated {
		return
	}
	release(results)
	if in == unrelated {
		panicf(o.name, nil, "operands belong to unrelated scopes, so there is none for the result: bring one over with "+
			"Scope.Use, or make one scope the child of the other")
	}
	panicf(o.name, ErrSealed, "no scope for the result: every operand belongs to a sealed scope (parameters of a "+
		"model do); bring one into a working scope with w := s.Use(layer.Weight), or call s.Call")
}

func describeResults(vals []ctorch.Val) string {
	names := map[int32]string{ctorch.Tensor: "a tensor", ctorch.Alias: "a tensor", ctorch.Tensors: "a list of tensors",
		ctorch.Int: "an int", ctorch.Float: "a float", ctorch.Bool: "a bool", ctorch.None: "nil"}
	var parts []string
	for _, v := range vals {
		parts = append(parts, names[v.Tag])
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

func release(vals []ctorch.Val) {
	for _, v := range vals {
		switch v.Tag {
		case ctorch.Tensor:
			ctorch.Free([]ctorch.Handle{ctorch.Handle(v.P)})
		case ctorch.Tensors:
			ctorch.Free(ctorch.TakeHandles(v))
		}
	}
}

// invoke encodes args, calls the operator and returns the number of results and their scope.
func (o *operator) invoke(s *Scope, args []any, out *[ctorch.MaxResults]ctorch.Val) (int, *Scope) {
	o.once.Do(o.find)
	if o.err != nil {
		panic(o.err)
	}
	// Nothing here escapes to the heap: the encoder writes into arrays of this frame, and never grows them.
	var (
		vals  [12]ctorch.Val
		words [16]int64
		bytes [32]byte
		in    *Scope
	)
	e := encoder{vals: vals[:], words: words[:], bytes: bytes[:]}
	if nw, nb := room(args); len(args) > len(vals) || nw > len(words) || nb > len(bytes) {
		e = encoder{vals: make([]ctorch.Val, len(args)), words: make([]int64, nw), bytes: make([]byte, nb)}
	}
	in = e.addAll(o.name, args)
	if s != nil {
		in = s
	}
	a := e.args()
	n, err := ctorch.CallOp(o.op, &a, out)
	runtime.KeepAlive(args)
	if err != nil {
		release(out[:n])
		bad := wrapError(o.name, err).(*Error)
		bad.Args = describeArgs(args)
		panic(bad)
	}
	return n, in
}

// room counts the words and bytes that the lists and strings among args take.
func room(args []any) (words, bytes int) {
	for _, a := range args {
		switch v := a.(type) {
		case []*Tensor:
			words += len(v)
		case []int64:
			words += len(v)
		case []int:
			words += len(v)
		case []float64:
			words += len(v)
		case []bool:
			words += len(v)
		case string:
			bytes += len(v)
		}
	}
	return words, bytes
}

// encoder builds the flat argument list of one call in arrays that are large enough.
type encoder struct {
	vals       []ctorch.Val
	words      []int64
	bytes      []byte
	nv, nw, nb int
}

func (e *encoder) args() ctorch.Args {
	return ctorch.Args{Vals: e.vals[:e.nv], Words: e.words[:e.nw], Bytes: e.bytes[:e.nb]}
}

func (e *encoder) val(tag int32, p int64) {
	e.vals[e.nv] = ctorch.Val{Tag: tag, P: p}
	e.nv++
}

func (e *encoder) list(tag int32, n int) {
	e.vals[e.nv] = ctorch.Val{Tag: tag, N: int32(n), P: int64(e.nw)}
	e.nv++
}

func (e *encoder) word(w int64) {
	e.words[e.nw] = w
	e.nw++
}

func (e *encoder) float(v float64) { e.val(ctorch.Float, int64(math.Float64bits(v))) }

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// addAll encodes args and returns the innermost scope among the tensors.
func (e *encoder) addAll(op string, args []any) (in *Scope) {
	for i, a := range args {
		switch v := a.(type) {
		case *Tensor:
			if v == nil {
				e.val(ctorch.None, 0)
				continue
			}
			e.val(ctorch.Tensor, int64(v.handle(op)))
			in = join(in, v.scope)
		case []*Tensor:
			e.list(ctorch.Tensors, len(v))
			for _, t := range v {
				if t == nil {
					e.word(0)
					continue
				}
				e.word(int64(t.handle(op)))
				in = join(in, t.scope)
			}
		default:
			if !e.add(a) {
				panicf(op, nil, "argument %d: got a Go %T, which has no form in libtorch", i, a)
			}
		}
	}
	return in
}

// add encodes anything but tensors; false when v has no form in libtorch.
func (e *encoder) add(a any) bool {
	switch v := a.(type) {
	case nil:
		e.val(ctorch.None, 0)
	case int64:
		e.val(ctorch.Int, v)
	case int:
		e.val(ctorch.Int, int64(v))
	case int32:
		e.val(ctorch.Int, int64(v))
	case int16:
		e.val(ctorch.Int, int64(v))
	case int8:
		e.val(ctorch.Int, int64(v))
	case uint8:
		e.val(ctorch.Int, int64(v))
	case uint16:
		e.val(ctorch.Int, int64(v))
	case uint32:
		e.val(ctorch.Int, int64(v))
	case float64:
		e.float(v)
	case float32:
		e.float(float64(v))
	case bool:
		e.val(ctorch.Bool, number(v))
	case string:
		e.vals[e.nv] = ctorch.Val{Tag: ctorch.String, N: int32(len(v)), P: int64(e.nb)}
		e.nv++
		e.nb += copy(e.bytes[e.nb:], v)
	case DType:
		if v == DefaultDType {
			e.val(ctorch.None, 0)
		} else {
			e.val(ctorch.Int, int64(dtypes[v].code))
		}
	case Device:
		e.val(ctorch.Device, v.code())
	case *Generator:
		if v == nil {
			e.val(ctorch.None, 0)
		} else {
			e.val(ctorch.Generator, int64(v.handle("generator")))
		}
	case []int64:
		e.list(ctorch.Ints, len(v))
		e.nw += copy(e.words[e.nw:], v)
	case []int:
		e.list(ctorch.Ints, len(v))
		for _, x := range v {
			e.word(int64(x))
		}
	case []float64:
		e.list(ctorch.Floats, len(v))
		for _, x := range v {
			e.word(int64(math.Float64bits(x)))
		}
	case []bool:
		e.list(ctorch.Bools, len(v))
		for _, x := range v {
			e.word(number(x))
		}
	default:
		return false
	}
	return true
}

func describeArgs(args []any) string {
	var parts []string
	for _, a := range args {
		switch v := a.(type) {
		case *Tensor:
			if v != nil {
				parts = append(parts, v.String())
			}
		case []*Tensor:
			parts = append(parts, fmt.Sprintf("%d tensors", len(v)))
		}
	}
	return strings.Join(parts, ", ")
}
