package nn

import "github.com/tigas-train/tigas-train/cgo/torch"

// Func is a function as a layer, without tensors of its own.
type Func func(x *torch.Tensor) *torch.Tensor

// Forward calls f.
func (f Func) Forward(x *torch.Tensor) *torch.Tensor { return f(x) }

// Activations and reshapes as layers, for any shape unless said otherwise. Each has an index of its own in a
// [Sequential], as in PyTorch.
var (
	Identity = Func(func(x *torch.Tensor) *torch.Tensor { return x })
	ReLU     = Func((*torch.Tensor).ReLU)
	Tanh     = Func((*torch.Tensor).Tanh)
	Sigmoid  = Func((*torch.Tensor).Sigmoid)
	SiLU     = Func((*torch.Tensor).SiLU)
	GELU     = Func((*torch.Tensor).GELU)
	// Flatten joins all dimensions but the first: [N, ...] to [N, D].
	Flatten = Func(func(x *torch.Tensor) *torch.Tensor { return x.Flatten(1) })
	// Upsample doubles height and width by copying pixels: [N, C, H, W] to [N, C, 2H, 2W].
	Upsample = Func(func(x *torch.Tensor) *torch.Tensor { return x.UpsampleNearest2d(2*x.Size(2), 2*x.Size(3)) })
)

// LeakyReLU returns the activation max(x, slope*x), for a slope from 0 to 1. DCGAN and StyleGAN2 use 0.2.
func LeakyReLU(slope float64) Layer {
	return Func(func(x *torch.Tensor) *torch.Tensor { return x.LeakyReLU(slope) })
}

// AvgPool2d returns the layer that averages k x k windows at distance k: [N, C, H, W] to [N, C, H/k, W/k], rounding down.
func AvgPool2d(k int64) Layer {
	return Func(func(x *torch.Tensor) *torch.Tensor { return x.AvgPool2d(k) })
}

// Dropout zeroes elements with probability P and scales the others by 1/(1-P); in evaluation mode it does nothing. It
// draws from libtorch's default generator: operators have no other way.
type Dropout struct {
	P        float64 // 0 <= P <= 1
	Training bool
}

// NewDropout makes the layer in training mode.
func NewDropout(p float64) *Dropout { return &Dropout{P: p, Training: true} }

// Forward returns a tensor of x's shape; it panics when P is not a probability.
func (l *Dropout) Forward(x *torch.Tensor) *torch.Tensor {
	if !l.Training {
		return x
	}
	return x.Dropout(l.P, true)
}

// SetTraining implements [Trainable].
func (l *Dropout) SetTraining(on bool) { l.Training = on }
