package trainers

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

func TestKLGolden(t *testing.T) {
	s := scope(t)
	mu, logvar := s.FromFloat64s([]float64{0.5, -1}, 1, 2), s.FromFloat64s([]float64{0.2, -0.3}, 1, 2)
	require.InDelta(t, 0.6561104894, KL(mu, logvar, KLOptions{}).Float64(), 1e-10)
	require.InDelta(t, 0.6561104894/2, KL(mu, logvar, KLOptions{Reduction: MeanReduction}).Float64(), 1e-10)
	zero := s.Zeros([]int64{3, 4}, double)
	require.Zero(t, KL(zero, zero, KLOptions{}).Float64())

	// The recipe's own words: -0.5 * mean(1 + logvar - mu^2 - exp(logvar)).
	recipe := logvar.AddScalar(1).Sub(mu.Square()).Sub(logvar.Exp()).Mean().MulScalar(-0.5)
	require.InDelta(t, recipe.Float64(), KL(mu, logvar, KLOptions{Reduction: MeanReduction}).Float64(), 1e-12)
}

// Of two dimensions one is below the limit and costs as much as the limit, without a gradient.
func TestFreeBits(t *testing.T) {
	s := scope(t)
	mu := s.FromFloat64s([]float64{0.1, 2, -0.1, 2}, 2, 2).RequiresGrad(true)
	logvar := s.Zeros([]int64{2, 2}, double)
	loss := KL(mu, logvar, KLOptions{FreeBits: 0.25})
	require.InDelta(t, 0.25+2, loss.Float64(), 1e-12) // 2²/2
	g := torch.Slice[float64](torch.Grad(loss, []*torch.Tensor{mu}, torch.GradOptions{})[0])
	require.Equal(t, []float64{0, 1, 0, 1}, g)
	require.Panics(t, func() { KL(mu, logvar, KLOptions{FreeBits: 1, Reduction: MeanReduction}) })
}

func TestReconstruction(t *testing.T) {
	s := scope(t)
	out, x := s.FromFloat64s([]float64{0.5, -1, 2, 0}, 2, 1, 1, 2), s.FromFloat64s([]float64{1, 0, 0.25, 0.5}, 2, 1, 1, 2)
	var mse, l1, bce float64
	for i, o := range []float64{0.5, -1, 2, 0} {
		v := []float64{1, 0, 0.25, 0.5}[i]
		p := 1 / (1 + math.Exp(-o))
		mse, l1, bce = mse+(o-v)*(o-v), l1+math.Abs(o-v), bce-v*math.Log(p)-(1-v)*math.Log(1-p)
	}
	for kind, want := range map[ReconstructionKind]float64{MSEReconstruction: mse, L1Reconstruction: l1, BCEReconstruction: bce} {
		require.InDelta(t, want/2, Reconstruction(kind, out, x, SumReduction).Float64(), 1e-12, kind)
		require.InDelta(t, want/2, Reconstruction(kind, out, x, "").Float64(), 1e-12, kind)
		require.InDelta(t, want/4, Reconstruction(kind, out, x, MeanReduction).Float64(), 1e-12, kind)
		parsed, err := ParseReconstruction(string(kind))
		require.NoError(t, err)
		require.Equal(t, kind, parsed)
	}
	huge := s.Full([]int64{1, 1}, 1e4, double)
	require.InDelta(t, 1e4, Reconstruction(BCEReconstruction, huge, huge.ZerosLike(), "").Float64(), 1e-6, "no overflow")
	_, err := ParseReconstruction("ssim")
	require.ErrorContains(t, err, "mse, l1 or bce")
	require.Panics(t, func() { Reconstruction("ssim", out, x, "") })
}

func TestVAELossFiniteDifferences(t *testing.T) {
	s := scope(t)
	mu, logvar := s.Randn(nil, []int64{3, 4}, double), s.Randn(nil, []int64{3, 4}, double).MulScalar(0.5)
	noise, x := s.Randn(nil, []int64{3, 4}, double), s.Rand(nil, []int64{3, 4}, double)
	for _, kind := range []ReconstructionKind{MSEReconstruction, L1Reconstruction, BCEReconstruction} {
		for _, r := range []Reduction{SumReduction, MeanReduction} {
			differences(t, s, []*torch.Tensor{mu, logvar}, func(v []*torch.Tensor) *torch.Tensor {
				z := Reparameterize(v[0], ClampLogVar(v[1]), noise)
				return Reconstruction(kind, z, x, r).Add(KL(v[0], v[1], KLOptions{Reduction: r}))
			})
		}
	}
}

func TestClampLogVar(t *testing.T) {
	s := scope(t)
	v := s.FromFloat64s([]float64{-100, 0, 100}).RequiresGrad(true)
	c := ClampLogVar(v)
	require.Equal(t, []float64{-30, 0, 20}, torch.Slice[float64](c.Detach()))
	require.Equal(t, []float64{0, 1, 0}, torch.Slice[float64](torch.Grad(c.Sum(), []*torch.Tensor{v}, torch.GradOptions{})[0]))
}

// Free bits, and a whole step from the encoder's outputs to the loss: only dimensions above the limit have a gradient.
func TestVAEStepFiniteDifferences(t *testing.T) {
	s := scope(t)
	mu := s.FromFloat64s([]float64{0.9, -0.05, -0.7, 0.02}, 2, 2) // the second dimension is below half a nat
	logvar := s.FromFloat64s([]float64{0.8, 0.1, -0.6, -0.1}, 2, 2)
	noise, x := s.Randn(nil, []int64{2, 2}, double), s.Rand(nil, []int64{2, 2}, double)
	loss := func(v []*torch.Tensor) *torch.Tensor {
		z := Reparameterize(v[0], ClampLogVar(v[1]), noise)
		return Reconstruction(BCEReconstruction, z, x, SumReduction).Add(KL(v[0], v[1], KLOptions{FreeBits: 0.1}))
	}
	differences(t, s, []*torch.Tensor{mu, logvar}, loss)
	leaf := mu.Clone().RequiresGrad(true)
	g := torch.Grad(KL(leaf, logvar, KLOptions{FreeBits: 0.1}), []*torch.Tensor{leaf}, torch.GradOptions{})[0].To(torch.Float32).Float32s()
	require.NotZero(t, g[0])
	require.Zero(t, g[1])
}
