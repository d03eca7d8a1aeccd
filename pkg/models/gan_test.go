package models_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

// numbers is the formula of testdata/formula.py: numbers in [-1, 1] that look random.
func numbers(s *torch.Scope, j uint64, shape []int64) *torch.Tensor {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	data := make([]float64, n)
	for k := range data {
		h := uint32(uint64(k)*2654435761 + j*104729 + 12345)
		h = (h ^ h>>15) * 2246822519
		data[k] = float64(h^h>>13)/2147483648 - 1
	}
	return s.FromFloat64s(data, shape...)
}

// fill sets the state as formula.py does.
func fill(s *torch.Scope, m any) {
	s = s.Child()
	defer s.Close()
	torch.NoGrad(func() {
		j := uint64(0)
		for name, t := range nn.StateDict(m) {
			shape := t.Shape()
			v := numbers(s, j, shape)
			j++
			switch {
			case strings.HasSuffix(name, "num_batches_tracked"):
				v.Fill_(3)
			case strings.HasSuffix(name, "running_var"), len(shape) == 1 && strings.HasSuffix(name, "weight"):
				v = v.MulScalar(0.3).AddScalar(1)
			case len(shape) > 1:
				v.MulScalar_(math.Sqrt(6 / float64(t.Numel()/shape[0])))
			default:
				v.MulScalar_(0.1)
			}
			t.Copy_(v)
		}
	})
}

type netCase struct {
	Keys      []string  `json:"keys"`
	Shape     []int64   `json:"shape"`
	At        []int     `json:"at"`
	Y         []float64 `json:"y"`
	MeanAbs   float64   `json:"mean_abs"`
	GradNorms []float64 `json:"grad_norms"`
	Buffers   float64   `json:"last_buffer_sum"`
}

func (c netCase) check(t *testing.T, s *torch.Scope, m nn.Layer, x *torch.Tensor, train bool) {
	t.Helper()
	var keys []string
	for name := range nn.StateDict(m) {
		keys = append(keys, name)
	}
	require.True(t, slices.Equal(c.Keys, keys), "got names %v vs %v", keys, c.Keys)
	fill(s, m)
	nn.Train(m, train)
	x = x.To(torch.Float32).RequiresGrad(true)
	y := m.Forward(x)
	require.Equal(t, c.Shape, y.Shape())
	values := y.Float32s()
	for i, at := range c.At {
		require.InDelta(t, c.Y[i], values[at], 1e-4*max(1, math.Abs(c.Y[i])), "element %d", at)
	}
	require.InEpsilon(t, c.MeanAbs, y.Abs().Mean().Float64(), 1e-4)
	in := append([]*torch.Tensor{x}, nn.ParamList(m)...)
	cotangent := numbers(s, 99, y.Shape()).To(torch.Float32)
	// Sums over thousands of float32 products. Biases before a batch norm have a gradient of zero, up to noise: some units in the
	// last place of the numbers that cancel, which are as large as the largest gradient.
	noise := 2e-6 * slices.Max(c.GradNorms)
	for i, g := range torch.Grad(y.Mul(cotangent).Sum(), in, torch.GradOptions{}) {
		require.InDelta(t, c.GradNorms[i], g.Norm().Float64(), 1e-3*c.GradNorms[i]+noise, "gradient %d", i)
	}
	sum := 0.0
	for _, b := range nn.Buffers(m) {
		sum += s.Use(b).To(torch.Float64).Sum().Float64()
	}
	require.InDelta(t, c.Buffers, sum, 1e-4*max(1, math.Abs(c.Buffers)))
}

// Names, outputs, gradients and running statistics are those of the same networks in PyTorch.
func TestNetworksMatchPyTorch(t *testing.T) {
	data, err := os.ReadFile("testdata/gan.json")
	require.NoError(t, err)
	var cases []struct {
		Arch       string  `json:"arch"`
		Resolution int     `json:"resolution"`
		Norm       string  `json:"norm"`
		Train      bool    `json:"train"`
		Generator  netCase `json:"generator"`
		Critic     netCase `json:"critic"`
	}
	require.NoError(t, json.Unmarshal(data, &cases))
	for _, c := range cases {
		t.Run(fmt.Sprint(c.Arch, c.Resolution, c.Norm, c.Train), func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			b := nn.Builder{Scope: s.Child()}
			p, err := models.NewGAN(b, c.Arch,
				models.Config{Resolution: c.Resolution, Latent: 6, Ngf: 2, Ndf: 2, CriticNorm: c.Norm})
			require.NoError(t, err)
			b.Scope.Seal()
			c.Generator.check(t, s, p.Generator, numbers(s, 50, []int64{2, 6}), c.Train)
			r := int64(c.Resolution)
			c.Critic.check(t, s, p.Critic, numbers(s, 51, []int64{2, 3, r, r}), c.Train)
		})
	}
}

