package trainers

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

func TestR1Golden(t *testing.T) {
	s := scope(t)
	w := s.FromFloat64s([]float64{3, 4}, 2, 1)
	linear := func(x *torch.Tensor) *torch.Tensor { return x.MatMul(w) }
	x := s.Randn(nil, []int64{5, 2}, double)
	require.InDelta(t, 125, R1Penalty(linear, x, 10).Float64(), 1e-10) // 10/2 * (9 + 16)

	half := func(x *torch.Tensor) *torch.Tensor { return x.Square().Sum().MulScalar(0.5) }
	p := s.FromFloat64s([]float64{0, 0, 1, 2}, 2, 2)
	require.InDelta(t, (0+5.)/2/2, R1Penalty(half, p, 1).Float64(), 1e-12) // and nothing special at 0
	require.InDelta(t, 0.8192, R1Gamma(256, 16), 1e-12)
	require.InDelta(t, 0.0064, R1Gamma(32, 32), 1e-12)
}

func TestLazyAdam(t *testing.T) {
	lr, b1, b2 := LazyAdam(16, 0.0025, 0, 0.99)
	require.InDelta(t, 0.0023529412, lr, 1e-10)
	require.Zero(t, b1)
	require.InDelta(t, 0.9905854573, b2, 1e-10)
	lr, _, b2 = LazyAdam(4, 0.0025, 0, 0.99)
	require.InDelta(t, 0.002, lr, 1e-12)
	require.InDelta(t, 0.9919919678, b2, 1e-10)
}

// A linear generator of four pixels, whose path length is known for a given noise.
func TestPathLengthGolden(t *testing.T) {
	s := scope(t)
	a := s.FromFloat64s([]float64{1, 2, 0, 1, 3, 0, 1, 1}, 4, 2)
	styles := s.FromFloat64s([]float64{0.3, -0.2}, 1, 1, 2).RequiresGrad(true)
	images := styles.Reshape(1, 2).MatMul(a.Transpose(0, 1)).Reshape(1, 1, 2, 2)
	noise := s.FromFloat64s([]float64{0.5, -1, 2, 0.25}, 1, 1, 2, 2)
	penalty, mean := PathLengthPenalty(images, styles, noise, s.Scalar(0, double))
	const length = 3.3773140215
	require.InDelta(t, PathLengthDecay*length, mean.Float64(), 1e-9)
	require.InDelta(t, math.Pow(length*(1-PathLengthDecay), 2), penalty.Float64(), 1e-7) // 1e-8 under the root
	require.False(t, mean.IsGradRequired())
	require.Panics(t, func() { PathLengthPenalty(images, styles.Reshape(1, 2), noise, mean) })
}

// Both are gradients of gradients: a missing graph, or a running mean without its gradient, fails here.
func TestStyleLossFiniteDifferences(t *testing.T) {
	s := scope(t)
	real := s.Randn(nil, []int64{3, 4}, double)
	p, q := s.Randn(nil, []int64{4, 6}, double), s.Randn(nil, []int64{6, 1}, double)
	differences(t, s, []*torch.Tensor{p, q}, func(w []*torch.Tensor) *torch.Tensor {
		return R1Penalty(func(x *torch.Tensor) *torch.Tensor { return x.MatMul(w[0]).Tanh().MatMul(w[1]) }, real, 3)
	})

	base, noise := s.Randn(nil, []int64{2, 3, 4}, double), s.Randn(nil, []int64{2, 1, 3, 3}, double)
	synth := s.Randn(nil, []int64{12, 9}, double)
	mean := s.Scalar(0.7, double)
	differences(t, s, []*torch.Tensor{synth}, func(w []*torch.Tensor) *torch.Tensor {
		styles := base.Detach().Clone().RequiresGrad(true)
		images := styles.Flatten(1).MatMul(w[0]).Tanh().Reshape(2, 1, 3, 3)
		penalty, _ := PathLengthPenalty(images, styles, noise, mean)
		return penalty
	})
}
