package torch

// Reshape returns t with another shape, one size of which may be -1; it shares storage where it can.
func (t *Tensor) Reshape(shape ...int64) *Tensor { return opReshape.call1(t, shape) }

// Flatten joins the dimensions from the given one to the last.
func (t *Tensor) Flatten(from int64) *Tensor { return opFlatten.call1(t, from, -1) }

// Unsqueeze puts in a dimension of size 1.
func (t *Tensor) Unsqueeze(dim int64) *Tensor { return opUnsqueeze.call1(t, dim) }

// Squeeze takes out a dimension of size 1; it does nothing to one of another size.
func (t *Tensor) Squeeze(dim int64) *Tensor { return opSqueeze.call1(t, dim) }

// Transpose exchanges two dimensions; it shares storage.
func (t *Tensor) Transpose(a, b int64) *Tensor { return opTranspose.call1(t, a, b) }

// Permute reorders the dimensions; it shares storage.
func (t *Tensor) Permute(dims ...int64) *Tensor { return opPermute.call1(t, dims) }

// Expand repeats dimensions of size 1 without copying.
func (t *Tensor) Expand(shape ...int64) *Tensor { return opExpand.call1(t, shape) }

// ExpandAs is [Tensor.Expand] to the shape of o.
func (t *Tensor) ExpandAs(o *Tensor) *Tensor { return opExpandAs.call1(t, o) }

// Narrow is the part of t from start along dim; it shares storage.
func (t *Tensor) Narrow(dim, start, length int64) *Tensor {
	return opNarrow.call1(t, dim, start, length)
}

// Select is one entry along dim, which goes away; it shares storage.
func (t *Tensor) Select(dim, index int64) *Tensor { return opSelect.call1(t, dim, index) }

// IndexSelect gathers entries along dim by an int64 tensor of indices.
func (t *Tensor) IndexSelect(dim int64, index *Tensor) *Tensor {
	return opIndexSelect.call1(t, dim, index)
}

// Gather picks along dim, for every position of index, the entry that it names.
func (t *Tensor) Gather(dim int64, index *Tensor) *Tensor { return opGather.call1(t, dim, index) }

// Flip reverses the order of the entries along dimensions. It copies.
func (t *Tensor) Flip(dims ...int64) *Tensor { return opFlip.call1(t, dims) }

// Roll shifts cyclically: along dims[k] entry i goes to i + shifts[k].
func (t *Tensor) Roll(shifts, dims []int64) *Tensor { return opRoll.call1(t, shifts, dims) }

// Pad adds constant borders; pad holds left and right for the last dimension first.
func (t *Tensor) Pad(pad []int64, value float64) *Tensor { return opPad.call1(t, pad, value) }

// ReflectionPad2d mirrors the border: left, right, top, bottom. It panics unless there are four numbers, each less than
// the size that it extends.
func (t *Tensor) ReflectionPad2d(pad []int64) *Tensor {
	if len(pad) != 4 { // libtorch would read on behind the list
		panicf("ReflectionPad2d", nil, "got %d numbers vs left, right, top, bottom", len(pad))
	}
	return opReflectionPad2d.call1(t, pad)
}

// Cat joins tensors along an existing dimension. It panics if there are none.
func Cat(ts []*Tensor, dim int64) *Tensor { return opCat.call1(ts, dim) }

// Stack joins tensors of one shape along a new dimension. It panics if there are none.
func Stack(ts []*Tensor, dim int64) *Tensor { return opStack.call1(ts, dim) }

// Split cuts t along dim into parts of the given size, the last one may be smaller; they share storage.
func (t *Tensor) Split(size, dim int64) []*Tensor {
	return opSplit.callMulti(nil, []any{t, size, dim})[0].([]*Tensor)
}

// Unbind cuts t into its entries along dim, which goes away; they share storage.
func (t *Tensor) Unbind(dim int64) []*Tensor {
	return opUnbind.callMulti(nil, []any{t, dim})[0].([]*Tensor)
}

// SortValues returns t sorted along dim, and the indices.
func (t *Tensor) SortValues(dim int64, descending bool) (values, indices *Tensor) {
	r := opSort.callMulti(nil, []any{t, dim, descending})
	return r[0].(*Tensor), r[1].(*Tensor)
}

var (
	opCat    = op("aten::cat")
	opStack  = op("aten::stack")
	opSplit  = op("aten::split.Tensor")
	opUnbind = op("aten::unbind.int")
	opSort   = op("aten::sort")
)

var (
	opReshape         = op("aten::reshape")
	opFlatten         = op("aten::flatten.using_ints")
	opUnsqueeze       = op("aten::unsqueeze")
	opSqueeze         = op("aten::squeeze.dim")
	opTranspose       = op("aten::transpose.int")
	opPermute         = op("aten::permute")
	opExpand          = op("aten::expand")
	opExpandAs        = op("aten::expand_as")
	opNarrow          = op("aten::narrow")
	opSelect          = op("aten::select.int")
	opIndexSelect     = op("aten::index_select")
	opGather          = op("aten::gather")
	opFlip            = op("aten::flip")
	opRoll            = op("aten::roll")
	opPad             = op("aten::constant_pad_nd")
	opReflectionPad2d = op("aten::reflection_pad2d")
)
