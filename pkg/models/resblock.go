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
		C1: xavierConv(b, in, out), C2: xavierConv(b, out, out),
		B1: nn.NewBatchNorm2d(b, in), B2: nn.NewBatchNorm2d(b, out),
		Shortcut: nn.NewConv2d(b, in, out, 1, nn.Conv2dOptions{}),
	}
}

// Forward maps [N, in, H, W] to [N, out, 2H, 2W].
func (u *upBlock) Forward(x *torch.Tensor) *torch.Tensor {
	y := u.C1.Forward(double(u.B1.Forward(x).ReLU()))
	y = u.C2.Forward(u.B2.Forward(y).ReLU())
	// A 1x1 convolution and interpolation commute, and this order is four times cheaper.
	return y.Add(double(u.Shortcut.Forward(x)))
}

// double is bilinear. On a GPU it wants channels last: with channels first one thread goes through all channels of a pixel, which
// takes 12 ms for [64, 1024, 4, 4] on an H200, a hundred times as long.
func double(x *torch.Tensor) *torch.Tensor {
	if x.Device().IsCUDA() {
		const channelsLast = 2
		x = torch.Call("aten::contiguous", x, channelsLast)
	}
	return x.Resize(2*x.Size(2), 2*x.Size(3), false)
}

// downBlock is norm-ReLU-conv-norm-ReLU-conv-pool beside conv1x1-pool. The first one of a critic sees the image itself: it
// has no ReLU before the first convolution, and no norms. The paper has layer norms; Mimicry leaves them out because its
// scores are the same without.
type downBlock struct {
	C1, C2   *nn.Conv2d
	N1       nn.Layer   `torch:"norm1"` // nil without norm
	N2       nn.Layer   `torch:"norm2"`
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
		C1: xavierConv(b, in, hidden), C2: xavierConv(b, hidden, out), down: down, first: first,
	}
	if !first {
		d.N1, d.N2 = norm(b, normName, in), norm(b, normName, hidden)
	}
	if in != out || down {
		d.Shortcut = nn.NewConv2d(b, in, out, 1, nn.Conv2dOptions{})
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

// xavierConv is a 3 x 3 convolution that keeps the size, with the weights of Glorot and Bengio for ReLU and PyTorch's
// initial bias, as in Mimicry; shortcuts keep PyTorch's weights too.
func xavierConv(b nn.Builder, in, out int64) *nn.Conv2d {
	l := nn.NewConv2d(b, in, out, 3, nn.Conv2dOptions{Padding: 1})
	b.XavierUniform(l.Weight, math.Sqrt2)
	return l
}
