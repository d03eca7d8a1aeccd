package tensorboard

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The limits by their closed form, which is not how they are made.
func TestBucketLimits(t *testing.T) {
	limits := bucketLimits()
	require.Len(t, limits, 774+1+774+1) // 774: of PyTorch 1.13
	require.True(t, slices.IsSorted(limits))
	require.Equal(t, 0.0, limits[774])
	require.Equal(t, 1e-12, limits[775])
	require.Equal(t, 9.920775621859783e+19, limits[len(limits)-2], "the last of PyTorch 1.13, to the last digit")
	require.Equal(t, math.MaxFloat64, limits[len(limits)-1])
	for k := range 774 {
		require.InEpsilon(t, 1e-12*math.Pow(1.1, float64(k)), limits[775+k], 1e-12)
		require.Equal(t, limits[775+k], -limits[773-k])
	}
}

// checkHistogram compares a histogram that was read with the finite numbers among values.
func checkHistogram(t *testing.T, h object, values []float64) {
	t.Helper()
	number := func(name string) float64 {
		v, _ := h[name].(float64) // 0 is left out
		return v
	}
	var finite []float64
	var sum, squares float64
	for _, v := range values {
		if v-v == 0 {
			finite = append(finite, v)
			sum += v
			squares += v * v
		}
	}
	require.Equal(t, float64(len(finite)), number("num"))
	require.Equal(t, slices.Min(finite), number("min"))
	require.Equal(t, slices.Max(finite), number("max"))
	require.Equal(t, sum, number("sum"))
	require.Equal(t, squares, number("sum_squares"))

	limits, counts := h["bucket_limit"].([]float64), h["bucket"].([]float64)
	require.Equal(t, len(limits), len(counts))
	lower, total := math.Inf(-1), 0.0
	for i, limit := range limits {
		require.Less(t, lower, limit, "limits are not ascending")
		var n float64
		for _, v := range finite {
			if lower <= v && (v < limit || v == math.MaxFloat64 && limit == v) {
				n++
			}
		}
		require.Equal(t, n, counts[i], "bucket %d, up to %v", i, limit)
		k, ok := slices.BinarySearch(bucketLimits(), limit)
		require.True(t, ok, "%v is no limit", limit)
		if n > 0 && i > 0 {
			require.Equal(t, bucketLimits()[k-1], lower, "only empty buckets are put together")
		}
		lower, total = limit, total+n
	}
	require.Equal(t, float64(len(finite)), total)
	require.NotZero(t, counts[0], "an empty bucket at the start would go from min to below it")
	require.NotZero(t, counts[len(counts)-1], "an empty bucket at the end")
	for i := 1; i < len(counts); i++ {
		require.False(t, counts[i] == 0 && counts[i-1] == 0, "empty buckets in a row")
	}
}

func TestHistograms(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	normal, wide := make([]float64, 5000), make([]float64, 3000)
	for i := range normal {
		normal[i] = rng.NormFloat64()
	}
	for i := range wide {
		wide[i] = math.Copysign(math.Pow(10, rng.Float64()*40-16), rng.Float64()-0.5)
	}
	cases := [][]float64{
		normal, wide, {0}, {1}, {-1}, {0, 0, 0}, {1, 1, 1}, {1e-12}, {-1e-12}, {1e-13, -1e-13}, {math.SmallestNonzeroFloat64},
		{math.NaN(), 2, math.Inf(1), -3, math.Inf(-1)},
		{math.MaxFloat64}, {-math.MaxFloat64}, {math.MaxFloat64, -math.MaxFloat64, 0}, {1e20, 1e21, -1e20, -1e21},
		bucketLimits(),
	}
	w, m := inMemory(t)
	for i, values := range cases {
		w.Histogram("h", int64(i), values)
	}
	require.NoError(t, w.Close())
	got := events(t, m.Bytes())
	require.Len(t, got, len(cases))
	for i, e := range got {
		v := value(t, e)
		require.Equal(t, "h", v["tag"])
		checkHistogram(t, v["histo"].(object), cases[i])
	}
}

func TestHistogramOfNothing(t *testing.T) {
	w, m := inMemory(t)
	w.Histogram("h", 1, nil)
	w.Histogram("h", 1, []float64{math.NaN(), math.Inf(1)})
	require.NoError(t, w.Close())
	require.Empty(t, events(t, m.Bytes()))
}
