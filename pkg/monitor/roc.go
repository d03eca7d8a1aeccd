package monitor

import (
	"fmt"
	"image"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/tigas-train/tigas-train/pkg/roc"
)

// ROC draws a curve with the diagonal of a detector that guesses, and the area in the title.
func ROC(title string, r *roc.Curve) (image.Image, error) {
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
