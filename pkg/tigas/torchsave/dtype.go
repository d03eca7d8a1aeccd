package torchsave

// DType is the type of a tensor's elements, spelled as in torch.
type DType string

// The types whose storages torch.save names.
const (
	Float64    DType = "float64"
	Float32    DType = "float32"
	Float16    DType = "float16"
	BFloat16   DType = "bfloat16"
	Int64      DType = "int64"
	Int32      DType = "int32"
	Int16      DType = "int16"
	Int8       DType = "int8"
	Uint8      DType = "uint8"
	Bool       DType = "bool"
	Complex64  DType = "complex64"
	Complex128 DType = "complex128"
)

// Types that torch has since 2.1 or later.
const (
	Uint16         DType = "uint16"
	Uint32         DType = "uint32"
	Uint64         DType = "uint64"
	Float8E4M3FN   DType = "float8_e4m3fn"
	Float8E5M2     DType = "float8_e5m2"
	Float8E4M3FNUZ DType = "float8_e4m3fnuz"
	Float8E5M2FNUZ DType = "float8_e5m2fnuz"
	Float8E8M0FNU  DType = "float8_e8m0fnu"
)

// storages are the classes that a persistent id may name. An untyped one counts bytes; its tensors name their types.
var storages = map[string]DType{
	"torch.DoubleStorage": Float64, "torch.FloatStorage": Float32, "torch.HalfStorage": Float16,
	"torch.BFloat16Storage": BFloat16, "torch.LongStorage": Int64, "torch.IntStorage": Int32, "torch.ShortStorage": Int16,
	"torch.CharStorage": Int8, "torch.ByteStorage": Uint8, "torch.BoolStorage": Bool,
	"torch.ComplexFloatStorage": Complex64, "torch.ComplexDoubleStorage": Complex128,
	"torch.storage.UntypedStorage": "", "torch.UntypedStorage": "",
}

// Size is the bytes of one element, 0 for an unknown type.
func (d DType) Size() int64 {
	switch d {
	case Bool, Uint8, Int8, Float8E4M3FN, Float8E5M2, Float8E4M3FNUZ, Float8E5M2FNUZ, Float8E8M0FNU:
		return 1
	case Int16, Float16, BFloat16, Uint16:
		return 2
	case Int32, Float32, Uint32:
		return 4
	case Int64, Float64, Complex64, Uint64:
		return 8
	case Complex128:
		return 16
	}
	return 0
}
