//go:build gotorch

package gotorch

import (
	"runtime"
	"unsafe"

	"github.com/wangkuiyi/gotorch"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// From returns t as a tensor of s, which may be sealed: the same elements, gradient and place in the graph, any shape and
// type. It has a reference of its own, which goes with s; t stays as it is. A tensor that gotorch calls undefined, such as
// the gradient of one that has none, or the zero Tensor, gives nil.
//
// It panics with *torch.Error if s is closed.
func From(s *torch.Scope, t gotorch.Tensor) *torch.Tensor {
	if t.T == nil {
		return nil
	}
	x := torch.FromATen(s, *t.T)
	runtime.KeepAlive(t.T) // its finalizer destroys the object that was read
	return x
}

// To returns t as a tensor of gotorch: the same elements, gradient and place in the graph. It has a reference of its own,
// which gotorch's finalizer frees, see [Step]; t and its scope stay as they are. nil gives the zero Tensor, which gotorch's
// functions take for an absent operand.
//
// It panics with *torch.Error if t was freed.
func To(t *torch.Tensor) gotorch.Tensor {
	if t == nil {
		return gotorch.Tensor{}
	}
	p := new(unsafe.Pointer) // a block of its own, as finalizers want it
	*p = torch.ToATen(t)
	gotorch.SetTensorFinalizer(p)
	return gotorch.Tensor{T: p}
}
