package torch

// Element by element. Results join the innermost scope among the operands; gradients flow through all but comparisons.
// A number v is a float, so that tensors of integers become float32, as with 1.0 in Python.

// Add returns t + o, broadcasting. Of two element types the result has the one that holds both, as in PyTorch; so for all
// operators with two operands.
func (t *Tensor) Add(o *Tensor) *Tensor { return opAdd.call1(t, o) }

// Sub returns t - o, broadcasting; it panics on bools.
func (t *Tensor) Sub(o *Tensor) *Tensor { return opSub.call1(t, o) }

// Mul returns t * o element by element, broadcasting.
func (t *Tensor) Mul(o *Tensor) *Tensor { return opMul.call1(t, o) }

// Div returns t / o, broadcasting; integers give floats.
func (t *Tensor) Div(o *Tensor) *Tensor { return opDiv.call1(t, o) }

// Minimum returns the smaller of t and o, element by element.
func (t *Tensor) Minimum(o *Tensor) *Tensor { return opMinimum.call1(t, o) }

// Maximum returns the larger of t and o, element by element.
func (t *Tensor) Maximum(o *Tensor) *Tensor { return opMaximum.call1(t, o) }

// PowTensor returns t to the power o, element by element.
func (t *Tensor) PowTensor(o *Tensor) *Tensor { return opPowTensor.call1(t, o) }

// AddScalar returns t + v; tensors of integers give float32.
func (t *Tensor) AddScalar(v float64) *Tensor { return opAddScalar.call1(t, v) }

// SubScalar returns t - v; tensors of integers give float32.
func (t *Tensor) SubScalar(v float64) *Tensor { return opSubScalar.call1(t, v) }

// MulScalar returns t * v; tensors of integers give float32.
func (t *Tensor) MulScalar(v float64) *Tensor { return opMulScalar.call1(t, v) }

// DivScalar returns t / v; tensors of integers give float32.
func (t *Tensor) DivScalar(v float64) *Tensor { return opDivScalar.call1(t, v) }

// Pow returns t to the power v: NaN for negative elements and a v that is not whole.
func (t *Tensor) Pow(v float64) *Tensor { return opPow.call1(t, v) }

// RSubScalar returns v - t; tensors of integers give float32.
func (t *Tensor) RSubScalar(v float64) *Tensor { return opRSubScalar.call1(t, v) }

// Neg returns -t. It panics on a tensor of bools.
func (t *Tensor) Neg() *Tensor { return opNeg.call1(t) }

// Abs returns |t|, whose gradient at 0 is taken as 0.
func (t *Tensor) Abs() *Tensor { return opAbs.call1(t) }

// Exp returns e to the power t; in float32 it overflows to +Inf above 88.
func (t *Tensor) Exp() *Tensor { return opExp.call1(t) }

// Log returns the natural logarithm: -Inf at 0, NaN below.
func (t *Tensor) Log() *Tensor { return opLog.call1(t) }

// Log1p returns log(1+t), accurate for small t.
func (t *Tensor) Log1p() *Tensor { return opLog1p.call1(t) }

// Sqrt returns the square root; its gradient at 0 is infinite.
func (t *Tensor) Sqrt() *Tensor { return opSqrt.call1(t) }

// Rsqrt returns 1/sqrt(t): +Inf at 0, NaN below.
func (t *Tensor) Rsqrt() *Tensor { return opRsqrt.call1(t) }

// Square returns t², element by element.
func (t *Tensor) Square() *Tensor { return opSquare.call1(t) }

// Sin returns the sine of t, in radians.
func (t *Tensor) Sin() *Tensor { return opSin.call1(t) }

// Cos returns the cosine of t, in radians.
func (t *Tensor) Cos() *Tensor { return opCos.call1(t) }

// Sign returns -1, 0 or 1. Its gradient is 0.
func (t *Tensor) Sign() *Tensor { return opSign.call1(t) }

// Floor rounds down, towards -Inf. Its gradient is 0.
func (t *Tensor) Floor() *Tensor { return opFloor.call1(t) }

// Round rounds to the nearest integer, halves to even. Its gradient is 0.
func (t *Tensor) Round() *Tensor { return opRound.call1(t) }

// Tanh returns the hyperbolic tangent, from -1 to 1.
func (t *Tensor) Tanh() *Tensor { return opTanh.call1(t) }

// Sigmoid returns 1/(1+e^-t), from 0 to 1, without overflow.
func (t *Tensor) Sigmoid() *Tensor { return opSigmoid.call1(t) }

// ReLU returns max(t, 0), whose gradient at 0 is taken as 0.
func (t *Tensor) ReLU() *Tensor { return opReLU.call1(t) }

// SiLU returns t * sigmoid(t), also called swish.
func (t *Tensor) SiLU() *Tensor { return opSiLU.call1(t) }

// IsNaN marks elements that are NaN, in a tensor of bools.
func (t *Tensor) IsNaN() *Tensor { return opIsNaN.call1(t) }

// IsFinite marks elements that are neither NaN nor infinite, in a tensor of bools.
func (t *Tensor) IsFinite() *Tensor { return opIsFinite.call1(t) }

// LogicalNot marks elements that are zero, in a tensor of bools.
func (t *Tensor) LogicalNot() *Tensor { return opLogicalNot.call1(t) }

// LeakyReLU returns t where t > 0 and slope*t elsewhere.
func (t *Tensor) LeakyReLU(slope float64) *Tensor { return opLeakyReLU.call1(t, slope) }

