package nn

import "github.com/tigas-train/tigas-train/cgo/torch"

// Conv2dOptions are the settings of a convolution. The zero value is PyTorch's default: stride 1, no padding, dilation 1,
// one group, with a bias.
type Conv2dOptions struct {
	Stride        int64 // 0 means 1
	Padding       int64 // zeros around the image
	OutputPadding int64 // ConvTranspose2d only: rows and columns added at the far sides
	Dilation      int64 // 0 means 1
	Groups        int64 // 0 means 1
	NoBias        bool
}

func (o Conv2dOptions) conv() torch.ConvOptions {
	return torch.ConvOptions{
		Stride: o.Stride, Padding: o.Padding, OutputPadding: o.OutputPadding, Dilation: o.Dilation, Groups: o.Groups,
	}
}

// Conv2d is a two-dimensional convolution of x [N, in, H, W].
type Conv2d struct {
	Weight *torch.Tensor `torch:"weight"` // [out, in/groups, k, k]
	Bias   *torch.Tensor `torch:"bias"`   // [out], nil without
	o      torch.ConvOptions
}

// NewConv2d makes the layer with a k x k kernel and PyTorch's initial values. Groups must divide in and out.
func NewConv2d(b Builder, in, out, kernel int64, o Conv2dOptions) *Conv2d {
	l := &Conv2d{Weight: b.Param(out, in/max(1, o.Groups), kernel, kernel), o: o.conv()}
	if !o.NoBias {
		l.Bias = b.Param(out)
	}
	b.Default(l.Weight, l.Bias)
	return l
}

// Forward returns [N, out, H', W'] with H' = (H + 2 padding - dilation (k-1) - 1) / stride + 1, rounded down.
// It panics on another number of channels, and on an image smaller than the kernel.
func (l *Conv2d) Forward(x *torch.Tensor) *torch.Tensor { return x.Conv2d(l.Weight, l.Bias, l.o) }

// ConvTranspose2d is the transpose of a convolution, of x [N, in, H, W].
type ConvTranspose2d struct {
	Weight *torch.Tensor `torch:"weight"` // [in, out/groups, k, k]
	Bias   *torch.Tensor `torch:"bias"`   // [out], nil without
	o      torch.ConvOptions
}

// NewConvTranspose2d makes the layer with a k x k kernel and PyTorch's initial values. Groups must divide in and out.
func NewConvTranspose2d(b Builder, in, out, kernel int64, o Conv2dOptions) *ConvTranspose2d {
	l := &ConvTranspose2d{Weight: b.Param(in, out/max(1, o.Groups), kernel, kernel), o: o.conv()}
	if !o.NoBias {
		l.Bias = b.Param(out)
	}
	b.Default(l.Weight, l.Bias)
	return l
}

// Forward returns [N, out, H', W'] with H' = (H-1) stride - 2 padding + dilation (k-1) + output padding + 1.
// It panics on another number of channels.
func (l *ConvTranspose2d) Forward(x *torch.Tensor) *torch.Tensor {
	return x.ConvTranspose2d(l.Weight, l.Bias, l.o)
}
