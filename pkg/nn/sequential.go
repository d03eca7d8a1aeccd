package nn

import "github.com/tigas-train/tigas-train/cgo/torch"

// Layer is a module that maps one tensor to one tensor.
type Layer interface {
	Forward(x *torch.Tensor) *torch.Tensor
}

// Sequential applies layers one after the other. Its children's names are their indices: layers without tensors count
// too, so [Conv, BatchNorm, ReLU] gives 0.weight, 1.weight, as in PyTorch.
type Sequential []Layer

// Forward returns the last layer's result; x itself if there are no layers.
func (l Sequential) Forward(x *torch.Tensor) *torch.Tensor {
	for _, m := range l {
		x = m.Forward(x)
	}
	return x
}
