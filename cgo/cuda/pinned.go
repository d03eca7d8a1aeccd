package cuda

import (
	"runtime"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Pinned is a tensor in host memory that stays where it is, so that a GPU can read and write it beside the host's work. It
// belongs to a scope.
type Pinned struct {
	t *torch.Tensor
	b []byte
}

// NewPinned returns pinned memory of s for a tensor of this type and shape. Its elements are not set. Pinned memory is taken
// from what the whole machine has: make it once and use it again. It returns an error that wraps [ErrNoCUDA] where there is
// no CUDA, and one that wraps [torch.ErrOutOfMemory] where the host refuses.
func NewPinned(s *torch.Scope, dtype torch.DType, shape ...int64) (*Pinned, error) {
	const op = "NewPinned"
	torch.CheckScope(s, "cuda."+op)
	if _, err := ctorch.StreamOf(0, ctorch.StreamDefault); err != nil {
		return nil, wrap(op, err)
	}
	// size, dtype, layout, device, pin_memory
	t, err := torch.Try1(func() *torch.Tensor { return s.Call("aten::empty.memory_format", shape, dtype, nil, torch.CPU, true) })
	if err != nil {
		return nil, err
	}
	return newPinned(op, t)
}

func newPinned(op string, t *torch.Tensor) (*Pinned, error) {
	b, err := ctorch.Memory(torch.HandleOf(t))
	runtime.KeepAlive(t)
	if err != nil {
		return nil, wrap(op, err)
	}
	return &Pinned{t, b}, nil
}

// Tensor is the tensor: the same memory as [Pinned.Bytes].
func (p *Pinned) Tensor() *torch.Tensor { return p.t }

// Bytes are the tensor's elements, row-major and little-endian. They are no memory of Go's: a decoder writes into them and
// nothing is copied, but they end with the scope, and using them afterwards reads or writes memory of others. While a copy
// that was begun with [ToAsync] or [CopyAsync] may still run, a source must not be written to and a destination not be
// read: record an [Event] behind the copy, and wait for it. Bytes panics when the scope is closed.
func (p *Pinned) Bytes() []byte {
	torch.HandleOf(p.t)
	return p.b
}

// ToAsync copies x to a device, as a tensor of s, and does not wait for it if x is a [Pinned] tensor or is on a GPU. The
// copy is queued on the current stream of the GPU, so operations of that stream see the elements; others wait for an
// event behind it.
//
// From pinned memory to a GPU: do not change x before the copy is done. The memory itself may be freed, libtorch keeps it
// so long. From a GPU to the CPU, the result is in pinned memory and has its elements only when the copy is done: wait for
// an event before reading them.
//
// It panics with *[torch.Error] like every operation.
func ToAsync(s *torch.Scope, x *torch.Tensor, d torch.Device) *torch.Tensor {
	torch.CheckScope(s, "cuda.ToAsync")
	// self, dtype, layout, device, pin_memory (which it chooses itself), non_blocking
	return s.Call("aten::_to_copy", x, nil, nil, d, nil, true)
}

// CopyAsync copies the elements of src into dst, between devices and types, and does not wait for it, with the rules of
// [ToAsync]. Shapes must agree, or src's be one that expands to dst's. It panics with *[torch.Error] like every operation.
func CopyAsync(dst, src *torch.Tensor) { torch.Call("aten::copy_", dst, src, true) }
