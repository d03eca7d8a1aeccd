// Package roc says how well a score tells real images from generated ones: the receiver operating characteristic and the
// area under it.
package roc

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Curve is the ROC curve of a score: what passes for real at every threshold.
type Curve struct {
	// Point i is for the threshold that the i highest values of the score are above: the share of generated images that
	// pass for real, and the share of real ones that do. The first is (0, 0), the last (1, 1).
	FalsePositive, TruePositive []float64
	// Area under the curve: the probability that a real image has the higher score of two, equal ones counted half. 0.5 is
	// guessing.
	Area float64
}

// New computes the curve of scores. It fails if either list is empty or a score is NaN.
func New[F float32 | float64](real, fake []F) (*Curve, error) {
	if len(real) == 0 || len(fake) == 0 {
		return nil, fmt.Errorf("roc: got %d real and %d generated scores vs at least one of each", len(real), len(fake))
	}
	type item struct {
		score F
		real  bool
	}
	l := make([]item, 0, len(real)+len(fake))
	for k, scores := range [][]F{real, fake} {
		for _, v := range scores {
			if v != v {
				return nil, errors.New("roc: got a score that is NaN")
			}
			l = append(l, item{v, k == 0})
		}
	}
	slices.SortFunc(l, func(a, b item) int { return cmp.Compare(b.score, a.score) })
	c := &Curve{FalsePositive: []float64{0}, TruePositive: []float64{0}}
	var reals, fakes float64
	for i, o := range l {
		if o.real {
			reals++
		} else {
			fakes++
		}
		if i+1 < len(l) && l[i+1].score == o.score {
			continue // equal scores are passed by one threshold
		}
		x, y := fakes/float64(len(fake)), reals/float64(len(real))
		k := len(c.FalsePositive) - 1
		c.Area += (x - c.FalsePositive[k]) * (y + c.TruePositive[k]) / 2
		c.FalsePositive, c.TruePositive = append(c.FalsePositive, x), append(c.TruePositive, y)
	}
	return c, nil
}

// Area is the area under the curve: 0.5 when one of the lists is empty, NaN when a score is.
func Area[F float32 | float64](real, fake []F) float64 {
	if len(real) == 0 || len(fake) == 0 {
		return 0.5
	}
	c, err := New(real, fake)
	if err != nil {
		return math.NaN()
	}
	return c.Area
}

// Chance is the standard deviation of the area of a score that guesses, for that many images of each kind (Mann and
// Whitney 1947): an area within two of it from 0.5 proves nothing. It is 0.5 when one of the numbers is 0.
func Chance(real, fake int) float64 {
	if real == 0 || fake == 0 {
		return 0.5
	}
	r, f := float64(real), float64(fake)
	return math.Sqrt((r + f + 1) / (12 * r * f))
}
