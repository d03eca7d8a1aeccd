package trainers

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/sched"
)

var predictions = []Prediction{PredictNoise, PredictV, PredictX0}

// levels are float64, for finite differences.
func levels(t *testing.T, s *torch.Scope, timesteps ...int) NoiseLevels {
	t.Helper()
	n, err := sched.NewNoise(sched.LinearNoise, 1000)
	require.NoError(t, err)
	l := LevelsAt(s, n, timesteps, torch.CPU)
	return NoiseLevels{l.Signal.To(torch.Float64), l.Noise.To(torch.Float64)}
}

// With the right answer each prediction gives back the image and the noise.
func TestPredictionsAreInverses(t *testing.T) {
	s := scope(t)
	l := levels(t, s, 3, 400, 999)
	x0, noise := s.Randn(nil, []int64{3, 2, 4, 4}, double), s.Randn(nil, []int64{3, 2, 4, 4}, double)
	xt := l.AddNoise(x0, noise)
	for _, p := range predictions {
		out := p.Target(x0, noise, l)
		// Levels are float32: their squares add up to 1 within 1e-7, which the last step's division by 0.006 enlarges.
		require.InDeltaSlice(t, torch.Slice[float64](x0), torch.Slice[float64](p.X0(out, xt, l)), 1e-6, p)
		require.InDeltaSlice(t, torch.Slice[float64](noise), torch.Slice[float64](p.NoiseOf(out, xt, l)), 1e-6, p)
		parsed, err := ParsePrediction(string(p))
		require.NoError(t, err)
		require.Equal(t, p, parsed)
	}
	_, err := ParsePrediction("score")
	require.ErrorContains(t, err, "eps, v or x0")
}

// x_t = 0.3, predicted noise -0.7, AlphaBar 0.5: the numbers of the DDIM step in Song et al. 2020, by hand.
func TestPredictionGolden(t *testing.T) {
	s := scope(t)
	half := s.Full([]int64{1, 1, 1, 1}, 0.70710678118654752, double)
	l := NoiseLevels{half, half}
	xt, eps := s.Full([]int64{1, 1, 1, 1}, 0.3, double), s.Full([]int64{1, 1, 1, 1}, -0.7, double)
	x0 := PredictNoise.X0(eps, xt, l)
	require.InDelta(t, 1.1242640687, x0.Float64(), 1e-10)
	require.InDelta(t, -1.2899494937, PredictV.Target(x0, eps, l).Float64(), 1e-10)
}

// The gradient through x0, which the TIGAS term needs, for each prediction: -sqrt((1-a)/a), -sqrt(1-a) and 1.
func TestGradientThroughX0(t *testing.T) {
	s := scope(t)
	for _, at := range []int{0, 499, 999} {
		l := levels(t, s, at)
		a, b := l.Signal.Float64(), l.Noise.Float64()
		for p, want := range map[Prediction]float64{PredictNoise: -b / a, PredictV: -b, PredictX0: 1} {
			out := s.Randn(nil, []int64{1, 1, 2, 2}, double).RequiresGrad(true)
			xt := s.Randn(nil, []int64{1, 1, 2, 2}, double)
			g := torch.Grad(p.X0(out, xt, l).Sum(), []*torch.Tensor{out}, torch.GradOptions{})[0]
			for _, v := range torch.Slice[float64](g) {
				require.InEpsilon(t, want, v, 1e-12, "%s at %d", p, at)
			}
		}
	}
	l := levels(t, s, 0, 499, 999)
	require.InDeltaSlice(t, []float64{0.0100, 3.42, 157.4}, torch.Slice[float64](l.Noise.Div(l.Signal).Reshape(-1)), 0.05)
}

func TestDiffusionLossFiniteDifferences(t *testing.T) {
	s := scope(t)
	l := levels(t, s, 10, 700)
	x0, noise := s.Randn(nil, []int64{2, 1, 3, 3}, double), s.Randn(nil, []int64{2, 1, 3, 3}, double)
	w := s.FromFloat64s([]float64{0.3, 2})
	for _, p := range predictions {
		differences(t, s, []*torch.Tensor{s.Randn(nil, []int64{2, 1, 3, 3}, double)}, func(out []*torch.Tensor) *torch.Tensor {
			// With a smooth score of the reconstruction, as the TIGAS term has it.
			score := p.X0(out[0], l.AddNoise(x0, noise), l).MulScalar(0.1).Tanh().Mean()
			return DiffusionLoss(out[0], p.Target(x0, noise, l), w).Add(score)
		})
	}
}

// The three predictions weigh the same error alike: w_eps |eps - e|² = w_x0 |x0 - x|² = w_v |v - u|².
func TestMinSNR(t *testing.T) {
	n, err := sched.NewNoise(sched.LinearNoise, 1000)
	require.NoError(t, err)
	require.InDelta(t, 0.58570851, PredictNoise.MinSNRWeight(n.SNR(100), 5), 1e-8)
	require.InDelta(t, 0.52429205, PredictV.MinSNRWeight(n.SNR(100), 5), 1e-8)
	require.InDelta(t, 1, PredictNoise.MinSNRWeight(n.SNR(499), 5), 1e-12)
	require.InDelta(t, 0.085289944, PredictX0.MinSNRWeight(n.SNR(499), 5), 1e-8)
	require.InDelta(t, 0.078587243, PredictV.MinSNRWeight(n.SNR(499), 5), 1e-8)
	for _, p := range predictions {
		require.Equal(t, 1.0, p.MinSNRWeight(0, 5))
	}
	s := scope(t)
	x0, noise := s.Randn(nil, []int64{1, 1, 2, 2}, double), s.Randn(nil, []int64{1, 1, 2, 2}, double)
	for _, at := range []int{20, 300, 900} {
		l := levels(t, s, at)
		xt := l.AddNoise(x0, noise)
		guess := s.Randn(nil, []int64{1, 1, 2, 2}, double) // of the image
		var losses []float64
		for _, p := range predictions {
			eps := PredictX0.NoiseOf(guess, xt, l)
			out := p.Target(guess, eps, l)
			losses = append(losses, p.MinSNRWeight(n.SNR(at), 5)*DiffusionLoss(out, p.Target(x0, noise, l), nil).Float64())
		}
		require.InEpsilon(t, losses[0], losses[1], 1e-5, "step %d", at) // levels are float32
		require.InEpsilon(t, losses[0], losses[2], 1e-5, "step %d", at)
	}
}

func TestClampThrough(t *testing.T) {
	s := scope(t)
	x := s.FromFloat64s([]float64{-3, 0.25, 2}).RequiresGrad(true)
	y := ClampThrough(x, -1, 1)
	require.Equal(t, []float64{-1, 0.25, 1}, torch.Slice[float64](y.Detach()))
	require.Equal(t, []float64{1, 1, 1}, torch.Slice[float64](torch.Grad(y.Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0]))
}
