package models

import (
	"fmt"
	"iter"
	"math/bits"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// ResNetGenerator is the residual generator of WGAN-GP (Gulrajani et al. 2017, arXiv 1704.00028) in the form of Mimicry
// (Lee and Town 2020, arXiv 2005.02494): blocks that double the size, all of one width at 32 pixels, and halving from 16
// times the last width above.
type ResNetGenerator struct {
	L1         *nn.Linear
	Blocks     []*upBlock
	Norm       *nn.BatchNorm2d
	Conv       *nn.Conv2d
	resolution int64
}

// resnetWidths are the channels after the first layer and after each block that changes the size.
func resnetWidths(base, resolution int) []int64 {
	n := bits.Len(uint(resolution)) - 3 // doublings from 4
	w := make([]int64, n+1)
	for i := range w {
		w[i] = int64(base)
		if resolution > 32 {
			w[i] <<= min(n-i, 4)
		}
	}
	return w
}

func newResNetGenerator(b nn.Builder, c Config) *ResNetGenerator {
	w := resnetWidths(c.Ngf, c.Resolution)
	g := &ResNetGenerator{L1: nn.NewLinear(b, int64(c.Latent), w[0]*16), resolution: int64(c.Resolution)}
	b.XavierUniform(g.L1.Weight, 1)
	for i := 1; i < len(w); i++ {
		g.Blocks = append(g.Blocks, newUpBlock(b, w[i-1], w[i]))
	}
	last := w[len(w)-1]
	g.Norm = nn.NewBatchNorm2d(b, last)
	g.Conv = nn.NewConv2d(b, last, 3, 3, nn.Conv2dOptions{Padding: 1})
	return g
}

// Children implements [nn.Parent]: Mimicry numbers the layers.
func (g *ResNetGenerator) Children() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		if !yield("l1", g.L1) {
			return
		}
		for i, b := range g.Blocks {
			if !yield(fmt.Sprint("block", i+2), b) {
				return
			}
		}
		n := len(g.Blocks) + 2
		_ = yield(fmt.Sprint("b", n), g.Norm) && yield(fmt.Sprint("c", n), g.Conv)
	}
}

// Forward maps latents [N, L] to images [N, 3, R, R] in [-1, 1]. It panics on another length of the latents.
func (g *ResNetGenerator) Forward(z *torch.Tensor) *torch.Tensor {
	x := g.L1.Forward(z).Reshape(-1, g.L1.Weight.Size(0)/16, 4, 4)
	for _, b := range g.Blocks {
		x = b.Forward(x)
	}
	return g.Conv.Forward(g.Norm.Forward(x).ReLU()).Tanh()
}

// LatentDim implements [Sized].
func (g *ResNetGenerator) LatentDim() int64 { return g.L1.Weight.Size(1) }

// Resolution implements [Sized].
func (g *ResNetGenerator) Resolution() int64 { return g.resolution }

// ResNetCritic is the residual critic: blocks that halve the size until it is 8 (at 32), 2 (at 64) or 4 (at 128), some
// that keep it, and one number from the mean over all positions.
type ResNetCritic struct {
	Blocks []*downBlock
	L      *nn.Linear
}

func newResNetCritic(b nn.Builder, c Config) *ResNetCritic {
	w := resnetWidths(c.Ndf, c.Resolution)
	halvings := 5
	if c.Resolution == 32 {
		halvings = 2
	}
	d := &ResNetCritic{}
	in := int64(3)
	for i := range w {
		out := w[len(w)-1-i]
		d.Blocks = append(d.Blocks, newDownBlock(b, c.CriticNorm, in, out, i < halvings, i == 0))
		in = out
	}
	d.L = nn.NewLinear(b, in, 1)
	b.XavierUniform(d.L.Weight, 1)
	return d
}

// Children implements [nn.Parent]: Mimicry numbers the layers.
func (d *ResNetCritic) Children() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for i, b := range d.Blocks {
			if !yield(fmt.Sprint("block", i+1), b) {
				return
			}
		}
		yield(fmt.Sprint("l", len(d.Blocks)+1), d.L)
	}
}

// Forward maps images [N, 3, R, R] to [N].
func (d *ResNetCritic) Forward(x *torch.Tensor) *torch.Tensor {
	for _, b := range d.Blocks {
		x = b.Forward(x)
	}
	return exact(x.ReLU().MeanDim([]int64{2, 3}, false), d.L.Forward).Reshape(-1)
}
