package trainers

import (
	"math"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// stats gathers reported values. They stay on the device, and cross over together: nothing waits for it between two log
// lines.
type stats struct {
	scope   *torch.Scope // parent of the values that are still there
	waiting *torch.Scope
	chunks  []*torch.Tensor // float64 vectors and scalars, whose elements are values
	values  []waiting
	step    int // where the values of the current step begin

	// seen is told of each value of a step when it has crossed over, step by step; nil: nobody.
	seen func(step int64, values []waiting)
	now  int64 // the current step

	names []string // in the order of the first report
	means map[string]*mean

	epoch  int64 // that the step is in
	epochs epochs
}

// waiting is a value that is still on the device, or one that the host knew from the start.
type waiting struct {
	name  string
	chunk int // index of the tensor that it is in, from 1; 0: v
	at    int // element of that
	v     float64
	epoch int64
	step  int64
}

// mean is the mean of the finite values of a name since the last line of the log.
type mean struct {
	Sum   float64 `json:"sum"`
	N     int64   `json:"n"`
	Other int64   `json:"other,omitempty"` // values that were not finite
}

// scoreName is what a [Family] reports the detector's mean score as.
const scoreName = "score"

// mostWaiting bounds the memory of values that wait, and how late one learns of those that are not finite.
const mostWaiting = 4096

func newStats(s *torch.Scope) *stats { return &stats{scope: s, means: map[string]*mean{}} }

// add takes a scalar tensor, which may be freed after that.
func (st *stats) add(name string, v *torch.Tensor) {
	torch.NoGrad(func() { st.chunks = append(st.chunks, st.kept().Adopt(v.To(torch.Float64))) })
	st.values = append(st.values, waiting{name: name, chunk: len(st.chunks), epoch: st.epoch, step: st.now})
}

// addAll takes a float64 vector with a value for each name, and copies it.
func (st *stats) addAll(names []string, v *torch.Tensor) {
	if len(names) == 0 {
		return
	}
	st.chunks = append(st.chunks, st.kept().Call("aten::clone", v))
	for i, name := range names {
		st.values = append(st.values, waiting{name: name, chunk: len(st.chunks), at: i, epoch: st.epoch, step: st.now})
	}
}

// kept is the scope of what waits.
func (st *stats) kept() *torch.Scope {
	if st.waiting == nil {
		st.waiting = st.scope.Child()
	}
	return st.waiting
}

// addNumber takes a number that the host has.
func (st *stats) addNumber(name string, v float64) {
	st.values = append(st.values, waiting{name: name, v: v, epoch: st.epoch, step: st.now})
}

// mostUnseen is how many steps may pass before somebody who looks at them is told of their values.
const mostUnseen = maxSkips

// beginStep lets [stats.notFinite] look at what is reported from here on.
func (st *stats) beginStep(step int64) {
	st.now = step
	if n := len(st.values); n > mostWaiting || st.seen != nil && n > 0 && step-st.values[0].step >= mostUnseen {
		st.flush()
	}
	st.step = len(st.values)
}

// ofStep returns the values of this step. It waits for the device.
func (st *stats) ofStep() []waiting { return st.fetch(st.values[st.step:]) }

// fetch copies values from the device in one piece.
func (st *stats) fetch(l []waiting) []waiting {
	var needed []*torch.Tensor
	from := map[int]int{} // chunk -> where its elements begin
	n := 0
	for _, w := range l {
		if _, ok := from[w.chunk]; w.chunk > 0 && !ok {
			from[w.chunk] = n
			c := st.chunks[w.chunk-1]
			n += int(c.Numel())
			needed = append(needed, c)
		}
	}
	if len(needed) == 0 {
		return l
	}
	var numbers []float64
	torch.NoGrad(func() {
		for i, c := range needed {
			needed[i] = c.Reshape(-1)
		}
		numbers = torch.Slice[float64](torch.Cat(needed, 0))
	})
	out := make([]waiting, len(l))
	for i, w := range l {
		if out[i] = w; w.chunk > 0 {
			out[i].v = numbers[from[w.chunk]+w.at]
		}
	}
	return out
}

// flush adds what waits to the means, one after the other, so that the sum does not depend on when that is.
func (st *stats) flush() {
	all := st.fetch(st.values)
	for _, w := range all {
		if w.chunk > 0 && w.v == 0 && strings.HasPrefix(w.name, skipPrefix) {
			continue // it was not left out: the log speaks of those that were
		}
		m := st.means[w.name]
		if m == nil {
			m = &mean{}
			st.means[w.name] = m
			st.names = append(st.names, w.name)
		}
		if w.name == scoreName {
			st.epochs.add(w.epoch, w.v)
		}
		if finite(w.v) {
			m.Sum += w.v
			m.N++
		} else {
			m.Other++
		}
	}
	st.drop()
	for st.seen != nil && len(all) > 0 {
		n := 1
		for n < len(all) && all[n].step == all[0].step {
			n++
		}
		st.seen(all[0].step, all[:n])
		all = all[n:]
	}
}

// drop forgets what waits.
func (st *stats) drop() {
	st.values, st.chunks, st.step = nil, nil, 0
	if st.waiting != nil {
		st.waiting.Close()
		st.waiting = nil
	}
}

// take returns the means since the last call and starts anew. Names without a report in between are left out; one without
// a finite value is NaN.
func (st *stats) take() []namedValue {
	st.flush()
	var out []namedValue
	for _, name := range st.names {
		switch m := st.means[name]; {
		case m.N > 0:
			out = append(out, namedValue{name, m.Sum / float64(m.N)})
		case m.Other > 0:
			out = append(out, namedValue{name, math.NaN()})
		}
		*st.means[name] = mean{}
	}
	return out
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// restore continues from means that were saved.
func (st *stats) restore(names []string, means map[string]*mean, epoch int64, e epochs) {
	st.drop() // of before
	st.names, st.means, st.epoch, st.epochs = names, means, epoch, e
	if means == nil {
		st.means = map[string]*mean{}
	}
}
