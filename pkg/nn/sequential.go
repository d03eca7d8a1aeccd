package nn

import "github.com/tigas-train/tigas-train/cgo/torch"

// Sequential applies layers one after the other. Its children's names are their indices.
type Sequential []Layer

// Forward returns the last layer's result.
func (l Sequential) Forward(x *torch.Tensor) *torch.Tensor {
	for _, m := range l {
		x = m.Forward(x)
	}
	return x
}

// Func is a function as a layer, without tensors of its own.
type Func func(x *torch.Tensor) *torch.Tensor

// Forward calls f.
func (f Func) Forward(x *torch.Tensor) *torch.Tensor { return f(x) }

// Activations and reshapes as layers. Each has an index of its own in a [Sequential], as in PyTorch.
var (
	ReLU    = Func((*torch.Tensor).ReLU)
	Tanh    = Func((*torch.Tensor).Tanh)
	Sigmoid = Func((*torch.Tensor).Sigmoid)
	SiLU    = Func((*torch.Tensor).SiLU)
	Flatten = Func(func(x *torch.Tensor) *torch.Tensor { return x.Flatten(1) })
	// Upsample doubles height and width by copying pixels.
	Upsample = Func(func(x *torch.Tensor) *torch.Tensor { return x.UpsampleNearest2d(2*x.Size(2), 2*x.Size(3)) })
	// AvgPool halves height and width by averaging.
	AvgPool = Func(func(x *torch.Tensor) *torch.Tensor { return x.AvgPool2d(2) })
)

// LeakyReLU returns the activation with the given slope below zero.
func LeakyReLU(slope float64) Layer {
	return Func(func(x *torch.Tensor) *torch.Tensor { return x.LeakyReLU(slope) })
}
