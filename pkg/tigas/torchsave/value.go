package torchsave

import "math"

// Value is one of
//
//	nil, bool, int64, float64, string, []byte
//	*List          list, tuple, set
//	*Dict          dict, OrderedDict
//	*Tensor        torch.Tensor, torch.nn.Parameter
//	*Opaque        anything else
//
// A file may hold cycles: a list may contain itself. Code that walks values must not rely on an end.
type Value = any

// List is a list, tuple or set.
type List struct{ Items []Value }

// Dict is a dict with its entries in the order of the file.
type Dict struct {
	Items []Item
	index map[string]int // of the items whose key is a string
}

// Item is an entry of a Dict. Key is a string in all dicts that this package knows of but an optimizer's, which counts its
// parameters.
type Item struct{ Key, Value Value }

// Get returns the value under a string key, and whether there is one.
func (d *Dict) Get(key string) (Value, bool) {
	i, ok := d.index[key]
	if !ok {
		return nil, false
	}
	return d.Items[i].Value, true
}

// set replaces the value of a string key; of other keys all are kept, as nobody looks them up.
func (d *Dict) set(key, value Value) {
	if s, ok := key.(string); ok {
		if i, ok := d.index[s]; ok {
			d.Items[i].Value = value
			return
		}
		if d.index == nil {
			d.index = map[string]int{}
		}
		d.index[s] = len(d.Items)
	}
	d.Items = append(d.Items, Item{key, value})
}

// Opaque is a function, a class, or what a file makes by one that this package does not know. Nothing was called.
type Opaque struct {
	Name string // such as "numpy.core.multiarray.scalar"

	made    bool // what a call of Name returned, not Name itself
	storage *storage
}

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

// storages are the classes that a persistent id may name.
var storages = map[string]DType{
	"torch.DoubleStorage": Float64, "torch.FloatStorage": Float32, "torch.HalfStorage": Float16,
	"torch.BFloat16Storage": BFloat16, "torch.LongStorage": Int64, "torch.IntStorage": Int32, "torch.ShortStorage": Int16,
	"torch.CharStorage": Int8, "torch.ByteStorage": Uint8, "torch.BoolStorage": Bool,
	"torch.ComplexFloatStorage": Complex64, "torch.ComplexDoubleStorage": Complex128,
}

// Size is the bytes of one element, 0 for an unknown type.
func (d DType) Size() int64 {
	switch d {
	case Bool, Uint8, Int8:
		return 1
	case Int16, Float16, BFloat16:
		return 2
	case Int32, Float32:
		return 4
	case Int64, Float64, Complex64:
		return 8
	case Complex128:
		return 16
	}
	return 0
}

// storage is a record of the archive that tensors are views of.
type storage struct {
	key   string
	dtype DType
	numel int64
}

// Tensor describes a tensor. [File.Read] returns its bytes.
type Tensor struct {
	DType  DType
	Shape  []int64 // empty for a scalar; do not change it
	Stride []int64 // in elements, as many as Shape has
	// RequiresGrad is true for what Python would train.
	RequiresGrad bool

	storage *storage
	offset  int64 // in elements
}

// Numel is the number of elements.
func (t *Tensor) Numel() int64 {
	n := int64(1)
	for _, d := range t.Shape {
		n *= d // no overflow: view checked it
	}
	return n
}

// Bytes is the size of the elements, as [File.Read] returns them. It may be more than the file has: a tensor may show one
// element many times.
func (t *Tensor) Bytes() int64 { return t.Numel() * t.DType.Size() }

const maxDims = 64

// view describes a tensor in a storage and checks that it lies within.
func view(s *storage, offset int64, shape, stride []int64, grad bool) (*Tensor, error) {
	if len(shape) > maxDims || len(stride) != len(shape) {
		return nil, malformed("tensor with %d sizes and %d strides", len(shape), len(stride))
	}
	numel, last := int64(1), offset // last element that is shown
	for i, n := range shape {
		if n < 0 || stride[i] < 0 {
			return nil, malformed("tensor with size %d and stride %d", n, stride[i])
		}
		if n > 0 && numel > math.MaxInt64/16/n {
			return nil, malformed("tensor of shape %v: too many elements", shape)
		}
		numel *= n
		if n > 1 {
			if stride[i] > (math.MaxInt64-last)/(n-1) {
				return nil, malformed("tensor of shape %v and strides %v: too far apart", shape, stride)
			}
			last += (n - 1) * stride[i]
		}
	}
	if offset < 0 || numel > 0 && last >= s.numel {
		return nil, malformed("tensor of shape %v at %d, strides %v: outside its storage of %d elements", shape, offset, stride,
			s.numel)
	}
	return &Tensor{DType: s.dtype, Shape: shape, Stride: stride, RequiresGrad: grad, storage: s, offset: offset}, nil
}

// contiguous tells whether the elements lie one after the other.
func (t *Tensor) contiguous() bool {
	want := int64(1)
	for i := len(t.Shape) - 1; i >= 0; i-- {
		if t.Shape[i] != 1 && t.Stride[i] != want {
			return false
		}
		want *= t.Shape[i]
	}
	return true
}

// gather writes the elements of t in row-major order. src is the whole storage.
func (t *Tensor) gather(dst, src []byte) {
	size := t.DType.Size()
	if t.contiguous() {
		copy(dst, src[t.offset*size:])
		return
	}
	at := make([]int64, len(t.Shape))
	from := t.offset
	for to := int64(0); to < int64(len(dst)); to += size {
		copy(dst[to:to+size], src[from*size:])
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < t.Shape[i] {
				from += t.Stride[i]
				break
			}
			from -= (t.Shape[i] - 1) * t.Stride[i]
			at[i] = 0
		}
	}
}
