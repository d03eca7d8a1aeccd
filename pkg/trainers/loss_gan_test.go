package trainers

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

var double = torch.Options{DType: torch.Float64}

func scope(t *testing.T) *torch.Scope {
	s := torch.NewScope()
	t.Cleanup(s.Close)
	return s
}

// Golden values: softplus(-a), the closed forms of the other losses.
func TestLossGoldens(t *testing.T) {
	s := scope(t)
	for a, want := range map[float64]float64{-3: 3.0485873516, 0: 0.6931471806, 2: 0.1269280110} {
		require.InDelta(t, want, NonSaturatingGenerator(s.FromFloat64s([]float64{a})).Float64(), 1e-9)
	}
	real, fake := s.FromFloat64s([]float64{1, 3}), s.FromFloat64s([]float64{-2, 0.5})
	require.InDelta(t, -0.75-2, WassersteinCritic(real, fake).Float64(), 1e-12)
	require.InDelta(t, 0.75, WassersteinGenerator(fake).Float64(), 1e-12)
	require.InDelta(t, 0+(0+1.5)/2, HingeCritic(real, fake).Float64(), 1e-12)
	require.InDelta(t, NonSaturatingCritic(real, fake).Float64(), BCECritic(real, fake).Float64(), 1e-12)
	require.InDelta(t, NonSaturatingGenerator(fake).Float64(), BCEGenerator(fake).Float64(), 1e-12)
	huge := s.FromFloat64s([]float64{1e4, -1e4})
	for _, l := range []GANLoss{NonSaturating, BCE, Hinge} {
		require.False(t, math.IsInf(l.Critic(huge, huge).Float64(), 0), "%s overflows", l)
		require.False(t, math.IsNaN(l.Generator(huge).Float64()), "%s", l)
	}
}

// D(x) = w·x with w = (3, 4) has the gradient norm 5 everywhere: penalty 16, times lambda 160, and
// d penalty / dw = 2 (n-1) w / n = (4.8, 6.4). D(x) = |x|²/2 has the norm |x|.
func TestGradientPenaltyGoldens(t *testing.T) {
	s := scope(t)
	w := s.FromFloat64s([]float64{3, 4}).RequiresGrad(true)
	linear := func(x *torch.Tensor) *torch.Tensor { return x.MatMul(w) }
	x := s.Randn(nil, []int64{5, 2}, double)
	gp := GradientPenalty(linear, x, x.Neg(), PenaltyOptions{Lambda: 1})
	require.InDelta(t, 16, gp.Float64(), 1e-9) // the 1e-12 under the root
	g := torch.Slice[float64](torch.Grad(gp, []*torch.Tensor{w}, torch.GradOptions{})[0])
	require.InDeltaSlice(t, []float64{4.8, 6.4}, g, 1e-9)
	require.InDelta(t, 160, GradientPenalty(linear, x, x.Neg(), PenaltyOptions{}).Float64(), 1e-8)

	half := func(x *torch.Tensor) *torch.Tensor { return x.Square().SumDim([]int64{1}, false).MulScalar(0.5) }
	at := func(a, b float64) float64 {
		p := s.FromFloat64s([]float64{a, b}, 1, 2)
		return GradientPenalty(half, p, p, PenaltyOptions{Lambda: 1}).Float64()
	}
	require.InDelta(t, 16, at(3, 4), 1e-9)
	require.InDelta(t, 0, at(0.6, 0.8), 1e-9)
	require.InDelta(t, 1, at(0, 0), 1e-5) // no NaN at the root's singular point
	p := s.FromFloat64s([]float64{0.3, 0.4}, 1, 2)
	require.Zero(t, GradientPenalty(half, p, p, PenaltyOptions{OneSided: true}).Float64())
}

// One mixing factor for each image, not for each pixel: with real and fake constant, each interpolate is constant.
func TestGradientPenaltyMixesPerImage(t *testing.T) {
	s := scope(t)
	real, fake := s.Ones([]int64{6, 3, 4, 4}, double), s.Zeros([]int64{6, 3, 4, 4}, double)
	var seen *torch.Tensor
	GradientPenalty(func(x *torch.Tensor) *torch.Tensor {
		seen = x
		return x.Flatten(1).SumDim([]int64{1}, false)
	}, real, fake, PenaltyOptions{})
	flat := seen.Detach().Flatten(1)
	require.Zero(t, flat.VarDim([]int64{1}, false, false).Max().Float64())
	require.Greater(t, flat.Select(1, 0).Std(true).Float64(), 0.01)
}

// The whole critic loss against central differences in float64, with respect to every parameter of a two-layer tanh
// critic. A penalty without create_graph fails here.
func TestCriticLossFiniteDifferences(t *testing.T) {
	s := scope(t)
	shapes := [][]int64{{3, 12}, {12}, {12, 1}}
	var params []*torch.Tensor
	for _, sh := range shapes {
		params = append(params, s.Randn(nil, sh, double).MulScalar(0.5))
	}
	real, fake := s.Randn(nil, []int64{4, 3}, double), s.Randn(nil, []int64{4, 3}, double)
	eps := s.Rand(nil, []int64{4, 1}, double)
	differences(t, s, params, func(p []*torch.Tensor) *torch.Tensor {
		critic := func(x *torch.Tensor) *torch.Tensor { return x.MatMul(p[0]).Add(p[1]).Tanh().MatMul(p[2]) }
		return WassersteinCritic(critic(real), critic(fake)).Add(GradientPenalty(critic, real, fake, PenaltyOptions{Epsilon: eps}))
	})
}

func TestClipWeights(t *testing.T) {
	s := scope(t)
	p := []*torch.Tensor{s.Randn(nil, []int64{100}).RequiresGrad(true), s.FromFloat32s([]float32{-1, 0.004, 1})}
	ClipWeights(p, 0.01)
	require.LessOrEqual(t, p[0].Abs().Max().Float64(), float64(float32(0.01)))
	require.Equal(t, []float32{-0.01, 0.004, 0.01}, p[1].Float32s())
}

// Gradients of every adversarial loss with respect to the critic's outputs, away from the corners of the hinge.
func TestAdversarialLossesFiniteDifferences(t *testing.T) {
	s := scope(t)
	real := s.FromFloat64s([]float64{2.3, 0.4, -1.7}, 3)
	fake := s.FromFloat64s([]float64{-2.1, 0.3, 1.9}, 3)
	for _, l := range GANLosses {
		if l == TIGASOnly {
			continue
		}
		t.Run(string(l), func(t *testing.T) {
			differences(t, s, []*torch.Tensor{real, fake}, func(x []*torch.Tensor) *torch.Tensor { return l.Critic(x[0], x[1]) })
			differences(t, s, []*torch.Tensor{fake}, func(x []*torch.Tensor) *torch.Tensor { return l.Generator(x[0]) })
		})
	}
}
