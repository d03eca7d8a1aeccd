package metric

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// exact gives Stats the mean and covariance asked for, without drawing any point.
func exact(s *torch.Scope, mean [2]float64, cov [2][2]float64) *Stats {
	const n = 1 << 20
	st := NewStats(s, 2)
	st.n = n
	copyTo := func(dst *torch.Tensor, v []float64) { dst.Copy_(s.FromFloat64s(v, dst.Shape()...)) }
	copyTo(st.sum, []float64{n * mean[0], n * mean[1]})
	var outer []float64
	for i := range 2 {
		for j := range 2 {
			outer = append(outer, (n-1)*cov[i][j]+n*mean[i]*mean[j])
		}
	}
	copyTo(st.outer, outer)
	return st
}

// Golden values of the closed form for two Gaussians, computed independently.
func TestFrechetGolden(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	a, err := Frechet(exact(s, [2]float64{0, 0}, [2][2]float64{{1, 0}, {0, 4}}),
		exact(s, [2]float64{1, -2}, [2][2]float64{{9, 0}, {0, 16}}))
	require.NoError(t, err)
	require.InDelta(t, 13, a, 1e-6)
	b, err := Frechet(exact(s, [2]float64{0.5, 0}, [2][2]float64{{2, 0.5}, {0.5, 1}}),
		exact(s, [2]float64{0, 1}, [2][2]float64{{1, -0.3}, {-0.3, 3}}))
	require.NoError(t, err)
	require.InDelta(t, 2.1793118550, b, 1e-6)
}

func TestStatsAreNumpyCov(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	x := s.Randn(nil, []int64{50, 3}, torch.Options{DType: torch.Float64})
	st := NewStats(s, 3)
	st.Add(x.Narrow(0, 0, 20))
	st.Add(x.Narrow(0, 20, 30))
	mean, cov := st.moments(s)
	c := x.Sub(x.MeanDim([]int64{0}, true))
	want := c.Transpose(0, 1).MatMul(c).DivScalar(49)
	require.Less(t, cov.Sub(want).Abs().Max().Float64(), 1e-12)
	require.Less(t, mean.Sub(x.MeanDim([]int64{0}, false)).Abs().Max().Float64(), 1e-12)
	d, err := Frechet(st, st)
	require.NoError(t, err)
	require.Less(t, math.Abs(d), 1e-6)
	_, err = Frechet(st, NewStats(s, 3))
	require.Error(t, err)
}

func TestRandomFeaturesAreFixed(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	x := s.Full([]int64{2, 3, 32, 32}, 0.25)
	a, err := NewRandomFeatures(s)
	require.NoError(t, err)
	require.NoError(t, torch.Seed(99))
	b, err := NewRandomFeatures(s)
	require.NoError(t, err)
	require.Equal(t, []int64{2, FeatureWidth}, a.Of(x).Shape())
	require.Equal(t, a.Of(x).Float32s(), b.Of(x).Float32s())
}
