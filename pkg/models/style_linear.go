package models

import (
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// The activation of StyleGAN2 is leaky ReLU with slope 0.2 times sqrt(2), which keeps the second moment of what goes in.
// A positive factor passes through a leaky ReLU, so layers multiply their small tensors (bias, demodulation) by it and not
// the feature maps.
const (
	styleSlope = 0.2
	styleGain  = math.Sqrt2
)

// styleLinear is a fully connected layer with equalised learning rate (Karras et al. 2017, arXiv 1710.10196, section
// 4.1): weights are kept with deviation 1 and multiplied by He's constant at run time, so that Adam moves all layers at
// one speed. A multiplier m slows a layer down: its weights are kept with deviation 1/m and multiplied by m.
type styleLinear struct {
	Weight *torch.Tensor `torch:"weight"` // [out, in]
	Bias   *torch.Tensor `torch:"bias"`   // [out]
	weight float64       // factor of the weights at run time: m / sqrt(in)
	bias   float64       // factor of the bias: m
}

func newStyleLinear(b nn.Builder, in, out int64, multiplier, bias float64) *styleLinear {
	l := &styleLinear{
		Weight: b.Param(out, in), Bias: b.Param(out), weight: multiplier / math.Sqrt(float64(in)), bias: multiplier,
	}
	b.Normal(l.Weight, 0, 1/multiplier)
	b.Constant(l.Bias, bias/multiplier)
	return l
}

// times returns gain * (x Wᵀ + b) for x [N, in].
func (l *styleLinear) times(x *torch.Tensor, gain float64) *torch.Tensor {
	w := x.Scope().Use(l.Weight).Transpose(0, 1)
	return torch.Call("aten::addmm", l.Bias, x, w, gain*l.bias, gain*l.weight)
}

// activated returns the activation of x Wᵀ + b.
func (l *styleLinear) activated(x *torch.Tensor) *torch.Tensor {
	return l.times(x, styleGain).LeakyReLU(styleSlope)
}
