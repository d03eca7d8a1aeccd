package models

import (
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// DCGANGenerator is the generator of Radford et al. 2016 (arXiv 1511.06434): transposed convolutions 4 x 4 that double
// the size, with batch norm and ReLU between them, and tanh at the end. At 64 pixels it is the network of PyTorch's DCGAN
// example; the others have a step less or more.
type DCGANGenerator struct {
	Main               nn.Sequential `torch:"main"`
	latent, resolution int64
}

// newDCGANGenerator starts at 4 x 4 with ngf * R/8 channels and ends with ngf.
func newDCGANGenerator(b nn.Builder, c Config) *DCGANGenerator {
	width := int64(c.Ngf) * int64(c.Resolution) / 8
	g := &DCGANGenerator{latent: int64(c.Latent), resolution: int64(c.Resolution)}
	g.Main = append(g.Main, dcganConvT(b, g.latent, width, nn.Conv2dOptions{NoBias: true}), dcganNorm(b, width), nn.ReLU)
	up := nn.Conv2dOptions{Stride: 2, Padding: 1, NoBias: true}
	for size := 8; size < c.Resolution; size *= 2 {
		g.Main = append(g.Main, dcganConvT(b, width, width/2, up), dcganNorm(b, width/2), nn.ReLU)
		width /= 2
	}
	g.Main = append(g.Main, dcganConvT(b, width, 3, up), nn.Tanh)
	return g
}

// Forward maps latents [N, L] to images [N, 3, R, R] in [-1, 1]. It panics on another length of the latents.
func (g *DCGANGenerator) Forward(z *torch.Tensor) *torch.Tensor {
	return g.Main.Forward(z.Unsqueeze(2).Unsqueeze(3))
}

// LatentDim implements [Sized].
func (g *DCGANGenerator) LatentDim() int64 { return g.latent }

// Resolution implements [Sized].
func (g *DCGANGenerator) Resolution() int64 { return g.resolution }

// DCGANCritic mirrors the generator: convolutions 4 x 4 that halve the size, from ndf channels doubling, with leaky ReLU
// 0.2 and the chosen norm between them, and one number at the end.
type DCGANCritic struct {
	Main nn.Sequential `torch:"main"`
}

func newDCGANCritic(b nn.Builder, c Config) *DCGANCritic {
	// Batch norm takes any bias away again, and PyTorch's example has none.
	noBias := c.CriticNorm == "batch"
	down := nn.Conv2dOptions{Stride: 2, Padding: 1, NoBias: noBias}
	width := int64(c.Ndf)
	d := &DCGANCritic{Main: nn.Sequential{dcganConv(b, 3, width, down), nn.LeakyReLU(0.2)}}
	for size := c.Resolution / 2; size > 4; size /= 2 {
		d.Main = append(d.Main, dcganConv(b, width, 2*width, down))
		switch n := norm(b, c.CriticNorm, 2*width).(type) {
		case nil:
		case *nn.BatchNorm2d:
			b.Normal(n.Weight, 1, 0.02)
			d.Main = append(d.Main, n)
		default:
			d.Main = append(d.Main, n)
		}
		d.Main = append(d.Main, nn.LeakyReLU(0.2))
		width *= 2
	}
	d.Main = append(d.Main, dcganConv(b, width, 1, nn.Conv2dOptions{NoBias: noBias}))
	return d
}

// Forward maps images [N, 3, R, R] to [N]. It panics on another size of the images.
func (d *DCGANCritic) Forward(x *torch.Tensor) *torch.Tensor {
	n := len(d.Main) - 1
	y := exact(d.Main[:n].Forward(x), d.Main[n].Forward)
	if y.Size(2) != 1 || y.Size(3) != 1 {
		panic(&torch.Error{Op: "DCGANCritic", Msg: "got " + x.String() + " vs images of the resolution it was built for"})
	}
	return y.Reshape(-1)
}

// The initial values of the paper: weights normal with deviation 0.02, scales of batch norms around 1.
func dcganConvT(b nn.Builder, in, out int64, o nn.Conv2dOptions) nn.Layer {
	l := nn.NewConvTranspose2d(b, in, out, 4, o)
	b.Normal(l.Weight, 0, 0.02)
	return l
}

func dcganConv(b nn.Builder, in, out int64, o nn.Conv2dOptions) nn.Layer {
	l := nn.NewConv2d(b, in, out, 4, o)
	b.Normal(l.Weight, 0, 0.02)
	if l.Bias != nil {
		b.Constant(l.Bias, 0)
	}
	return l
}

func dcganNorm(b nn.Builder, c int64) nn.Layer {
	l := nn.NewBatchNorm2d(b, c)
	b.Normal(l.Weight, 1, 0.02)
	return l
}
