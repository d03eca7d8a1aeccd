package trainers

import (
	"cmp"
	"slices"
)

// AUC is the area under the ROC curve: the probability that a real image scores higher than a generated one, ties
// counting half. 0.5 is guessing. It is NaN-free: it returns 0.5 when one of the lists is empty.
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
