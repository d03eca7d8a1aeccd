package torch

// In-place operations change t and return it; no tensor is made. A trailing underscore marks them, as in PyTorch.
// They panic on a leaf that requires grad outside NoGrad.

// Add_ adds o to t; o may be broadcast, t keeps its shape and type.
func (t *Tensor) Add_(o *Tensor) *Tensor { return opAddInPlace.call1(t, o) }

// Sub_ subtracts o from t; o may be broadcast.
func (t *Tensor) Sub_(o *Tensor) *Tensor { return opSubInPlace.call1(t, o) }

// Mul_ multiplies t by o, element by element; o may be broadcast.
func (t *Tensor) Mul_(o *Tensor) *Tensor { return opMulInPlace.call1(t, o) }

// Div_ divides t by o, element by element; o may be broadcast.
func (t *Tensor) Div_(o *Tensor) *Tensor { return opDivInPlace.call1(t, o) }

// AddScalar_ adds v to t. It panics on integers, which cannot hold the result.
func (t *Tensor) AddScalar_(v float64) *Tensor { return opAddScalarInPlace.call1(t, v) }

// MulScalar_ multiplies t by v. It panics on integers, which cannot hold the result.
func (t *Tensor) MulScalar_(v float64) *Tensor { return opMulScalarInPlace.call1(t, v) }

// Zero_ sets every element to 0, whatever it was.
func (t *Tensor) Zero_() *Tensor { return opZeroInPlace.call1(t) }

// Fill_ sets every element to v, converted to t's type.
func (t *Tensor) Fill_(v float64) *Tensor { return opFillInPlace.call1(t, v) }

// Copy_ copies o's elements to t, converting and broadcasting.
func (t *Tensor) Copy_(o *Tensor) *Tensor { return opCopyInPlace.call1(t, o) }

// Clamp_ limits every element of t to [lo, hi].
func (t *Tensor) Clamp_(lo, hi float64) *Tensor { return opClampInPlace.call1(t, lo, hi) }

// Lerp_ moves t by w towards o: t + w*(o - t).
func (t *Tensor) Lerp_(o *Tensor, w float64) *Tensor { return opLerpInPlace.call1(t, o, w) }

// Normal_ draws every element from a normal distribution. g may be nil for the default generator.
func (t *Tensor) Normal_(mean, std float64, g *Generator) *Tensor {
	return opNormalInPlace.call1(t, mean, std, g)
}

// Uniform_ draws every element uniformly from [lo, hi). g may be nil for the default generator.
func (t *Tensor) Uniform_(lo, hi float64, g *Generator) *Tensor {
	return opUniformInPlace.call1(t, lo, hi, g)
}

var (
	opAddInPlace       = op("aten::add_.Tensor")
	opSubInPlace       = op("aten::sub_.Tensor")
	opMulInPlace       = op("aten::mul_.Tensor")
	opDivInPlace       = op("aten::div_.Tensor")
	opAddScalarInPlace = op("aten::add_.Scalar")
	opMulScalarInPlace = op("aten::mul_.Scalar")
	opZeroInPlace      = op("aten::zero_")
	opFillInPlace      = op("aten::fill_.Scalar")
	opCopyInPlace      = op("aten::copy_")
	opClampInPlace     = op("aten::clamp_")
	opLerpInPlace      = op("aten::lerp_.Scalar")
	opNormalInPlace    = op("aten::normal_")
	opUniformInPlace   = op("aten::uniform_")
)
