package safetensors

import (
	"fmt"
	"math"
)

// DType is the type of an entry's elements, spelled as in the file.
type DType string

// The types of the format whose elements are whole bytes. The format's packed types of less than a byte are refused.
const (
	Bool   DType = "BOOL" // one byte, 0 or 1
	U8     DType = "U8"
	I8     DType = "I8"
	F8E5M2 DType = "F8_E5M2"
	F8E4M3 DType = "F8_E4M3"
	I16    DType = "I16"
	U16    DType = "U16"
	F16    DType = "F16"
	BF16   DType = "BF16"
	I32    DType = "I32"
	U32    DType = "U32"
	F32    DType = "F32"
	F64    DType = "F64"
	I64    DType = "I64"
	U64    DType = "U64"
)

// Size returns the bytes of one element, or 0 for an unknown type.
func (d DType) Size() int64 {
	switch d {
	case Bool, U8, I8, F8E5M2, F8E4M3:
		return 1
	case I16, U16, F16, BF16:
		return 2
	case I32, U32, F32:
		return 4
	case F64, I64, U64:
		return 8
	}
	return 0
}

// ByteSize returns the bytes of a tensor with the given type and shape. The empty shape is a scalar of one element.
// It fails for an unknown type, a negative dimension, and a size that does not fit in an int64.
func ByteSize(d DType, shape []int64) (int64, error) {
	n := d.Size()
	if n == 0 {
		return 0, fmt.Errorf("unknown dtype: got %s", quote(string(d)))
	}
	for i, dim := range shape {
		if dim < 0 {
			return 0, fmt.Errorf("negative dimension: got %d at index %d", dim, i)
		}
		if dim > 0 && n > math.MaxInt64/dim {
			return 0, fmt.Errorf("size overflows: got dtype %s with %d dimensions", d, len(shape))
		}
		n *= dim
	}
	return n, nil
}
