package nn

import "github.com/tigas-train/tigas-train/cgo/torch"

// Linear is y = x Wᵀ + b for x [..., in].
type Linear struct {
	Weight *torch.Tensor `torch:"weight"` // [out, in]
	Bias   *torch.Tensor `torch:"bias"`   // [out]
}

// NewLinear makes the layer with PyTorch's initial values.
func NewLinear(b Builder, in, out int64) *Linear {
	l := &Linear{Weight: b.Param(out, in), Bias: b.Param(out)}
	b.Default(l.Weight, l.Bias)
	return l
}

// Forward returns [..., out].
func (l *Linear) Forward(x *torch.Tensor) *torch.Tensor { return x.Linear(l.Weight, l.Bias) }
