package torch

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
)

// FromSlice copies data into a new tensor of s, on the CPU, row-major, with the element type that belongs to T. Without a
// shape it has one dimension. It panics if the shape does not fit the number of elements.
func FromSlice[T Element](s *Scope, data []T, shape ...int64) *Tensor {
	const op = "FromSlice"
	s.check(op)
	if shape == nil {
		shape = []int64{int64(len(data))}
	}
	if n, ok := numel(shape); !ok || n != int64(len(data)) {
		panicf(op, nil, "got %d element(s) vs shape %v", len(data), shape)
	}
	var v T
	h, err := ctorch.FromBytes(unsafe.Pointer(unsafe.SliceData(data)), int64(len(data))*int64(unsafe.Sizeof(v)),
		dtypes[dtypeFor[T]()].code, shape, CPU.code())
	must(op, err)
	return s.adopt(h)
}

// FromFloat32s is FromSlice for float32, as a method.
func (s *Scope) FromFloat32s(data []float32, shape ...int64) *Tensor {
	return FromSlice(s, data, shape...)
}

// FromFloat64s is FromSlice for float64, as a method.
func (s *Scope) FromFloat64s(data []float64, shape ...int64) *Tensor {
	return FromSlice(s, data, shape...)
}

// FromInt64s is FromSlice for int64, as a method.
func (s *Scope) FromInt64s(data []int64, shape ...int64) *Tensor { return FromSlice(s, data, shape...) }

// FromBytes makes a tensor of any element type from its raw little-endian bytes, e.g. of a file, on device d.
// It returns an error if the number of bytes does not fit.
func (s *Scope) FromBytes(data []byte, dtype DType, d Device, shape ...int64) (*Tensor, error) {
	s.check("FromBytes")
	if int(dtype) >= len(dtypes) || dtype <= DefaultDType {
		return nil, &Error{Op: "FromBytes", Msg: fmt.Sprintf("got no element type (%d)", dtype)}
	}
	if n, ok := numel(shape); !ok || n > int64(len(data)) || n*int64(dtype.Size()) != int64(len(data)) {
		return nil, &Error{Op: "FromBytes", Msg: fmt.Sprintf("got %d byte(s) vs %s%v", len(data), dtype, shape)}
	}
	h, err := ctorch.FromBytes(unsafe.Pointer(unsafe.SliceData(data)), int64(len(data)), dtypes[dtype].code, shape, d.code())
	if err != nil {
		return nil, wrapError("FromBytes", err)
	}
	return s.adopt(h), nil
}

// Slice copies t's elements, row-major, to a new slice; from any device. It panics if T is not t's element type: convert
// with [Tensor.To] first.
func Slice[T Element](t *Tensor) []T {
	const op = "Slice"
	i := t.info(op)
	var v T
	if want := dtypeFor[T](); dtypes[want].code != i.DType {
		panicf(op, nil, "got elements of %s vs a []%T: convert with To(torch.%s)", t, v, want)
	}
	checkSize(op, t, i.Numel, int64(unsafe.Sizeof(v)))
	out := make([]T, i.Numel)
	err := ctorch.ToBytes(t.h, unsafe.Pointer(unsafe.SliceData(out)), i.Numel*int64(unsafe.Sizeof(v)))
	runtime.KeepAlive(t)
	must(op, err)
	return out
}

// checkSize panics before Go ends the process: an expanded tensor may have more elements than any memory.
func checkSize(op string, t *Tensor, n, size int64) {
	const most = 1 << 40
	if n < 0 || n > most/size {
		panicf(op, ErrOutOfMemory, "got %d elements of %s vs at most %d bytes", n, t, int64(most))
	}
}

// RawBytes copies t's elements, row-major and little-endian, from any device.
func (t *Tensor) RawBytes() []byte {
	i := t.info("RawBytes")
	checkSize("RawBytes", t, i.Bytes, 1)
	out := make([]byte, i.Bytes)
	err := ctorch.ToBytes(t.h, unsafe.Pointer(unsafe.SliceData(out)), i.Bytes)
	runtime.KeepAlive(t)
	must("RawBytes", err)
	return out
}

// Float32s is Slice[float32] after a conversion, for any element type.
func (t *Tensor) Float32s() []float32 {
	if t.DType() == Float32 {
		return Slice[float32](t)
	}
	s := NewScope()
	defer s.Close()
	return Slice[float32](s.Use(t).Detach().To(Float32))
}

// Float64 returns the value of a tensor with one element. On a CUDA device this waits for the device.
// It panics if t has more elements.
func (t *Tensor) Float64() float64 {
	i := t.info("Float64")
	if i.Numel != 1 {
		panicf("Float64", nil, "got %d elements vs 1", i.Numel)
	}
	s := NewScope()
	defer s.Close()
	return Slice[float64](s.Use(t).Detach().To(Float64))[0]
}

// Int64 returns the value of a tensor with one element, truncated.
// It panics if t has more elements.
func (t *Tensor) Int64() int64 {
	i := t.info("Int64")
	if i.Numel != 1 {
		panicf("Int64", nil, "got %d elements vs 1", i.Numel)
	}
	s := NewScope()
	defer s.Close()
	return Slice[int64](s.Use(t).Detach().To(Int64))[0]
}

// Bool tells whether a tensor with one element is not zero.
func (t *Tensor) Bool() bool { return t.Float64() != 0 }

// numel multiplies, and tells whether the shape is valid: no negative size, no overflow.
func numel(shape []int64) (int64, bool) {
	if len(shape) > ctorch.MaxDim {
		return 0, false
	}
	n := int64(1)
	for _, d := range shape {
		if d < 0 || (d > 0 && n > (1<<60)/d) {
			return 0, false
		}
		n *= d
	}
	return n, true
}
