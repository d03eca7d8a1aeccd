package models

import (
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// upBlock doubles the size: BN-ReLU-up-conv-BN-ReLU-conv beside up-conv1x1. Up is bilinear, as in Mimicry; the paper
// copies pixels.
type upBlock struct {
	C1, C2   *nn.Conv2d
	B1, B2   *nn.BatchNorm2d
	Shortcut *nn.Conv2d `torch:"c_sc"`
}

func newUpBlock(b nn.Builder, in, out int64) *upBlock {
	return &upBlock{
		C1: xavierConv(b, in, out, 3, math.Sqrt2), C2: xavierConv(b, out, out, 3, math.Sqrt2),
		B1: nn.NewBatchNorm2d(b, in), B2: nn.NewBatchNorm2d(b, out),
		Shortcut: xavierConv(b, in, out, 1, 1),
	}
}

// Forward maps [N, in, H, W] to [N, out, 2H, 2W].
func (u *upBlock) Forward(x *torch.Tensor) *torch.Tensor {
	y := u.C1.Forward(double(u.B1.Forward(x).ReLU()))
	y = u.C2.Forward(u.B2.Forward(y).ReLU())
	// A 1x1 convolution and interpolation commute, and this order is four times cheaper.
	return y.Add(double(u.Shortcut.Forward(x)))
}

func double(x *torch.Tensor) *torch.Tensor { return x.Resize(2*x.Size(2), 2*x.Size(3), false) }

// downBlock is norm-ReLU-conv-norm-ReLU-conv-pool beside conv1x1-pool; the first one of a critic sees the image itself,
// so it has neither norm nor ReLU before the first convolution.
type downBlock struct {
	C1, C2   *nn.Conv2d
	N1, N2   nn.Layer   // nil without norm
	Shortcut *nn.Conv2d `torch:"c_sc"` // nil when the block keeps width and size
	down     bool
	first    bool
}

func newDownBlock(b nn.Builder, normName string, in, out int64, down, first bool) *downBlock {
	hidden := in
	if first {
		hidden = out
	}
	d := &downBlock{
		C1: xavierConv(b, in, hidden, 3, math.Sqrt2), C2: xavierConv(b, hidden, out, 3, math.Sqrt2),
		N2: norm(b, normName, hidden), down: down, first: first,
	}
	if !first {
		d.N1 = norm(b, normName, in)
	}
	if in != out || down {
		d.Shortcut = xavierConv(b, in, out, 1, 1)
	}
	return d
}

// Forward maps [N, in, H, W] to [N, out, H/2, W/2], or to the same size.
func (d *downBlock) Forward(x *torch.Tensor) *torch.Tensor {
	y := x
	if d.N1 != nil {
		y = d.N1.Forward(y)
	}
	if !d.first {
		y = y.ReLU()
	}
	y = d.C1.Forward(y)
	if d.N2 != nil {
		y = d.N2.Forward(y)
	}
	y = d.C2.Forward(y.ReLU())
	if d.down {
		y = y.AvgPool2d(2)
	}
	if d.Shortcut == nil {
		return y.Add(x)
	}
	if d.down {
		x = x.AvgPool2d(2) // a 1x1 convolution and the mean commute, and this order is four times cheaper
	}
	return y.Add(d.Shortcut.Forward(x))
}

// xavierConv has the weights of Glorot and Bengio, and PyTorch's initial bias, as in Mimicry.
func xavierConv(b nn.Builder, in, out, k int64, gain float64) *nn.Conv2d {
	l := nn.NewConv2d(b, in, out, k, nn.Conv2dOptions{Padding: k / 2})
	b.XavierUniform(l.Weight, gain)
	return l
}
