package torch

import "github.com/tigas-train/tigas-train/cgo/internal/ctorch"

// The functions below are for the sibling packages of cgo (jit, cuda, dist). Their types are internal to cgo, so
// nobody else can call them.

// HandleOf returns t's handle, still owned by t.
func HandleOf(t *Tensor) ctorch.Handle { return t.handle("HandleOf") }

// HandleOfGenerator returns g's handle, still owned by g.
func HandleOfGenerator(g *Generator) ctorch.Handle { return g.handle("HandleOfGenerator") }

// AdoptHandle makes a tensor of s from an owned handle.
func AdoptHandle(s *Scope, h ctorch.Handle) *Tensor { return s.adopt(h) }

// CheckScope panics when s is closed.
func CheckScope(s *Scope, op string) { s.check(op) }

// KindOf is the sentinel of a shim error, e.g. ErrOutOfMemory; nil when it has none.
func KindOf(err error) error {
	e, _ := wrapError("", err).(*Error)
	if e == nil {
		return nil
	}
	return e.Kind
}

// DeviceCode is the shim's number of d.
func DeviceCode(d Device) int64 { return d.code() }

// DTypeCode is libtorch's number of d, -1 for DefaultDType.
func DTypeCode(d DType) int32 {
	if d == DefaultDType {
		return -1
	}
	return dtypes[d].code
}

// EncodeArgs encodes an argument list and returns the innermost scope among its tensors, nil
// if there is none. It panics on what has no form.
func EncodeArgs(op string, args []any) (*ctorch.Args, *Scope) {
	nw, nb := room(args)
	e := encoder{vals: make([]ctorch.Val, len(args)), words: make([]int64, nw), bytes: make([]byte, nb)}
	in := e.addAll(op, args)
	if in == unrelated {
		in = nil
	}
	a := e.args()
	return &a, in
}
