package torch

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
)

// Tensor is an n-dimensional array in the memory of libtorch. It belongs to a [Scope] and must not be copied by value.
type Tensor struct {
	h     ctorch.Handle
	scope *Scope
	slot  int // index in scope.own.tensors
}

// handle returns t's handle, or panics when there is none any more.
func (t *Tensor) handle(op string) ctorch.Handle {
	if t == nil {
		panicf(op, nil, "nil tensor")
	}
	if t.scope == nil || t.scope.own.closed {
		origin := ""
		if t.scope != nil {
			origin = t.scope.origin()
		}
		panicf(op, ErrClosed, "tensor used after its scope%s was closed: move it out with Adopt, or read it before", origin)
	}
	if t.h == 0 {
		panicf(op, ErrClosed, "tensor used after Free")
	}
	return t.h
}

// Free releases t before its scope is closed. Freeing twice is harmless; using t afterwards panics.
// Other tensors that share t's storage stay valid.
func (t *Tensor) Free() {
	if t == nil || t.h == 0 || t.scope.own.closed {
		return
	}
	h := [1]ctorch.Handle{t.h}
	ctorch.Free(h[:])
	t.scope.own.vacate(t.slot)
	t.h = 0
}

// Scope is the scope that owns t, or did until t was freed.
func (t *Tensor) Scope() *Scope { return t.scope }

// MoveTo moves t to another scope and returns t: s.Adopt(t).
func (t *Tensor) MoveTo(s *Scope) *Tensor { return s.Adopt(t) }

func (t *Tensor) info(op string) (i ctorch.Info) {
	err := ctorch.InfoOf(t.handle(op), &i)
	runtime.KeepAlive(t)
	must(op, err)
	return i
}

// Shape returns the sizes of t's dimensions; empty for a scalar.
func (t *Tensor) Shape() []int64 {
	i := t.info("Shape")
	return append([]int64{}, i.Sizes[:i.Dim]...)
}

// Strides returns the distances, in elements, between neighbours along each dimension.
func (t *Tensor) Strides() []int64 {
	i := t.info("Strides")
	return append([]int64{}, i.Strides[:i.Dim]...)
}

// Dim is the number of dimensions, 0 for a scalar.
func (t *Tensor) Dim() int { return int(t.info("Dim").Dim) }

// Size is the size of dimension d; negative d counts from the last. It panics if there is no such dimension.
func (t *Tensor) Size(d int) int64 {
	i := t.info("Size")
	n := int(i.Dim)
	if d < -n || d >= n {
		panicf("Size", nil, "got dimension %d vs %d dimension(s)", d, n)
	}
	return i.Sizes[(d+n)%n]
}

// Numel is the number of elements, 1 for a scalar.
func (t *Tensor) Numel() int64 { return t.info("Numel").Numel }

// Bytes is the number of bytes of the elements.
func (t *Tensor) Bytes() int64 { return t.info("Bytes").Bytes }

// DType is the type of the elements. It panics for one of libtorch that has no name here, such as complex numbers.
func (t *Tensor) DType() DType { return dtypeOf(t.info("DType").DType) }

// Device is where the elements are: the CPU or a GPU.
func (t *Tensor) Device() Device {
	i := t.info("Device")
	return deviceOf(i.DeviceType, i.DeviceIndex)
}

// IsContiguous tells whether the elements lie in row-major order without gaps.
func (t *Tensor) IsContiguous() bool { return t.info("IsContiguous").Contiguous != 0 }

// IsLeaf tells whether t was made by the user rather than by an operation on tensors that require gradients.
func (t *Tensor) IsLeaf() bool { return t.info("IsLeaf").IsLeaf != 0 }

// HasGradFn tells whether t was computed from tensors that require gradients.
func (t *Tensor) HasGradFn() bool { return t.info("HasGradFn").HasGradFn != 0 }

// SameTensor tells whether a and b are the same tensor, not only equal ones: aliases made by [Scope.Use] are.
func SameTensor(a, b *Tensor) bool { return a.handle("SameTensor") == b.handle("SameTensor") }

// String describes t without its elements, e.g. "float32[2 3] cpu".
func (t *Tensor) String() string {
	if t == nil {
		return "nil"
	}
	if t.h == 0 || t.scope.own.closed {
		return "freed tensor"
	}
	defer runtime.KeepAlive(t)
	return describe(t.h)
}

func describe(h ctorch.Handle) string {
	var i ctorch.Info
	if ctorch.InfoOf(h, &i) != nil {
		return "?"
	}
	dev := deviceOf(i.DeviceType, i.DeviceIndex)
	name := fmt.Sprintf("dtype%d", i.DType)
	for d := Float32; int(d) < len(dtypes); d++ {
		if dtypes[d].code == i.DType {
			name = dtypes[d].name
		}
	}
	return strings.TrimSpace(fmt.Sprintf("%s%v %s", name, i.Sizes[:i.Dim], dev))
}
