package nn

import "github.com/tigas-train/tigas-train/cgo/torch"

// defaultEps is what PyTorch's norms add to the variance.
const defaultEps = 1e-5

// BatchNorm2d normalises each channel of x [N, C, H, W] over the batch and all positions (Ioffe and Szegedy 2015, arXiv
// 1502.03167). In training it uses the batch's statistics and moves the running ones towards them by Momentum; in
// evaluation mode it uses those.
type BatchNorm2d struct {
	Weight      *torch.Tensor `torch:"weight"`                     // [C], ones at first
	Bias        *torch.Tensor `torch:"bias"`                       // [C], zeros at first
	RunningMean *torch.Tensor `torch:"running_mean,buffer"`        // [C], zeros at first
	RunningVar  *torch.Tensor `torch:"running_var,buffer"`         // [C], unbiased, ones at first
	NumBatches  *torch.Tensor `torch:"num_batches_tracked,buffer"` // int64 scalar
	Training    bool
	Momentum    float64 // weight of the new batch in the running statistics, 0.1 as in PyTorch
	Eps         float64 // 1e-5
}

// NewBatchNorm2d makes the layer for c channels, in training mode.
func NewBatchNorm2d(b Builder, c int64) *BatchNorm2d {
	l := &BatchNorm2d{
		Weight: b.Param(c), Bias: b.Param(c), RunningMean: b.Buffer(0, c), RunningVar: b.Buffer(1, c),
		NumBatches: b.Scope.Zeros([]int64{}, torch.Options{DType: torch.Int64, Device: b.Device}),
		Training:   true, Momentum: 0.1, Eps: defaultEps,
	}
	b.Constant(l.Weight, 1)
	return l
}

// Forward returns x normalised, [N, C, H, W]. In training it panics when there is only one value per channel.
func (l *BatchNorm2d) Forward(x *torch.Tensor) *torch.Tensor {
	if l.Training {
		torch.Call("aten::add_.Scalar", l.NumBatches, 1) // an int: a float would change the type
	}
	return x.BatchNorm(l.Weight, l.Bias, l.RunningMean, l.RunningVar, l.Training, l.Momentum, l.Eps)
}

// SetTraining implements [Trainable].
func (l *BatchNorm2d) SetTraining(on bool) { l.Training = on }

// LayerNorm normalises each sample over its last dimensions (Ba et al. 2016, arXiv 1607.06450).
type LayerNorm struct {
	Weight *torch.Tensor `torch:"weight"` // [shape...], ones at first
	Bias   *torch.Tensor `torch:"bias"`   // [shape...], zeros at first
	Eps    float64       // 1e-5
	shape  []int64
}

// NewLayerNorm makes the layer for inputs [..., shape...].
func NewLayerNorm(b Builder, shape ...int64) *LayerNorm {
	l := &LayerNorm{Weight: b.Param(shape...), Bias: b.Param(shape...), Eps: defaultEps, shape: shape}
	b.Constant(l.Weight, 1)
	return l
}

// Forward returns x normalised, of the same shape. It panics when x does not end with the layer's shape.
func (l *LayerNorm) Forward(x *torch.Tensor) *torch.Tensor {
	return x.LayerNorm(l.shape, l.Weight, l.Bias, l.Eps)
}

// GroupNorm normalises each image over groups of channels and all positions (Wu and He 2018, arXiv 1803.08494); with one
// group it is the layer norm of images of any size, with as many as channels the instance norm.
type GroupNorm struct {
	Weight *torch.Tensor `torch:"weight"` // [C], ones at first
	Bias   *torch.Tensor `torch:"bias"`   // [C], zeros at first
	Eps    float64       // 1e-5
	groups int64
}

// NewGroupNorm makes the layer for c channels; groups must divide c.
func NewGroupNorm(b Builder, groups, c int64) *GroupNorm {
	l := &GroupNorm{Weight: b.Param(c), Bias: b.Param(c), Eps: defaultEps, groups: groups}
	b.Constant(l.Weight, 1)
	return l
}

// Forward returns x normalised, [N, C, ...], in the type of the weights, which is what autocast makes of it on a GPU; on a CPU it
// does not know the operator. It panics on another number of channels.
func (l *GroupNorm) Forward(x *torch.Tensor) *torch.Tensor {
	if t := l.Weight.DType(); x.DType() != t {
		x = x.To(t)
	}
	return x.GroupNorm(l.groups, l.Weight, l.Bias, l.Eps)
}
