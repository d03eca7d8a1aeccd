package diagnose

import (
	"math"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// young is how many thousands of images every family needs before its samples look like anything. What is measured
// earlier says nothing about the run: the samples of the demo runs are blots until then.
const young = 5.0

// recent is how many ticks are "now": single ones are noisy, and a run has about 50 at least.
const recent = 10

// point is a finite value of the log.
type point struct {
	step    int64
	kimg, v float64
}

// series are the values of one name, with rising steps.
type series []point

// track is a series with what its name says.
type track struct {
	name    string
	points  series
	skipped bool // counts updates that were left out
	norm    bool // of a gradient
	trained bool // made in every step: when it is not finite, so was the step
}

// incident is something that went wrong in a line of the log.
type incident struct {
	entry int
	kimg  float64
	name  string
}

// view is a log by names.
type view struct {
	Run
	tracks  []*track // in the order in which they first came
	byName  map[string]*track
	entries int
	kimg    float64 // now

	// These are of all entries, also those that were trained again: a divergence is why.
	skips   []incident // updates that were left out
	nans    []incident // nothing finite in a whole tick
	rewinds []incident // returns to an earlier step
}

func newView(r Run, entries []monitor.LogEntry) *view {
	for _, x := range []*float64{&r.Weight, &r.ClipGrad, &r.TotalKimg} {
		if !finite(*x) || *x < 0 {
			*x = 0
		}
	}
	r.Every = max(r.Every, 1)
	v := &view{Run: r, byName: map[string]*track{}, entries: len(entries)}
	var layout []*track // of the last entry: lines of a log mostly have the same names in the same places
	for i := range entries {
		e := &entries[i]
		if finite(e.Kimg) {
			v.kimg = e.Kimg
		}
		if i > 0 && e.Step < entries[i-1].Step {
			v.rewinds = append(v.rewinds, incident{i, v.kimg, ""})
			for _, t := range v.tracks {
				t.points = t.points.before(e.Step)
			}
		}
		for j, x := range e.Values {
			if j == len(layout) {
				layout = append(layout, v.track(x.Name))
			} else if layout[j].name != x.Name {
				layout[j] = v.track(x.Name)
			}
			t := layout[j]
			if !finite(x.Value) {
				if t.trained {
					v.nans = append(v.nans, incident{i, v.kimg, t.name})
				}
				continue
			}
			if t.skipped && x.Value > 0 {
				v.skips = append(v.skips, incident{i, v.kimg, strings.TrimPrefix(t.name, skipPrefix)})
			}
			p := point{e.Step, v.kimg, x.Value}
			if n := len(t.points); n > 0 && t.points[n-1].step == e.Step { // samples that were drawn again after a return
				t.points[n-1] = p
				continue
			}
			switch len(t.points) { // samples have few, ticks as many as there are entries
			case 0:
				t.points = slices.Grow(t.points, min(len(entries)-i, few))
			case few:
				t.points = slices.Grow(t.points, len(entries)-i)
			}
			t.points = append(t.points, p)
		}
	}
	return v
}

const (
	skipPrefix = "skipped_"
	normSuffix = "_grad_norm"
	few        = 32 // sets of samples that a series has room for at first
)

// losses are the values that come from every step of training, with the norms of gradients.
var losses = []string{"total", "G", "D", "gp", "r1", "path_loss", "recon", "kl", "mse", "scores_real", "scores_fake"}

func (v *view) track(name string) *track {
	t := v.byName[name]
	if t == nil {
		t = &track{name: name, skipped: strings.HasPrefix(name, skipPrefix), norm: strings.HasSuffix(name, normSuffix)}
		t.trained = t.norm || slices.Contains(losses, name)
		v.byName[name], v.tracks = t, append(v.tracks, t)
	}
	return t
}

// at is the series of a name, empty where the log has none.
func (v *view) at(name string) series {
	if t := v.byName[name]; t != nil {
		return t.points
	}
	return nil
}

// last is the newest value of a name.
func (v *view) last(name string) (point, bool) {
	s := v.at(name)
	if len(s) == 0 {
		return point{}, false
	}
	return s[len(s)-1], true
}

// trained is a series without what was measured before the first step.
func (v *view) trained(name string) series {
	s := v.at(name)
	for len(s) > 0 && s[0].step <= 0 {
		s = s[1:]
	}
	return s
}

// past tells whether a share of the run is over. Where its length is not known, ticks or samples have to be counted instead:
// then it is true.
func (v *view) past(share float64) bool { return v.TotalKimg == 0 || v.kimg >= share*v.TotalKimg }

// adversarial tells whether a critic and a generator are trained against each other.
func (v *view) adversarial() bool {
	return v.Family == "stylegan" || v.Family == "gan" && v.Objective != "tigas-only"
}

// lately counts the entries among the last ones in which something went wrong.
func (v *view) lately(l []incident, entries int) int {
	n, counted := 0, -1
	for _, x := range l {
		if x.entry >= v.entries-entries && x.entry != counted {
			n, counted = n+1, x.entry
		}
	}
	return n
}

// before is a series without the points at or after a step.
func (s series) before(step int64) series {
	n := len(s)
	for n > 0 && s[n-1].step >= step {
		n--
	}
	return s[:n]
}

// tail are the last n points, or all.
func (s series) tail(n int) series { return s[max(0, len(s)-n):] }

func (s series) mean() float64 {
	sum := 0.0
	for _, p := range s {
		sum += p.v
	}
	return sum / float64(len(s))
}

func (s series) highest() float64 {
	m := math.Inf(-1)
	for _, p := range s {
		m = max(m, p.v)
	}
	return m
}

// median is the middle one of the values, the upper one of two.
func (s series) median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	l := make([]float64, len(s))
	for i, p := range s {
		l[i] = p.v
	}
	slices.Sort(l)
	return l[len(l)/2]
}

// over divides two series where both have a value and the divisor is not 0.
func (s series) over(by series) series {
	var out series
	for _, p := range s {
		for len(by) > 0 && by[0].step < p.step {
			by = by[1:]
		}
		if len(by) > 0 && by[0].step == p.step && by[0].v != 0 {
			if q := p.v / by[0].v; finite(q) {
				out = append(out, point{p.step, p.kimg, q})
			}
		}
	}
	return out
}

// finite is written for speed: the difference is NaN for what is not.
func finite(x float64) bool { return x-x == 0 }
