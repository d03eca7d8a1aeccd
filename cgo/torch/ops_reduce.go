package torch

// Sum adds all elements to a scalar; integers and bools give int64.
func (t *Tensor) Sum() *Tensor { return opSum.call1(t) }

// Mean averages all elements to a scalar; NaN for none. It panics unless they are floats.
func (t *Tensor) Mean() *Tensor { return opMean.call1(t) }

// SumDim adds over dims; keep leaves them with size 1.
func (t *Tensor) SumDim(dims []int64, keep bool) *Tensor { return opSumDim.call1(t, dims, keep) }

// MeanDim averages over dims; keep leaves them with size 1.
func (t *Tensor) MeanDim(dims []int64, keep bool) *Tensor { return opMeanDim.call1(t, dims, keep) }

// VarDim is the variance over dims, divided by N-1 if unbiased, by N otherwise.
func (t *Tensor) VarDim(dims []int64, unbiased, keep bool) *Tensor {
	return opVarDim.call1(t, dims, unbiased, keep)
}

// Std is the standard deviation of all elements.
func (t *Tensor) Std(unbiased bool) *Tensor { return opStd.call1(t, unbiased) }

// Norm is the Euclidean norm of all elements.
func (t *Tensor) Norm() *Tensor { return opNorm.call1(t, 2) }

// Max is the largest element, a scalar; NaN if one is. It panics if there are none.
func (t *Tensor) Max() *Tensor { return opMax.call1(t) }

// Min is the smallest element, a scalar; NaN if one is. It panics if there are none.
func (t *Tensor) Min() *Tensor { return opMin.call1(t) }

// AMax is the largest element over dims; the gradient is shared among equal ones.
func (t *Tensor) AMax(dims []int64, keep bool) *Tensor { return opAMax.call1(t, dims, keep) }

// AMin is the smallest element over dims; the gradient is shared among equal ones.
func (t *Tensor) AMin(dims []int64, keep bool) *Tensor { return opAMin.call1(t, dims, keep) }

// Argmax is the index of the largest element along dim, int64.
func (t *Tensor) Argmax(dim int64) *Tensor { return opArgmax.call1(t, dim) }

// Argsort returns the indices that sort along dim, int64.
func (t *Tensor) Argsort(dim int64, descending bool) *Tensor {
	return opArgsort.call1(t, dim, descending)
}

// All tells, as a bool scalar, whether no element is zero.
func (t *Tensor) All() *Tensor { return opAll.call1(t) }

// Any tells, as a bool scalar, whether some element is not zero.
func (t *Tensor) Any() *Tensor { return opAny.call1(t) }

// Softmax returns e^t normalised to sum 1 along dim.
func (t *Tensor) Softmax(dim int64) *Tensor { return opSoftmax.call1(t, dim) }

// LogSoftmax returns log(softmax(t)) without overflow.
func (t *Tensor) LogSoftmax(dim int64) *Tensor { return opLogSoftmax.call1(t, dim) }

var (
	opSum        = op("aten::sum")
	opMean       = op("aten::mean")
	opSumDim     = op("aten::sum.dim_IntList")
	opMeanDim    = op("aten::mean.dim")
	opVarDim     = op("aten::var.dim")
	opStd        = op("aten::std")
	opNorm       = op("aten::norm.Scalar")
	opMax        = op("aten::max")
	opMin        = op("aten::min")
	opAMax       = op("aten::amax")
	opAMin       = op("aten::amin")
	opArgmax     = op("aten::argmax")
	opArgsort    = op("aten::argsort")
	opAll        = op("aten::all")
	opAny        = op("aten::any")
	opSoftmax    = op("aten::softmax.int")
	opLogSoftmax = op("aten::log_softmax.int")
)
