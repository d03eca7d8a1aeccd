// Package ctorch is the only package that imports "C". It turns the plain C functions of shim.h into Go functions
// that take and return Go values, and knows nothing of scopes, panics or optimisers: those live in cgo/torch.
//
// Handles are integers, so no Go memory ever holds a C pointer that the garbage collector could misread.
package ctorch

// #cgo CXXFLAGS: -std=c++20 -O2
// #cgo LDFLAGS: -Wl,--no-as-needed -ltorch_cpu -lc10 -Wl,--as-needed -lstdc++ -ldl
// #cgo noescape ct_op_call
// #cgo nocallback ct_op_call
// #cgo noescape ct_tensor_free
// #cgo nocallback ct_tensor_free
// #cgo noescape ct_tensor_info
// #cgo nocallback ct_tensor_info
// #cgo noescape ct_modes_enter
// #cgo nocallback ct_modes_enter
// #cgo noescape ct_modes_leave
// #cgo nocallback ct_modes_leave
// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"unsafe"
)

// Handle is one owned reference to a tensor (or generator); 0 is none.
type Handle int64

// Error codes of the shim.
const (
	CodeGeneric          = C.CT_EGENERIC
	CodeOutOfMemory      = C.CT_EOOM
	CodeNotImplemented   = C.CT_ENOTIMPL
	CodeArgument         = C.CT_EARG
	CodeNondeterministic = C.CT_ENONDET
	CodeNoCUDA           = C.CT_ENOCUDA
)

// Error is what a shim function reported.
type Error struct {
	Code int
	Msg  string
}

func (e *Error) Error() string { return e.Msg }

// Tags of a [Val].
const (
	None      = C.CT_NONE
	Tensor    = C.CT_TENSOR
	Int       = C.CT_INT
	Float     = C.CT_FLOAT
	Bool      = C.CT_BOOL
	String    = C.CT_STRING
	Ints      = C.CT_INTS
	Floats    = C.CT_FLOATS
	Bools     = C.CT_BOOLS
	Tensors   = C.CT_TENSORS
	Device    = C.CT_DEVICE
	Generator = C.CT_GENERATOR
	Alias     = C.CT_ALIAS
)

// Val is one argument or result, laid out as ct_val.
type Val struct {
	Tag int32
	N   int32
	P   int64
}

// Args is an encoded argument list: lists and strings are offsets into Words and Bytes, so that nothing needs pinning.
type Args struct {
	Vals  []Val
	Words []int64
	Bytes []byte
}

// MaxResults is the largest number of results of any operator (the most in 2.14 is 7).
const MaxResults = 12

// Op is an operator, looked up once. It is a number and no pointer, which cgo would check on every call.
type Op int64

func failed(rc C.int, msg *C.char) error {
	if rc == 0 {
		return nil
	}
	e := &Error{Code: int(rc)}
	if msg != nil {
		e.Msg = C.GoString(msg)
		C.ct_free(unsafe.Pointer(msg))
	}
	return e
}

func takeText(p *C.char) string {
	if p == nil {
		return ""
	}
	s := C.GoString(p)
	C.ct_free(unsafe.Pointer(p))
	return s
}

func cbool(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

func handles(h []Handle) *C.ct_handle { return (*C.ct_handle)(unsafe.Pointer(unsafe.SliceData(h))) }

// FindOp looks up an operator by its schema name, e.g. "aten::add" and "Tensor".
func FindOp(name, overload string) (Op, error) {
	n, o := C.CString(name), C.CString(overload)
	defer C.free(unsafe.Pointer(n))
	defer C.free(unsafe.Pointer(o))
	var op C.ct_handle
	var msg *C.char
	rc := C.ct_op_find(n, o, &op, &msg)
	return Op(op), failed(rc, msg)
}

// CallOp calls op and returns the number of results in out. On error the results that were already made are in out.
func CallOp(op Op, a *Args, out *[MaxResults]Val) (int, error) {
	var n C.int
	var msg *C.char
	rc := C.ct_op_call(C.ct_handle(op),
		(*C.ct_val)(unsafe.Pointer(unsafe.SliceData(a.Vals))), C.int(len(a.Vals)),
		(*C.int64_t)(unsafe.SliceData(a.Words)), (*C.char)(unsafe.Pointer(unsafe.SliceData(a.Bytes))),
		(*C.ct_val)(unsafe.Pointer(out)), MaxResults, &n, &msg)
	if rc != 0 {
		return int(n), failed(rc, msg)
	}
	return int(n), nil
}

// TakeHandles copies and frees the list that a Tensors result points to.
func TakeHandles(v Val) []Handle {
	h := make([]Handle, v.N+1)
	C.ct_take_handles(C.int64_t(v.P), handles(h), C.int(v.N))
	return h[:v.N]
}

// Schema returns the operator's schema text.
func Schema(op Op) (string, error) {
	var text, msg *C.char
	rc := C.ct_op_schema(C.ct_handle(op), &text, &msg)
	return takeText(text), failed(rc, msg)
}

// OpNames lists every registered operator, one "name.overload" a line.
func OpNames() (string, error) {
	var text, msg *C.char
	rc := C.ct_op_names(&text, &msg)
	return takeText(text), failed(rc, msg)
}
