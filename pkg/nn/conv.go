package nn

import "github.com/tigas-train/tigas-train/cgo/torch"

// Conv2dOptions are the settings of a convolution. The zero value: stride 1, no padding, with a bias.
type Conv2dOptions struct {
	Stride, Padding int64
	OutputPadding   int64 // ConvTranspose2d only
	NoBias          bool
}

func (o Conv2dOptions) conv() torch.ConvOptions {
	return torch.ConvOptions{Stride: o.Stride, Padding: o.Padding, OutputPadding: o.OutputPadding}
}

// Conv2d is a two-dimensional convolution of x [N, in, H, W].
type Conv2d struct {
	Weight *torch.Tensor `torch:"weight"` // [out, in, k, k]
	Bias   *torch.Tensor `torch:"bias"`   // [out], nil without
	o      torch.ConvOptions
}

// NewConv2d makes the layer with PyTorch's initial values.
func NewConv2d(b Builder, in, out, kernel int64, o Conv2dOptions) *Conv2d {
	l := &Conv2d{Weight: b.Param(out, in, kernel, kernel), o: o.conv()}
	if !o.NoBias {
		l.Bias = b.Param(out)
	}
	b.Default(l.Weight, l.Bias)
	return l
}

// Forward returns [N, out, H', W'].
func (l *Conv2d) Forward(x *torch.Tensor) *torch.Tensor { return x.Conv2d(l.Weight, l.Bias, l.o) }

// ConvTranspose2d is the transpose of a convolution, of x [N, in, H, W].
type ConvTranspose2d struct {
	Weight *torch.Tensor `torch:"weight"` // [in, out, k, k]
	Bias   *torch.Tensor `torch:"bias"`   // [out], nil without
	o      torch.ConvOptions
}

// NewConvTranspose2d makes the layer with PyTorch's initial values.
func NewConvTranspose2d(b Builder, in, out, kernel int64, o Conv2dOptions) *ConvTranspose2d {
	l := &ConvTranspose2d{Weight: b.Param(in, out, kernel, kernel), o: o.conv()}
	if !o.NoBias {
		l.Bias = b.Param(out)
	}
	b.Default(l.Weight, l.Bias)
	return l
}

// Forward returns [N, out, H', W'].
func (l *ConvTranspose2d) Forward(x *torch.Tensor) *torch.Tensor {
	return x.ConvTranspose2d(l.Weight, l.Bias, l.o)
}
