package torchsave

import "math"

// storage is a record of the archive that tensors are views of.
type storage struct {
	key    string
	dtype  DType // "" if its tensors name their types
	bytes  int64
	handle *Opaque
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
		n *= d // no overflow: check is called before
	}
	return n
}

// Bytes is the size of the elements, as [File.Read] returns them. It may be more than the file has: a tensor may show one
// element many times. It is less than 1<<60.
func (t *Tensor) Bytes() int64 { return t.Numel() * t.DType.Size() }

const (
	maxDims  = 64
	maxNumel = 1 << 55
)

// check tells whether the elements lie within the storage.
func (t *Tensor) check() error {
	if len(t.Stride) != len(t.Shape) {
		return malformed("a tensor of %d sizes and %d strides", len(t.Shape), len(t.Stride))
	}
	if t.offset < 0 {
		return malformed("a tensor at %d of its storage", t.offset)
	}
	numel, last := int64(1), t.offset // last element that is shown
	for i, n := range t.Shape {
		stride := t.Stride[i]
		if n < 0 || stride < 0 {
			return malformed("a tensor with size %d and stride %d", n, stride)
		}
		if n > 0 && numel > maxNumel/n {
			return malformed("a tensor of shape %s: too many elements", brief(t.Shape))
		}
		numel *= n
		if n > 1 {
			if stride > (math.MaxInt64-last)/(n-1) {
				return malformed("a tensor of shape %s and strides %s: too far apart", brief(t.Shape), brief(t.Stride))
			}
			last += (n - 1) * stride
		}
	}
	if have := t.storage.bytes / t.DType.Size(); numel > 0 && last >= have {
		return malformed("a tensor of shape %s at %d, strides %s: outside its storage of %d elements", brief(t.Shape),
			t.offset, brief(t.Stride), have)
	}
	return nil
}
