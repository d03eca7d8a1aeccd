package trainers

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// smallStyleGAN2 is a pair in float64 for images of 8 pixels, with noise strengths and biases that are not 0.
func smallStyleGAN2(t *testing.T) (*torch.Scope, *torch.Generator, *models.StyleGenerator, *models.StyleDiscriminator) {
	s := scope(t)
	gen, err := s.NewGenerator(torch.CPU, 11)
	require.NoError(t, err)
	b := nn.Builder{Scope: s, Generator: gen, DType: torch.Float64} // not sealed: tests exchange parameters
	g, d, err := models.NewStyleGAN2(b, models.StyleConfig{Resolution: 8, Latent: 3, StyleDim: 3, MappingLayers: 2,
		ChannelBase: 16, ChannelMax: 3, MbstdGroup: 2})
	require.NoError(t, err)
	for _, m := range []any{g, d} {
		for _, p := range nn.Params(m) {
			if p.Dim() < 2 {
				torch.NoGrad(func() { p.Add_(s.Randn(gen, p.Shape(), double).MulScalar(0.3)) })
			}
		}
	}
	return s, gen, g, d
}

// with calls f while the tensor at p is another.
func with(p **torch.Tensor, t *torch.Tensor, f func() *torch.Tensor) *torch.Tensor {
	old := *p
	defer func() { *p = old }()
	*p = t
	return f()
}

func TestStyleGeneratorFiniteDifferences(t *testing.T) {
	s, gen, g, _ := smallStyleGAN2(t)
	z := s.Randn(gen, []int64{2, 3}, double)
	ws := g.Synthesis.Broadcast(s.Randn(gen, []int64{2, 3}, double)).Contiguous()
	weights := s.Randn(gen, []int64{2, 3, 8, 8}, double)
	k := g.Synthesis.Blocks[1]
	differences(t, s, []*torch.Tensor{ws, k.Conv0.Weight, k.Conv1.NoiseStrength, k.ToRGB.Weight},
		func(x []*torch.Tensor) *torch.Tensor {
			return with(&k.Conv0.Weight, x[1], func() *torch.Tensor {
				return with(&k.Conv1.NoiseStrength, x[2], func() *torch.Tensor {
					return with(&k.ToRGB.Weight, x[3], func() *torch.Tensor {
						return g.Synthesis.Forward(x[0], models.StyleNoise{}).Mul(weights).Sum()
					})
				})
			})
		})
	fc := g.Mapping.Layers[0]
	differences(t, s, []*torch.Tensor{z, fc.Bias}, func(x []*torch.Tensor) *torch.Tensor {
		return with(&fc.Bias, x[1], func() *torch.Tensor { return g.Forward(x[0]).Mul(weights).Sum() })
	})
}

// Gradients of gradients through every layer of the discriminator, with minibatch deviation.
func TestR1ThroughStyleGAN2(t *testing.T) {
	s, gen, _, d := smallStyleGAN2(t)
	real := s.Randn(gen, []int64{4, 3, 8, 8}, double)
	k, f := d.Blocks[0], d.Final
	for name, p := range map[string]**torch.Tensor{
		"fromrgb": &k.FromRGB.Weight, "conv0": &k.Conv0.Weight, "conv1": &k.Conv1.Weight, "skip": &k.Skip.Weight,
		"conv": &f.Conv.Weight, "out": &f.Out.Weight,
	} {
		t.Run(name, func(t *testing.T) {
			differences(t, s, []*torch.Tensor{*p}, func(x []*torch.Tensor) *torch.Tensor {
				return with(p, x[0], func() *torch.Tensor { return R1Penalty(d.Forward, real, 2) })
			})
		})
	}
}

// The same for path lengths through every layer of the generator.
func TestPathLengthThroughStyleGAN2(t *testing.T) {
	s, gen, g, _ := smallStyleGAN2(t)
	w := g.Synthesis.Broadcast(s.Randn(gen, []int64{2, 3}, double)).Contiguous()
	noise := s.Randn(gen, []int64{2, 3, 8, 8}, double)
	mean := s.Scalar(0.5, double)
	y := g.Synthesis
	for name, p := range map[string]**torch.Tensor{
		"const": &y.Blocks[0].Const, "conv1": &y.Blocks[0].Conv1.Weight, "torgb": &y.Blocks[0].ToRGB.Weight,
		"up": &y.Blocks[1].Conv0.Weight, "affine": &y.Blocks[1].Conv0.Affine.Weight, "colours": &y.Blocks[1].ToRGB.Affine.Bias,
		"noise": &y.Blocks[1].Conv0.NoiseStrength,
	} {
		t.Run(name, func(t *testing.T) {
			differences(t, s, []*torch.Tensor{*p}, func(x []*torch.Tensor) *torch.Tensor {
				return with(p, x[0], func() *torch.Tensor {
					ws := w.Detach().RequiresGrad(true)
					penalty, _ := PathLengthPenalty(y.Forward(ws, models.StyleNoise{}), ws, noise, mean)
					return penalty
				})
			})
		})
	}
}
