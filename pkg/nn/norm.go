package nn

import "github.com/tigas-train/tigas-train/cgo/torch"

// BatchNorm2d normalises each channel of x [N, C, H, W] over the batch and all positions. In training it uses the batch's
// statistics and moves the running ones towards them by Momentum; in evaluation mode it uses those.
type BatchNorm2d struct {
	Weight      *torch.Tensor `torch:"weight"`
	Bias        *torch.Tensor `torch:"bias"`
	RunningMean *torch.Tensor `torch:"running_mean,buffer"`
	RunningVar  *torch.Tensor `torch:"running_var,buffer"`
	NumBatches  *torch.Tensor `torch:"num_batches_tracked,buffer"` // int64 scalar
	Training    bool
	Momentum    float64 // 0.1 as in PyTorch
	Eps         float64 // 1e-5
}

// NewBatchNorm2d makes the layer for c channels, in training mode.
func NewBatchNorm2d(b Builder, c int64) *BatchNorm2d {
	l := &BatchNorm2d{
		Weight: b.Param(c), Bias: b.Param(c), RunningMean: b.Buffer(0, c), RunningVar: b.Buffer(1, c),
		NumBatches: b.Scope.Zeros([]int64{}, torch.Options{DType: torch.Int64, Device: b.Device}),
		Training:   true, Momentum: 0.1, Eps: 1e-5,
	}
	b.Constant(l.Weight, 1)
	return l
}

// Forward returns x normalised, [N, C, H, W].
func (l *BatchNorm2d) Forward(x *torch.Tensor) *torch.Tensor {
	if l.Training {
		torch.Call("aten::add_.Scalar", l.NumBatches, 1) // an int: a float would change the type
	}
	return x.BatchNorm(l.Weight, l.Bias, l.RunningMean, l.RunningVar, l.Training, l.Momentum, l.Eps)
}

func (l *BatchNorm2d) train(on bool) { l.Training = on }

// LayerNorm normalises over the last dimensions.
type LayerNorm struct {
	Weight *torch.Tensor `torch:"weight"`
	Bias   *torch.Tensor `torch:"bias"`
	shape  []int64
}

// NewLayerNorm makes the layer for inputs [..., shape...].
func NewLayerNorm(b Builder, shape ...int64) *LayerNorm {
	l := &LayerNorm{Weight: b.Param(shape...), Bias: b.Param(shape...), shape: shape}
	b.Constant(l.Weight, 1)
	return l
}

// Forward returns x normalised, of the same shape.
func (l *LayerNorm) Forward(x *torch.Tensor) *torch.Tensor {
	return x.LayerNorm(l.shape, l.Weight, l.Bias, 1e-5)
}

// GroupNorm normalises each image over groups of channels and all positions; with one group it is the layer norm of
// images of any size.
type GroupNorm struct {
	Weight *torch.Tensor `torch:"weight"`
	Bias   *torch.Tensor `torch:"bias"`
	groups int64
}

// NewGroupNorm makes the layer for c channels in groups.
func NewGroupNorm(b Builder, groups, c int64) *GroupNorm {
	l := &GroupNorm{Weight: b.Param(c), Bias: b.Param(c), groups: groups}
	b.Constant(l.Weight, 1)
	return l
}

// Forward returns x normalised, [N, C, ...].
func (l *GroupNorm) Forward(x *torch.Tensor) *torch.Tensor {
	return x.GroupNorm(l.groups, l.Weight, l.Bias, 1e-5)
}
