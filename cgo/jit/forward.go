package jit

import (
	"errors"
	"runtime"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Tuple is a TorchScript tuple.
type Tuple []any

// Forward calls the module's forward. See [Module.Call].
func (m *Module) Forward(args ...any) (any, error) { return m.Call("forward", args...) }

// Call calls a method. Arguments may be *torch.Tensor, []*torch.Tensor, nil, numbers, bool, string, []int64 or
// [torch.Device]. The result is nil, *torch.Tensor, int64, float64, bool, string, []any (a list), [Tuple] or
// map[string]any (a dict with string keys); tensors in it join the innermost scope among the arguments, so that a call
// with no tensor may return none.
//
// Errors raised in TorchScript are returned with their text. It panics, like every operation, when a tensor was freed.
func (m *Module) Call(method string, args ...any) (any, error) {
	a, in := torch.EncodeArgs("jit", args)
	v, err := ctorch.JITCall(m.ptr(), method, a)
	runtime.KeepAlive(args)
	runtime.KeepAlive(m)
	if err != nil {
		return nil, m.fail(method, err)
	}
	defer ctorch.FreeValue(v)
	out, err := convert(in, v)
	return out, m.fail(method, err)
}

// MustCall is [Module.Call] that panics with *[torch.Error] when the module fails, so that it can stand in a formula.
func (m *Module) MustCall(method string, args ...any) any {
	out, err := m.Call(method, args...)
	if err != nil {
		e := &torch.Error{Op: "jit", Msg: err.Error()}
		if l, ok := errors.AsType[*libError](err); ok {
			e.Msg, e.Kind = l.text, l.kind
		}
		panic(e)
	}
	return out
}

// ForwardTensor calls forward with one tensor and wants one tensor back. It panics with *[torch.Error] when the module
// fails or returns anything else.
func (m *Module) ForwardTensor(x *torch.Tensor) *torch.Tensor {
	t, ok := m.MustCall("forward", x).(*torch.Tensor)
	if !ok {
		panic(&torch.Error{Op: "jit", Msg: m.name + ": forward: got a result that is not one tensor"})
	}
	return t
}

func convert(s *torch.Scope, v ctorch.Value) (any, error) {
	switch ctorch.ValueKind(v) {
	case ctorch.VNone:
		return nil, nil
	case ctorch.VTensor:
		if s == nil {
			return nil, errors.New("no scope for the result: there is no tensor among the arguments, or they belong to " +
				"sealed or unrelated scopes")
		}
		h, err := ctorch.ValueTensor(v)
		if err != nil || h == 0 {
			return nil, err
		}
		return torch.AdoptHandle(s, h), nil
	case ctorch.VInt:
		return ctorch.ValueInt(v), nil
	case ctorch.VBool:
		return ctorch.ValueInt(v) != 0, nil
	case ctorch.VFloat:
		return ctorch.ValueFloat(v), nil
	case ctorch.VString:
		return ctorch.ValueText(v)
	case ctorch.VList:
		return items(s, v, nil)
	case ctorch.VTuple:
		l, err := items(s, v, nil)
		return Tuple(l), err
	case ctorch.VDict:
		var keys []string
		l, err := items(s, v, &keys)
		m := make(map[string]any, len(l))
		for i, x := range l {
			m[keys[i]] = x
		}
		return m, err
	}
	t, err := ctorch.ValueText(v)
	if err == nil {
		err = errors.New("got a result of type " + t + ", which has no form in Go")
	}
	return nil, err
}

func items(s *torch.Scope, v ctorch.Value, keys *[]string) ([]any, error) {
	n := ctorch.ValueLen(v)
	out := make([]any, 0, n)
	for i := range n {
		item, key, err := ctorch.ValueAt(v, i)
		if err != nil {
			return out, err
		}
		x, err := convert(s, item)
		ctorch.FreeValue(item)
		if err != nil {
			return out, err
		}
		out = append(out, x)
		if keys != nil {
			*keys = append(*keys, key)
		}
	}
	return out, nil
}
