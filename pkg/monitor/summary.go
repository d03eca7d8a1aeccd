package monitor

import (
	"math"
	"slices"
)

// Summary is what is said about a list of scores.
type Summary struct {
	N                int
	Mean, Std        float64 // Std is that of the list itself, not an estimate for more: divided by N
	Min, Max         float64
	Q25, Median, Q75 float64 // between two values in proportion, as NumPy's default
}

// Summarize computes a summary; zeros for no scores.
func Summarize(scores []float64) Summary {
	n := len(scores)
	if n == 0 {
		return Summary{}
	}
	l := slices.Sorted(slices.Values(scores))
	s := Summary{N: n, Min: l[0], Max: l[n-1], Q25: quantile(l, 0.25), Median: quantile(l, 0.5), Q75: quantile(l, 0.75)}
	for _, v := range l {
		s.Mean += v / float64(n)
	}
	for _, v := range l {
		s.Std += (v - s.Mean) * (v - s.Mean) / float64(n)
	}
	s.Std = math.Sqrt(s.Std)
	return s
}

// quantile of a sorted list.
func quantile(l []float64, q float64) float64 {
	at := q * float64(len(l)-1)
	i := int(at)
	if i+1 >= len(l) {
		return l[len(l)-1]
	}
	return l[i] + (l[i+1]-l[i])*(at-float64(i))
}
