package models

import (
	"fmt"
	"iter"
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// StyleDiscriminator is the residual discriminator of StyleGAN2 (section 4.1): from colours at full size, blocks that
// halve the size, the minibatch standard deviation at 4 x 4, a convolution and two fully connected layers.
type StyleDiscriminator struct {
	Blocks     []*styleDown // from R down to 8
	Final      *styleFinal
	resolution int64
}

func newStyleDiscriminator(b nn.Builder, c StyleConfig) *StyleDiscriminator {
	d := &StyleDiscriminator{resolution: int64(c.Resolution)}
	filter := newResampler(b)
	for r := c.Resolution; r > 4; r /= 2 {
		in, out := c.channels(r), c.channels(r/2)
		k := &styleDown{Conv0: newPlainConv(b, in, in, 3), Conv1: newPlainConv(b, in, out, 3), filter: filter}
		if r == c.Resolution {
			k.FromRGB = newPlainConv(b, 3, in, 1)
		}
		k.Skip = newPlainConv(b, in, out, 1)
		k.Skip.Bias = nil
		d.Blocks = append(d.Blocks, k)
	}
	last := c.channels(4)
	d.Final = &styleFinal{
		Conv: newPlainConv(b, last+1, last, 3), FC: newStyleLinear(b, 16*last, last, 1, 0),
		Out: newStyleLinear(b, last, 1, 1, 0), group: int64(c.MbstdGroup),
	}
	return d
}

// FixedTensors implements [FixedTensors].
func (d *StyleDiscriminator) FixedTensors() map[string]*torch.Tensor {
	if len(d.Blocks) == 0 {
		return nil
	}
	return d.Blocks[0].filter.fixed()
}

// Children implements [nn.Parent]: b64, b32 and so on down to b4.
func (d *StyleDiscriminator) Children() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for i, k := range d.Blocks {
			if !yield(fmt.Sprint("b", d.resolution>>i), k) {
				return
			}
		}
		yield("b4", d.Final)
	}
}

// Forward maps images [N, 3, R, R] to logits [N]. Images of a batch influence each other through the minibatch standard
// deviation. It panics on another size of the images.
func (d *StyleDiscriminator) Forward(images *torch.Tensor) *torch.Tensor {
	sh := images.Shape()
	if len(sh) != 4 || sh[0] < 1 || sh[1] != 3 || sh[2] != d.resolution || sh[3] != d.resolution {
		panic(styleError("StyleDiscriminator", images, "[N 3 %d %d]", d.resolution, d.resolution))
	}
	out := torch.ScopeOf("StyleDiscriminator", images)
	all := out.Child()
	defer all.Close()
	x := all.Use(images)
	for _, k := range d.Blocks {
		y := within(all, func(s *torch.Scope) *torch.Tensor { return k.forward(s.Use(x)) })
		x.Free()
		x = y
	}
	return out.Adopt(exact(x, d.Final.forward)) // as StyleGAN2-ADA, whose smaller sizes are all float32
}

// styleDown halves the size: two convolutions beside a blurred shortcut, both divided by sqrt(2).
type styleDown struct {
	FromRGB *plainConv // in the first block only
	Conv0   *plainConv
	Conv1   *plainConv
	Skip    *plainConv // without bias and activation
	filter  *resampler
}

func (k *styleDown) forward(x *torch.Tensor) *torch.Tensor {
	if k.FromRGB != nil {
		x = k.FromRGB.activated(x, styleGain, torch.ConvOptions{})
	}
	skip := k.Skip.times(k.filter.half(x), math.Sqrt(0.5), torch.ConvOptions{})
	x = k.Conv0.activated(x, styleGain, torch.ConvOptions{Padding: 1})
	// The blur keeps the pixel around the image that it reaches, which stands for the convolution's padding. The
	// activation's sqrt(2) and the block's sqrt(1/2) make 1.
	x = k.Conv1.activated(k.filter.blur(x, 2), 1, torch.ConvOptions{Stride: 2})
	return skip.Add(x)
}

// styleFinal is what comes after the last halving, at 4 x 4.
type styleFinal struct {
	Conv  *plainConv
	FC    *styleLinear
	Out   *styleLinear
	group int64
}

func (k *styleFinal) forward(x *torch.Tensor) *torch.Tensor {
	x = torch.Cat([]*torch.Tensor{x, minibatchDeviation(x, k.group)}, 1)
	x = k.Conv.activated(x, styleGain, torch.ConvOptions{Padding: 1})
	return k.Out.times(k.FC.activated(x.Flatten(1)), 1).Squeeze(1)
}

// minibatchDeviation returns [N, 1, H, W]: for each group of images one number, the mean over channels and pixels of the
// standard deviation over the group (Karras et al. 2017, arXiv 1710.10196, section 3). Image n is in a group with images
// n + N/group, n + 2 N/group and so on. Where the group does not divide N, the largest number below it that does is taken.
func minibatchDeviation(x *torch.Tensor, group int64) *torch.Tensor {
	sh := x.Shape()
	g := min(group, sh[0])
	for sh[0]%g != 0 {
		g--
	}
	y := x.Reshape(g, -1, sh[1]*sh[2]*sh[3]) // not N: a traced network takes others
	y = y.Sub(y.MeanDim([]int64{0}, true)).Square().MeanDim([]int64{0}, false).AddScalar(1e-8).Sqrt()
	y = y.MeanDim([]int64{1}, false).Reshape(1, -1, 1, 1, 1)
	return y.Expand(g, -1, 1, sh[2], sh[3]).Reshape(-1, 1, sh[2], sh[3])
}

// plainConv is a convolution with equalised learning rate; see [styleLinear].
type plainConv struct {
	Weight *torch.Tensor `torch:"weight"` // [out, in, k, k]
	Bias   *torch.Tensor `torch:"bias"`   // [out], may be nil
	gain   float64       // 1 / sqrt(in k²)
}

func newPlainConv(b nn.Builder, in, out, kernel int64) *plainConv {
	l := &plainConv{
		Weight: b.Param(out, in, kernel, kernel), Bias: b.Param(out), gain: 1 / math.Sqrt(float64(in*kernel*kernel)),
	}
	b.Normal(l.Weight, 0, 1)
	return l
}

// times returns gain times the convolution with its bias.
func (l *plainConv) times(x *torch.Tensor, gain float64, o torch.ConvOptions) *torch.Tensor {
	s := x.Scope()
	var bias *torch.Tensor
	if l.Bias != nil {
		bias = s.Use(l.Bias).MulScalar(gain)
	}
	return x.Conv2d(s.Use(l.Weight).MulScalar(gain*l.gain), bias, o)
}

// activated returns the leaky ReLU of times.
func (l *plainConv) activated(x *torch.Tensor, gain float64, o torch.ConvOptions) *torch.Tensor {
	return l.times(x, gain, o).LeakyReLU(styleSlope)
}

var _ Critic = (*StyleDiscriminator)(nil)
