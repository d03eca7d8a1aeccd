package roc

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// By hand: of the six pairs, real 0.9 beats all three, real 0.4 beats one and ties with one.
func TestCurve(t *testing.T) {
	c, err := New([]float64{0.9, 0.4}, []float64{0.4, 0.7, 0.1})
	require.NoError(t, err)
	require.InDelta(t, 4.5/6, c.Area, 1e-12)
	require.Equal(t, []float64{0, 0, 1. / 3, 2. / 3, 1}, c.FalsePositive)
	require.Equal(t, []float64{0, 0.5, 0.5, 1, 1}, c.TruePositive)
}

// The area is the share of pairs in the right order, counted one by one.
func TestAreaCountsPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		real, fake := make([]float32, 1+rng.IntN(30)), make([]float32, 1+rng.IntN(30))
		for _, l := range [][]float32{real, fake} {
			for i := range l {
				l[i] = float32(rng.IntN(8)) / 8 // many ties
			}
		}
		var want float64
		for _, r := range real {
			for _, f := range fake {
				switch {
				case r > f:
					want++
				case r == f:
					want += 0.5
				}
			}
		}
		require.InDelta(t, want/float64(len(real)*len(fake)), Area(real, fake), 1e-12)
	}
}

func TestEdges(t *testing.T) {
	require.Equal(t, 0.5, Area(nil, []float64{1}))
	require.True(t, math.IsNaN(Area([]float64{1}, []float64{math.NaN()})))
	_, err := New([]float64{}, []float64{1})
	require.ErrorContains(t, err, "at least one of each")
	_, err = New([]float64{math.NaN()}, []float64{1})
	require.ErrorContains(t, err, "NaN")
	require.Equal(t, 1.0, Area([]float64{math.Inf(1)}, []float64{0}))

	require.InDelta(t, 0.5, Chance(1, 1), 1e-12)
	require.InDelta(t, math.Sqrt(31./(12*225)), Chance(15, 15), 1e-12)
	require.Equal(t, 0.5, Chance(0, 3))
}
