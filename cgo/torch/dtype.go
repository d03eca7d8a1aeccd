package torch

import (
	"fmt"
	"math"
)

// DType is the type of a tensor's elements. Its zero value means "not given": the default of the function asked.
type DType uint8

// Element types. The default for new tensors is Float32.
const (
	DefaultDType DType = iota
	Float32
	Float64
	Float16
	BFloat16
	Int64
	Int32
	Int16
	Int8
	Uint8
	Bool
)

// The numbers of c10::ScalarType, which PyTorch keeps stable for its files.
var dtypes = [...]struct {
	name string
	code int32
	size int
}{
	DefaultDType: {"default", 6, 4},
	Float32:      {"float32", 6, 4},
	Float64:      {"float64", 7, 8},
	Float16:      {"float16", 5, 2},
	BFloat16:     {"bfloat16", 15, 2},
	Int64:        {"int64", 4, 8},
	Int32:        {"int32", 3, 4},
	Int16:        {"int16", 2, 2},
	Int8:         {"int8", 1, 1},
	Uint8:        {"uint8", 0, 1},
	Bool:         {"bool", 11, 1},
}

// String returns the name as PyTorch spells it, e.g. "float32".
func (d DType) String() string {
	if int(d) < len(dtypes) {
		return dtypes[d].name
	}
	return fmt.Sprintf("dtype(%d)", uint8(d))
}

// Size is the number of bytes of one element.
func (d DType) Size() int { return dtypes[d].size }

// IsFloat tells whether d holds floating-point numbers, the only ones that carry gradients.
func (d DType) IsFloat() bool {
	return d == Float32 || d == Float64 || d == Float16 || d == BFloat16 || d == DefaultDType
}

func dtypeOf(code int32) DType {
	for d := Float32; int(d) < len(dtypes); d++ {
		if dtypes[d].code == code {
			return d
		}
	}
	panicf("dtype", ErrUnsupported, "element type %d of libtorch has no form here", code)
	return 0
}

// Half is an IEEE 754 half-precision number, as stored in a Float16 tensor.
type Half uint16

// BF16 is the upper half of a float32, as stored in a BFloat16 tensor.
type BF16 uint16

// Float32 returns the number; every Half has an exact float32.
func (h Half) Float32() float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&1023
	switch exp {
	case 31:
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	case 0: // zero and subnormals: frac * 2^-24
		f := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(sign | math.Float32bits(f))
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// Float32 returns the number; every BF16 has an exact float32.
func (b BF16) Float32() float32 { return math.Float32frombits(uint32(b) << 16) }

// Element are the Go types that tensors are made from and read into.
type Element interface {
	float32 | float64 | int64 | int32 | int16 | int8 | uint8 | bool | Half | BF16
}

func dtypeFor[T Element]() DType {
	var v T
	switch any(v).(type) {
	case float32:
		return Float32
	case float64:
		return Float64
	case int64:
		return Int64
	case int32:
		return Int32
	case int16:
		return Int16
	case int8:
		return Int8
	case uint8:
		return Uint8
	case bool:
		return Bool
	case Half:
		return Float16
	default:
		return BFloat16
	}
}