// ELU returns t where t > 0 and alpha*(e^t - 1) elsewhere.
func (t *Tensor) ELU(alpha float64) *Tensor { return opELU.call1(t, alpha) }

// GELU returns t * Φ(t) with the exact normal distribution.
func (t *Tensor) GELU() *Tensor { return opGELU.call1(t) }

// Softplus returns log(1+e^t), linear above 20, so that it cannot overflow.
func (t *Tensor) Softplus() *Tensor { return opSoftplus.call1(t) }

// LogSigmoid returns log(sigmoid(t)) without overflow.
func (t *Tensor) LogSigmoid() *Tensor { return opLogSigmoid.call1(t) }

// Clamp limits t to [lo, hi]. The gradient is 1 inside and at the limits, 0 outside.
func (t *Tensor) Clamp(lo, hi float64) *Tensor { return opClamp.call1(t, lo, hi) }

// ClampMin returns max(t, lo). The gradient is 1 at the limit too, 0 below.
func (t *Tensor) ClampMin(lo float64) *Tensor { return opClampMin.call1(t, lo) }

// Lerp returns t + w*(o - t), broadcasting: t for w = 0, o for w = 1.
func (t *Tensor) Lerp(o *Tensor, w float64) *Tensor { return opLerp.call1(t, o, w) }

// LerpTensor returns t + w*(o - t) with a tensor of weights, broadcasting.
func (t *Tensor) LerpTensor(o, w *Tensor) *Tensor { return opLerpTensor.call1(t, o, w) }

// Eq marks where t == o, in a tensor of bools, broadcasting.
func (t *Tensor) Eq(o *Tensor) *Tensor { return opEq.call1(t, o) }

// Lt marks where t < o, in a tensor of bools, broadcasting.
func (t *Tensor) Lt(o *Tensor) *Tensor { return opLt.call1(t, o) }

// Gt marks where t > o, in a tensor of bools, broadcasting.
func (t *Tensor) Gt(o *Tensor) *Tensor { return opGt.call1(t, o) }

// EqScalar marks where t == v, in a tensor of bools.
func (t *Tensor) EqScalar(v float64) *Tensor { return opEqScalar.call1(t, v) }

// LtScalar marks where t < v, in a tensor of bools.
func (t *Tensor) LtScalar(v float64) *Tensor { return opLtScalar.call1(t, v) }

// GtScalar marks where t > v, in a tensor of bools.
func (t *Tensor) GtScalar(v float64) *Tensor { return opGtScalar.call1(t, v) }

// GeScalar marks where t >= v, in a tensor of bools.
func (t *Tensor) GeScalar(v float64) *Tensor { return opGeScalar.call1(t, v) }

// LeScalar marks where t <= v, in a tensor of bools.
func (t *Tensor) LeScalar(v float64) *Tensor { return opLeScalar.call1(t, v) }

// Where returns a where cond is true and b elsewhere, broadcasting.
func Where(cond, a, b *Tensor) *Tensor { return opWhere.call1(cond, a, b) }

var opWhere = op("aten::where.self")

var (
	opAdd        = op("aten::add.Tensor")
	opSub        = op("aten::sub.Tensor")
	opMul        = op("aten::mul.Tensor")
	opDiv        = op("aten::div.Tensor")
	opMinimum    = op("aten::minimum")
	opMaximum    = op("aten::maximum")
	opPowTensor  = op("aten::pow.Tensor_Tensor")
	opAddScalar  = op("aten::add.Scalar")
	opSubScalar  = op("aten::sub.Scalar")
	opMulScalar  = op("aten::mul.Scalar")
	opDivScalar  = op("aten::div.Scalar")
	opPow        = op("aten::pow.Tensor_Scalar")
	opRSubScalar = op("aten::rsub.Scalar")
	opNeg        = op("aten::neg")
	opAbs        = op("aten::abs")
	opExp        = op("aten::exp")
	opLog        = op("aten::log")
	opLog1p      = op("aten::log1p")
	opSqrt       = op("aten::sqrt")
	opRsqrt      = op("aten::rsqrt")
	opSquare     = op("aten::square")
	opSin        = op("aten::sin")
	opCos        = op("aten::cos")
	opSign       = op("aten::sign")
	opFloor      = op("aten::floor")
	opRound      = op("aten::round")
	opTanh       = op("aten::tanh")
	opSigmoid    = op("aten::sigmoid")
	opReLU       = op("aten::relu")
	opSiLU       = op("aten::silu")
	opIsNaN      = op("aten::isnan")
	opIsFinite   = op("aten::isfinite")
	opLogicalNot = op("aten::logical_not")
	opLeakyReLU  = op("aten::leaky_relu")
	opELU        = op("aten::elu")
	opGELU       = op("aten::gelu")
	opSoftplus   = op("aten::softplus")
	opLogSigmoid = op("aten::log_sigmoid")
	opClamp      = op("aten::clamp")
	opClampMin   = op("aten::clamp_min")
	opLerp       = op("aten::lerp.Scalar")
	opLerpTensor = op("aten::lerp.Tensor")
	opEq         = op("aten::eq.Tensor")
	opLt         = op("aten::lt.Tensor")
	opGt         = op("aten::gt.Tensor")
	opEqScalar   = op("aten::eq.Scalar")
	opLtScalar   = op("aten::lt.Scalar")
	opGtScalar   = op("aten::gt.Scalar")
	opGeScalar   = op("aten::ge.Scalar")
	opLeScalar   = op("aten::le.Scalar")
)
