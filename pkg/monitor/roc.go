package monitor

import (
	"cmp"
	"fmt"
	"image"
	"math"
	"slices"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// ROC is how well a score tells real pictures from fake ones at every threshold.
type ROC struct {
	// Point i is for the threshold that the i highest values of the score are above: the share of fakes that pass for real,
	// and the share of real pictures that do. The first is (0, 0), the last (1, 1).
	FalsePositive, TruePositive []float64
	// Area under the curve: the probability that a real picture has the higher score of two, equal ones counted half.
	Area float64
}

// NewROC computes the curve. It fails if either list is empty or has a NaN.
func NewROC(real, fake []float64) (*ROC, error) {
	if len(real) == 0 || len(fake) == 0 {
		return nil, fmt.Errorf("monitor: roc: got %d real and %d fake scores vs at least one of each", len(real), len(fake))
	}
	type one struct {
		score float64
		real  bool
	}
	l := make([]one, 0, len(real)+len(fake))
	for _, v := range real {
		l = append(l, one{v, true})
	}
	for _, v := range fake {
		l = append(l, one{v, false})
	}
	if slices.ContainsFunc(l, func(o one) bool { return math.IsNaN(o.score) }) {
		return nil, fmt.Errorf("monitor: roc: got a score that is NaN")
	}
	slices.SortFunc(l, func(a, b one) int { return cmp.Compare(b.score, a.score) })
	r := &ROC{FalsePositive: []float64{0}, TruePositive: []float64{0}}
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
		k := len(r.FalsePositive) - 1
		r.Area += (x - r.FalsePositive[k]) * (y + r.TruePositive[k]) / 2
		r.FalsePositive, r.TruePositive = append(r.FalsePositive, x), append(r.TruePositive, y)
	}
	return r, nil
}

// Draw draws the curve with the diagonal of a detector that guesses, and the area in the title.
func (r *ROC) Draw(title string) (image.Image, error) {
	p := newPlot(fmt.Sprintf("%s: area under the curve %.4f", title, r.Area),
		"false positive rate: fakes taken for real",
		"true positive rate: real pictures taken for real")
	points := make(plotter.XYs, len(r.FalsePositive))
	for i := range points {
		points[i] = plotter.XY{X: r.FalsePositive[i], Y: r.TruePositive[i]}
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return nil, fmt.Errorf("monitor: roc: %w", err)
	}
	line.LineStyle = draw.LineStyle{Color: blue, Width: vg.Points(2)}
	line.FillColor = shade
	diagonal := &plotter.Line{XYs: plotter.XYs{{X: 0, Y: 0}, {X: 1, Y: 1}},
		LineStyle: draw.LineStyle{Color: grey, Width: vg.Points(1), Dashes: []vg.Length{vg.Points(4), vg.Points(3)}}}
	p.Add(grid{x: true}, line, diagonal)
	p.Legend.Add("detector", line)
	p.Legend.Add("guessing", diagonal)
	p.Legend.XOffs, p.Legend.YOffs = -vg.Points(12), vg.Points(8)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	p.X.Tick.Marker, p.Y.Tick.Marker = tenths{}, tenths{}
	return render(p), nil
}
