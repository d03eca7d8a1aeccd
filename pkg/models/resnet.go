package models

import (
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// ResNetGenerator is the residual generator of Gulrajani et al. 2017 (arXiv 1704.00028, appendix): blocks that double the
// size, all of one width at 32 pixels and halving from 512 at 128, as in the reproduction of Lee and Town 2020
// (Mimicry).
type ResNetGenerator struct {
	L1     *nn.Linear      `torch:"l1"`
	Blocks []*upBlock      `torch:"blocks"`
	Norm   *nn.BatchNorm2d `torch:"norm"`
	Conv   *nn.Conv2d      `torch:"conv"`
}

// widths are the channels after the first layer and after each block.
func resnetWidths(base, resolution int) []int64 {
	// Three blocks at 32, one more at each doubling; the width halves towards the image, except at 32.
	n := int(math.Log2(float64(resolution / 4)))
	w := make([]int64, n+1)
	for i := range w {
		w[i] = int64(base)
		if resolution > 32 {
			w[i] = int64(base) << min(n-i, 4)
		}
	}
	return w
}

func newResNetGenerator(b nn.Builder, c Config) *ResNetGenerator {
	w := resnetWidths(c.Ngf, c.Resolution)
	g := &ResNetGenerator{L1: nn.NewLinear(b, int64(c.Latent), w[0]*16)}
	b.XavierUniform(g.L1.Weight, 1)
	for i := 1; i < len(w); i++ {
		g.Blocks = append(g.Blocks, newUpBlock(b, w[i-1], w[i]))
	}
	last := w[len(w)-1]
	g.Norm = nn.NewBatchNorm2d(b, last)
	g.Conv = xavierConv(b, last, 3, 3, 1)
	return g
}

// Forward returns images [N, 3, R, R] in [-1, 1].
func (g *ResNetGenerator) Forward(z *torch.Tensor) *torch.Tensor {
	x := g.L1.Forward(z).Reshape(z.Size(0), -1, 4, 4)
	for _, b := range g.Blocks {
		x = b.Forward(x)
	}
	return g.Conv.Forward(g.Norm.Forward(x).ReLU()).Tanh()
}

// upBlock is BN-ReLU-up-conv-BN-ReLU-conv beside up-conv1x1.
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

func (u *upBlock) Forward(x *torch.Tensor) *torch.Tensor {
	y := u.C1.Forward(nn.Upsample(u.B1.Forward(x).ReLU()))
	y = u.C2.Forward(u.B2.Forward(y).ReLU())
	return y.Add(u.Shortcut.Forward(nn.Upsample(x)))
}

// ResNetCritic is the residual critic: blocks that halve the size, two at the end that keep it, and one number from the
// sum over all positions.
type ResNetCritic struct {
	Blocks []*downBlock `torch:"blocks"`
	L      *nn.Linear   `torch:"l"`
}

func newResNetCritic(b nn.Builder, c Config) *ResNetCritic {
	w := resnetWidths(c.Ndf, c.Resolution)
	d := &ResNetCritic{}
	in := int64(3)
	for i := len(w) - 1; i >= 1; i-- {
		out := w[i-1]
		down := i > 1 // 32 -> 8 with two blocks there, as in the paper
		d.Blocks = append(d.Blocks, newDownBlock(b, c.CriticNorm, in, out, down, i == len(w)-1))
		in = out
	}
	d.Blocks = append(d.Blocks, newDownBlock(b, c.CriticNorm, in, in, false, false))
	d.L = nn.NewLinear(b, in, 1)
	b.XavierUniform(d.L.Weight, 1)
	return d
}

// Forward returns [N].
func (d *ResNetCritic) Forward(x *torch.Tensor) *torch.Tensor {
	for _, b := range d.Blocks {
		x = b.Forward(x)
	}
	return d.L.Forward(x.ReLU().SumDim([]int64{2, 3}, false)).Reshape(-1)
}

// downBlock is ReLU-conv-ReLU-conv-pool beside conv1x1-pool; the first one of a critic has no ReLU before it.
type downBlock struct {
	C1, C2   *nn.Conv2d
	N1, N2   nn.Layer
	Shortcut *nn.Conv2d `torch:"c_sc"` // nil when the block keeps width and size
	down     bool
	first    bool
}

func newDownBlock(b nn.Builder, normName string, in, out int64, down, first bool) *downBlock {
	d := &downBlock{
		C1: xavierConv(b, in, out, 3, math.Sqrt2), C2: xavierConv(b, out, out, 3, math.Sqrt2),
		N2: norm(b, normName, out), down: down, first: first,
	}
	if !first {
		d.N1 = norm(b, normName, in)
	}
	if in != out || down {
		d.Shortcut = xavierConv(b, in, out, 1, 1)
	}
	return d
}

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

func xavierConv(b nn.Builder, in, out, k int64, gain float64) *nn.Conv2d {
	l := nn.NewConv2d(b, in, out, k, nn.Conv2dOptions{Padding: k / 2})
	b.XavierUniform(l.Weight, gain)
	b.Constant(l.Bias, 0)
	return l
}
