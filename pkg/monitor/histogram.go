package monitor

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// histogramBins is the number of bars between score 0 and score 1.
const histogramBins = 50

// Population is scores that belong together: "real", "fake".
type Population struct {
	Name   string
	Scores []float64
}

// ScoreHistogram draws how scores are distributed between 0 and 1, with lines at the threshold and at each population's
// mean and a box of statistics. It takes one population or two; two are drawn over one another in shares, since their
// numbers may differ, one in counts. It fails without scores, and for scores outside of 0 to 1.
func ScoreHistogram(title string, threshold float64, populations ...Population) (image.Image, error) {
	if len(populations) < 1 || len(populations) > 2 {
		return nil, fmt.Errorf("monitor: histogram: got %d populations vs 1 or 2", len(populations))
	}
	two := len(populations) == 2
	label := "pictures"
	if two {
		label = "share of pictures, %"
	}
	p := newPlot(title, "score (0: generated, 1: real)", label)
	p.Add(grid{})
	p.Legend.Top, p.Legend.YOffs, p.Legend.XOffs = true, -vg.Points(6), -vg.Points(10)
	var text []string
	var means []plot.Plotter
	var rulers []*ruler
	highest, upper, lower := 0.0, 0.0, 0.0 // the highest bar, that above 0.66, that below 0.34
	for i, l := range populations {
		bars, err := histogram(l.Scores, two)
		if err != nil {
			return nil, err
		}
		c := []color.NRGBA{blue, vermillion}[i]
		s := Summarize(l.Scores)
		mean := &ruler{s.Mean, 0, draw.LineStyle{Color: c, Width: vg.Points(1.6)}}
		h := &plotter.Histogram{Bins: bars, Width: 1. / histogramBins, FillColor: color.NRGBA{c.R, c.G, c.B, 130},
			LineStyle: draw.LineStyle{Color: color.NRGBA{c.R, c.G, c.B, 200}, Width: vg.Points(0.5)}}
		p.Add(h)
		means, rulers = append(means, mean), append(rulers, mean)
		if two {
			p.Legend.Add(fmt.Sprintf("%s (%d)", l.Name, len(l.Scores)), h)
		}
		p.Legend.Add(fmt.Sprintf("mean %.3f", s.Mean), mean)
		for k, b := range bars {
			highest = max(highest, b.Weight)
			if k >= histogramBins*2/3 {
				upper = max(upper, b.Weight)
			} else if k < histogramBins/3 {
				lower = max(lower, b.Weight)
			}
		}
		text = append(text, statistics(l, s, threshold, two)...)
	}
	line := &ruler{threshold, 0, draw.LineStyle{Color: color.Black, Width: vg.Points(1.2), Dashes: []vg.Length{vg.Points(4), vg.Points(3)}}}
	p.Add(means...)
	p.Add(line)
	p.Legend.Add("threshold "+strconv.FormatFloat(threshold, 'g', 3, 64), line)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, highest*1.08
	p.X.Tick.Marker, p.Y.Tick.Marker = tenths{}, plot.TickerFunc(func(_, _ float64) []plot.Tick { return wholeTicks(highest) })
	// Texts go to the side with the lower bars, and above them if both are high.
	left := lower < upper
	if two || min(lower, upper) > highest*0.45 {
		p.Y.Max = highest * 1.75
	}
	for _, r := range append(rulers, line) {
		r.to = highest * 1.05
	}
	p.Legend.Left = left
	if left {
		p.Legend.XOffs = vg.Points(6)
	}
	entries := 2 // of the legend: the threshold, and a mean for each
	if two {
		entries = 5 // and what each is
	}
	p.Add(box{text, left, vg.Points(10) + vg.Length(entries)*vg.Points(12)})
	return render(p), nil
}

// statistics are the lines of the box.
func statistics(l Population, s Summary, threshold float64, named bool) []string {
	above := 0
	for _, v := range l.Scores {
		if v > threshold {
			above++
		}
	}
	n := len(l.Scores)
	share := func(k int) float64 { return 100 * float64(k) / float64(n) }
	if named {
		return []string{fmt.Sprintf("%s: median %.3f, std %.3f, %.1f %% above %g", l.Name, s.Median, s.Std, share(above), threshold)}
	}
	return []string{
		fmt.Sprintf("pictures %d", n),
		fmt.Sprintf("std %.3f", s.Std),
		fmt.Sprintf("median %.3f (%.3f to %.3f)", s.Median, s.Q25, s.Q75),
		fmt.Sprintf("real %d (%.1f %%), fake %d (%.1f %%)", above, share(above), n-above, share(n-above)),
	}
}

// histogram counts scores, or gives their share in percent.
func histogram(scores []float64, share bool) ([]plotter.HistogramBin, error) {
	if len(scores) == 0 {
		return nil, fmt.Errorf("monitor: histogram: got no scores")
	}
	bars := make([]plotter.HistogramBin, histogramBins)
	for i := range bars {
		bars[i].Min, bars[i].Max = float64(i)/histogramBins, float64(i+1)/histogramBins
	}
	one := 1.0
	if share {
		one = 100 / float64(len(scores))
	}
	for _, v := range scores {
		if math.IsNaN(v) || v < 0 || v > 1 {
			return nil, fmt.Errorf("monitor: histogram: got the score %v vs 0 to 1", v)
		}
		bars[min(histogramBins-1, int(v*histogramBins))].Weight += one
	}
	return bars, nil
}

// tenths are ticks at 0, 0.1 ... 1.
type tenths struct{}

// Ticks ignores the range: the axis is from 0 to 1.
func (tenths) Ticks(_, _ float64) []plot.Tick {
	l := make([]plot.Tick, 11)
	for i := range l {
		l[i] = plot.Tick{Value: float64(i) / 10, Label: strconv.FormatFloat(float64(i)/10, 'f', 1, 64)}
	}
	return l
}

// wholeTicks are about five ticks at round whole numbers, up to the highest bar: above are texts.
func wholeTicks(most float64) (l []plot.Tick) {
	step := 1.0
	for i := 0; most/step > 6; i++ {
		step *= []float64{2, 2.5, 2}[i%3] // 1, 2, 5, 10
	}
	for v := 0.0; v <= most; v += step {
		l = append(l, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'f', -1, 64)})
	}
	return l
}
