package sched

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Computed in float64 from the papers' formulas with NumPy, at t = 0, 1, 249, 499, 749, 999 of 1,000.
func TestNoiseGolden(t *testing.T) {
	for kind, want := range map[string][]float64{
		LinearNoise:  {0.9999, 0.9997800921, 0.5240853738, 0.07858724288, 0.003350550439, 4.035829765e-05},
		CosineNoise:  {0.9999587158, 0.9999125759, 0.8470121613, 0.4938435904, 0.1442721024, 2.428766907e-09},
		SigmoidNoise: {0.9996997208, 0.9993978074, 0.8508535479, 0.5, 0.1491464521, 3.002791997e-07},
	} {
		n, err := NewNoise(kind, 1000)
		require.NoError(t, err)
		require.Equal(t, kind, n.Kind())
		for i, at := range []int{0, 1, 249, 499, 749, 999} {
			require.InEpsilon(t, want[i], n.AlphaBar(at), 1e-8, "%s %d", kind, at) // ten digits are given
		}
	}
}

func TestNoiseIsConsistent(t *testing.T) {
	for _, kind := range []string{LinearNoise, CosineNoise, SigmoidNoise} {
		for _, steps := range []int{1, 2, 50, 1000, 4000} {
			n, err := NewNoise(kind, steps)
			require.NoError(t, err)
			require.Equal(t, steps, n.Steps())
			require.Equal(t, 1.0, n.AlphaBar(-1))
			bar := 1.0
			for k := range steps {
				require.Greater(t, n.Beta(k), 0.0, "%s %d of %d", kind, k, steps)
				require.LessOrEqual(t, n.Beta(k), maxBeta+1e-9)
				bar *= 1 - n.Beta(k)
				require.InEpsilon(t, bar, n.AlphaBar(k), 1e-9)
				require.Less(t, n.AlphaBar(k), n.AlphaBar(k-1))
			}
		}
	}
}

// Where the signal falls below five times the noise, and below half of the variance: known for 1,000 steps.
func TestNoiseLimits(t *testing.T) {
	linear, err := NewNoise(LinearNoise, 1000)
	require.NoError(t, err)
	cosine, err := NewNoise(CosineNoise, 1000)
	require.NoError(t, err)
	require.Equal(t, 130, linear.Before(5./6))
	require.Equal(t, 261, cosine.Before(5./6))
	require.Equal(t, 259, linear.Before(0.5))
	require.Equal(t, 496, cosine.Before(0.5))
	require.Equal(t, 1000, cosine.Before(0))
	require.Equal(t, 0, cosine.Before(1.1))
	require.InDelta(t, 8.5366696, linear.SNR(100), 1e-7)
	require.InDelta(t, -157.4, -math.Sqrt(1/linear.SNR(999)), 0.05, "what an error of the noise does to the image")
}

func TestNoiseRefuses(t *testing.T) {
	for _, steps := range []int{0, -1, 100_001} {
		_, err := NewNoise(LinearNoise, steps)
		require.ErrorContains(t, err, "steps")
	}
	_, err := NewNoise("quadratic", 1000)
	require.ErrorContains(t, err, "linear, cosine or sigmoid")
	n, err := NewNoise(LinearNoise, 10)
	require.NoError(t, err)
	require.Panics(t, func() { n.AlphaBar(10) })
	require.Panics(t, func() { n.AlphaBar(-2) })
}