func TestPairsFitEachOther(t *testing.T) {
	for _, arch := range models.Archs {
		for _, r := range []int64{32, 64, 128} {
			for _, norm := range models.CriticNorms {
				s := torch.NewScope()
				b := nn.Builder{Scope: s.Child()}
				p, err := models.NewGAN(b, arch,
					models.Config{Resolution: int(r), Latent: 10, Ngf: 2, Ndf: 2, CriticNorm: norm})
				require.NoError(t, err)
				b.Scope.Seal()
				size := p.Generator.(models.Sized)
				require.Equal(t, []int64{10, r}, []int64{size.LatentDim(), size.Resolution()})
				torch.NoGrad(func() {
					x := p.Generator.Forward(s.Randn(nil, []int64{3, 10}))
					require.Equal(t, []int64{3, 3, r, r}, x.Shape())
					require.LessOrEqual(t, x.Abs().Max().Float64(), 1.0)
					require.Equal(t, []int64{3}, p.Critic.Forward(x).Shape())
				})
				require.Error(t, torch.Try(func() { p.Generator.Forward(s.Randn(nil, []int64{3, 9})) }))
				s.Close()
			}
		}
	}
}

// The published sizes: PyTorch's DCGAN example, and Mimicry's networks with their default widths.
func TestNumbersOfParameters(t *testing.T) {
	for _, c := range []struct {
		arch      string
		config    models.Config
		generator int64
		critic    int64
	}{
		{"dcgan", models.Config{Resolution: 64, Latent: 100, CriticNorm: "batch"}, 3_576_704, 2_765_568},
		{"resnet", models.Config{Resolution: 32}, 4_276_739, 1_053_825},
	} {
		s := torch.NewScope()
		p, err := models.NewGAN(nn.Builder{Scope: s}, c.arch, c.config)
		require.NoError(t, err)
		require.Equal(t, c.generator, nn.CountParams(p.Generator), c.arch)
		require.Equal(t, c.critic, nn.CountParams(p.Critic), c.arch)
		s.Close()
	}
}

func TestInitialValues(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	build := func(seed int64) models.Pair {
		g, err := s.NewGenerator(torch.CPU, seed)
		require.NoError(t, err)
		p, err := models.NewGAN(nn.Builder{Scope: s, Generator: g}, "dcgan",
			models.Config{Resolution: 32, Ngf: 16, Ndf: 16, CriticNorm: "batch"})
		require.NoError(t, err)
		return p
	}
	same := func(a, b any) bool {
		other := nn.ParamList(b)
		for i, p := range nn.ParamList(a) {
			if !p.Eq(other[i]).All().Bool() {
				return false
			}
		}
		return true
	}
	a, b, c := build(1), build(1), build(2)
	require.True(t, same(a.Generator, b.Generator) && same(a.Critic, b.Critic), "a seed must give the same networks")
	require.False(t, same(a.Generator, c.Generator))
	for name, p := range nn.Params(a) {
		n := math.Sqrt(float64(p.Numel())) // deviations of the mean, and about those of the deviation: 4 of them pass
		mean, std := p.Mean().Float64(), p.Std(true).Float64()
		switch {
		case p.Dim() == 4:
			require.InDelta(t, 0, mean, 4*0.02/n, name)
			require.InDelta(t, 0.02, std, 4*0.02/n, name)
		case strings.HasSuffix(name, "weight"):
			require.InDelta(t, 1, mean, 4*0.02/n, name)
		default:
			require.Zero(t, p.Abs().Max().Float64(), name)
		}
	}
}

