package trainers

import (
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/metric"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

const (
	mostMeasured   = 64 // pictures that are measured and scored at each moment: the noise of their mean is small enough
	perturbQuality = 75 // of [tigas.Compress]: what pictures on the web have been through
)

// Measured is how many samples are measured of a grid with so many pictures along each side; 0 along each side is the default.
func Measured(grid int) int {
	grid = RunOptions{Grid: grid}.Resolve().Grid
	return min(mostMeasured, grid*grid)
}

// measured is what is known of some pictures.
type measured struct {
	diversity, detail float64
	scores            []float64 // of each; nil without a detector
	score, perturbed  float64   // means; perturbed is the lower one of those after a blur and after compression
}

// measure looks at pictures [N, 3, H, W] of bytes, at most the first 64.
func (l *loop) measure(pix []byte, n, h, w int) (m measured) {
	n = min(n, mostMeasured)
	pix = pix[:n*3*h*w]
	m.diversity, m.detail = metric.Diversity(pix, n, h, w), metric.Detail(pix, n, h, w)
	d := l.f.TIGAS().Detector
	if d == nil || !l.weighted() {
		return m
	}
	part := max(1, min(n, l.o.Loader.Batch())) // no more than training has in memory
	var all []float64                          // [parts][3][part]
	_ = l.scope.Scoped(func(out *torch.Scope) error {
		var parts []*torch.Tensor
		for at := 0; at < n; at += part {
			k := min(part, n-at)
			torch.NoGrad(func() {
				s := out.Child()
				defer s.Close()
				x := torch.FromSlice(s, pix[at*3*h*w:(at+k)*3*h*w], int64(k), 3, int64(h), int64(w)).ToDevice(l.o.Device).To(torch.Float32).DivScalar(255)
				for _, x := range []*torch.Tensor{x, tigas.Blur(x), tigas.Compress(x, perturbQuality)} {
					parts = append(parts, out.Adopt(d.Score(x)))
				}
			})
		}
		all = torch.Slice[float64](torch.Cat(parts, 0).To(torch.Float64)) // the device is waited for once
		return nil
	})
	var blurred, compressed []float64
	for at := 0; at < n; at += part {
		k := min(part, n-at)
		m.scores, all = append(m.scores, all[:k]...), all[k:]
		blurred, all = append(blurred, all[:k]...), all[k:]
		compressed, all = append(compressed, all[:k]...), all[k:]
	}
	m.score = monitor.Summarize(m.scores).Mean
	m.perturbed = math.Min(monitor.Summarize(blurred).Mean, monitor.Summarize(compressed).Mean)
	return m
}

// weighted tells whether the term has a weight now, or at the end of the run: with a weight of 0 no detector is run.
func (l *loop) weighted() bool {
	t := l.f.TIGAS()
	if t.Weight == nil {
		return false
	}
	end := sched.Progress{Step: 1 << 53, Images: int64(l.o.Kimg * 1000), Epoch: l.o.Kimg * 1000 / float64(max(1, l.o.Loader.Len()))}
	return t.Weight.At(l.s.Progress) != 0 || t.Weight.At(end) != 0
}

// values are the names of what was measured in the log: of samples beside real pictures.
func (m measured) values(real measured) []monitor.Value {
	l := []monitor.Value{{Name: "sample_diversity", Value: m.diversity}, {Name: "data_diversity", Value: real.diversity},
		{Name: "sample_detail", Value: m.detail}, {Name: "data_detail", Value: real.detail}}
	if m.scores != nil {
		l = append(l, monitor.Value{Name: "sample_score", Value: m.score}, monitor.Value{Name: "sample_score_perturbed", Value: m.perturbed},
			monitor.Value{Name: "data_score", Value: real.score}, monitor.Value{Name: "data_score_perturbed", Value: real.perturbed})
	}
	return l
}
