package trainers

import (
	"cmp"
	"math"
	"slices"
)

// AUC is the area under the ROC curve: the probability that a real image scores higher than a generated one, ties
// counting half. 0.5 is guessing. It is 0.5 when one of the lists is empty, and NaN when a score is.
func AUC(real, fake []float32) float64 {
	if len(real) == 0 || len(fake) == 0 {
		return 0.5
	}
	type item struct {
		score float32
		real  bool
	}
	all := make([]item, 0, len(real)+len(fake))
	for _, v := range real {
		all = append(all, item{v, true})
	}
	for _, v := range fake {
		all = append(all, item{v, false})
	}
	slices.SortFunc(all, func(a, b item) int { return cmp.Compare(a.score, b.score) })
	if math.IsNaN(float64(all[0].score)) { // sorted before all others, and not equal to itself
		return math.NaN()
	}
	var area, below float64 // fakes below the current score
	for i := 0; i < len(all); {
		j := i
		var r, f float64
		for ; j < len(all) && all[j].score == all[i].score; j++ {
			if all[j].real {
				r++
			} else {
				f++
			}
		}
		area += r * (below + f/2)
		below += f
		i = j
	}
	return area / (float64(len(real)) * float64(len(fake)))
}

// ChanceAUC is the standard deviation of the [AUC] of a detector that guesses, for that many images of each kind
// (Mann and Whitney 1947): an area within two of it from 0.5 proves nothing. It is 0.5 when one of the numbers is 0.
func ChanceAUC(real, fake int) float64 {
	if real == 0 || fake == 0 {
		return 0.5
	}
	r, f := float64(real), float64(fake)
	return math.Sqrt((r + f + 1) / (12 * r * f))
}