func TestNewGANErrors(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	for _, c := range []struct {
		arch string
		c    models.Config
		want string
	}{
		{"vit", models.Config{Resolution: 32}, `models: got architecture "vit" vs one of dcgan, resnet`},
		{"dcgan", models.Config{Resolution: 48}, "models: dcgan: got resolution 48 vs one of [32 64 128]"},
		{"resnet", models.Config{}, "models: resnet: got resolution 0 vs one of [32 64 128]"},
		{"dcgan", models.Config{Resolution: 32, Ngf: -1}, "models: dcgan: got latent 128, ngf -1, ndf 64 vs positive numbers"},
		{"dcgan", models.Config{Resolution: 32, CriticNorm: "x"}, `models: got critic norm "x" vs one of none, layer, batch`},
	} {
		_, err := models.NewGAN(nn.Builder{Scope: s}, c.arch, c.c)
		require.EqualError(t, err, c.want)
	}
	closed := torch.NewScope()
	closed.Close()
	_, err := models.NewGAN(nn.Builder{Scope: closed}, "dcgan", models.Config{Resolution: 32})
	require.ErrorIs(t, err, torch.ErrClosed)

	p, err := models.NewGAN(nn.Builder{Scope: s}, "dcgan", models.Config{Resolution: 32, Ngf: 2, Ndf: 2})
	require.NoError(t, err)
	require.Error(t, torch.Try(func() { p.Critic.Forward(s.Ones([]int64{2, 3, 64, 64})) }), "a larger image must not pass")
}

// Fifty steps of both networks, with gradient penalty, average and clipping, leave nothing behind.
func TestTrainingKeepsMemoryFlat(t *testing.T) {
	root := torch.NewScope()
	defer root.Close()
	g, err := root.NewGenerator(torch.CPU, 5)
	require.NoError(t, err)
	b := nn.Builder{Scope: root.Child(), Generator: g}
	p, err := models.NewGAN(b, "dcgan", models.Config{Resolution: 32, Latent: 8, Ngf: 2, Ndf: 2})
	require.NoError(t, err)
	b.Scope.Seal()
	gp, dp := nn.ParamList(p.Generator), nn.ParamList(p.Critic)
	gOpt := optim.NewAdam(root, gp, optim.AdamOptions{LR: 1e-4, Beta2: 0.9})
	dOpt := optim.NewAdam(root, dp, optim.AdamOptions{LR: 1e-4, Beta2: 0.9})
	ema := optim.CloneEMA(root, gp, nn.BufferList(p.Generator))

	step := func(s *torch.Scope) error {
		real := s.Randn(g, []int64{4, 3, 32, 32}).Tanh()
		var fake *torch.Tensor
		torch.NoGrad(func() { fake = p.Generator.Forward(s.Randn(g, []int64{4, 8})) })
		mix := real.LerpTensor(fake, s.Rand(g, []int64{4, 1, 1, 1})).RequiresGrad(true)
		slope := torch.Grad(p.Critic.Forward(mix).Sum(), []*torch.Tensor{mix}, torch.GradOptions{CreateGraph: true})[0]
		penalty := slope.Square().SumDim([]int64{1, 2, 3}, false).AddScalar(1e-12).Sqrt().SubScalar(1).Square().Mean()
		loss := p.Critic.Forward(fake).Mean().Sub(p.Critic.Forward(real).Mean()).Add(penalty.MulScalar(10))
		dOpt.Step(torch.Grad(loss, dp, torch.GradOptions{}))

		loss = p.Critic.Forward(p.Generator.Forward(s.Randn(g, []int64{4, 8}))).Mean().Neg()
		grads := torch.Grad(loss, gp, torch.GradOptions{})
		if _, err := optim.ClipGradNorm(grads, 1); err != nil {
			return err
		}
		gOpt.Step(grads)
		ema.Update(0.9)
		return nil
	}
	leavesNothing(t, root, 50, step, append(gp, dp...))
}

// leavesNothing makes a step of training and n more, which must leave memory as the first one did, and the parameters finite.
func leavesNothing(t *testing.T, root *torch.Scope, n int, step func(s *torch.Scope) error, params []*torch.Tensor) {
	t.Helper()
	require.NoError(t, root.Scoped(step))
	tensors, bytes := torch.LiveTensors(), torch.LiveBytes()
	for range n {
		require.NoError(t, root.Scoped(step))
	}
	require.Equal(t, tensors, torch.LiveTensors())
	require.Equal(t, bytes, torch.LiveBytes())
	for _, x := range params {
		require.True(t, root.Use(x).IsFinite().All().Bool())
	}
}
