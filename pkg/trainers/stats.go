package trainers

import (
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// stats gathers reported values. They stay on the device, and cross over together: nothing waits for it between two log
// lines.
type stats struct {
	scope   *torch.Scope // parent of the values that are still there
	waiting *torch.Scope
	values  []waiting
	step    int // where the values of the current step begin

	names []string // in the order of the first report
	means map[string]*mean

	epoch  int64 // that the step is in
	epochs epochs
}

// waiting is a value that is still on the device, or one that the host knew from the start.
type waiting struct {
	name   string
	tensor *torch.Tensor // float64; nil: v
	v      float64
	epoch  int64
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
	if st.waiting == nil {
		st.waiting = st.scope.Child()
	}
	torch.NoGrad(func() { v = st.waiting.Adopt(v.To(torch.Float64)) })
	st.values = append(st.values, waiting{name: name, tensor: v, epoch: st.epoch})
}

// addNumber takes a number that the host has.
func (st *stats) addNumber(name string, v float64) {
	st.values = append(st.values, waiting{name: name, v: v, epoch: st.epoch})
}

// beginStep lets [stats.notFinite] look at what is reported from here on.
func (st *stats) beginStep() {
	if len(st.values) > mostWaiting {
		st.flush()
	}
	st.step = len(st.values)
}

// notFinite returns the names of the values of this step that are no numbers, in their order. It waits for the device.
func (st *stats) notFinite() (names []string) {
	for _, w := range st.fetch(st.values[st.step:]) {
		if !finite(w.v) {
			names = append(names, w.name)
		}
	}
	return names
}

// fetch copies values from the device in one piece.
func (st *stats) fetch(l []waiting) []waiting {
	var tensors []*torch.Tensor
	for _, w := range l {
		if w.tensor != nil {
			tensors = append(tensors, w.tensor)
		}
	}
	if len(tensors) == 0 {
		return l
	}
	numbers := torch.Slice[float64](torch.Stack(tensors, 0))
	out := make([]waiting, len(l))
	for i, w := range l {
		if out[i] = w; w.tensor != nil {
			out[i].v, numbers = numbers[0], numbers[1:]
		}
	}
	return out
}

// flush adds what waits to the means, one after the other, so that the sum does not depend on when that is.
func (st *stats) flush() {
	for _, w := range st.fetch(st.values) {
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
	st.values, st.step = st.values[:0], 0
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
	st.flush()
	st.names, st.means, st.epoch, st.epochs = names, means, epoch, e
	if means == nil {
		st.means = map[string]*mean{}
	}
}
