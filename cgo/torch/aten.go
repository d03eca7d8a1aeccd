package torch

import (
	"runtime"
	"unsafe"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
)

// The functions below share tensors with another binding of the same libtorch in the same process. pkg/gotorch is one that
// uses them. Nothing is copied: both sides have the same elements, the same gradient and the same place in the graph, and
// each a reference of its own, which it frees when it likes.

// FromATen returns the tensor that a C++ object of type at::Tensor refers to, as a tensor of s, which may be sealed; nil if
// the object is undefined, as the gradient of a tensor without one is. The object is only read: it stays the caller's, who
// keeps it alive during the call.
//
// object must point to an at::Tensor of the libtorch that this program is linked with. That cannot be checked.
// It panics on nil.
func FromATen(s *Scope, object unsafe.Pointer) *Tensor {
	const op = "FromATen"
	s.check(op)
	if object == nil {
		panicf(op, nil, "got nil vs the address of an at::Tensor")
	}
	h, err := ctorch.FromATen(object)
	must(op, err)
	if h == 0 {
		return nil
	}
	return s.adopt(h)
}

// ToATen returns the address of a new C++ object of type at::Tensor that refers to t. It is the caller's, to be destroyed
// with C++'s delete; until then it keeps the elements alive, and what is still to be freed of the graph behind t. It does
// not count as a live tensor.
func ToATen(t *Tensor) unsafe.Pointer {
	const op = "ToATen"
	object, err := ctorch.ToATen(t.handle(op))
	runtime.KeepAlive(t)
	must(op, err)
	return object
}
