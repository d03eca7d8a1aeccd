package nn

import "github.com/tigas-train/tigas-train/cgo/torch"

// LinearOptions are the settings of a linear layer. The zero value: with a bias.
type LinearOptions struct {
	NoBias bool
}

// Linear is y = x Wᵀ + b for x [..., in].
type Linear struct {
	Weight *torch.Tensor `torch:"weight"` // [out, in]
	Bias   *torch.Tensor `torch:"bias"`   // [out], nil without
}

// NewLinear makes the layer with PyTorch's initial values. Of the options, at most one may be given.
func NewLinear(b Builder, in, out int64, o ...LinearOptions) *Linear {
	l := &Linear{Weight: b.Param(out, in)}
	if len(o) == 0 || !o[0].NoBias {
		l.Bias = b.Param(out)
	}
	b.Default(l.Weight, l.Bias)
	return l
}

// Forward returns [..., out]. It panics when x does not end with in.
func (l *Linear) Forward(x *torch.Tensor) *torch.Tensor { return x.Linear(l.Weight, l.Bias) }
