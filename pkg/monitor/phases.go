package monitor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// PhasePrefix begins the names of the log that are seconds of a phase, mean over the steps of a tick: sec_data, sec_D, sec_G,
// sec_tigas, sec_optimizer, sec_other; and sec_pictures and sec_snapshot, which are no part of a step but are spread over the
// steps of the tick in which they fall.
const PhasePrefix = "sec_"

// OfClock tells whether a value of the log depends on the clock, or on what else the machine did, as the memory of a GPU does:
// it is another one each time the same run is made.
func OfClock(name string) bool {
	switch name {
	case "time", "elapsed_sec", "img_per_sec", GPUAllocated, GPUPeak, GPUReserved:
		return true
	}
	return strings.HasPrefix(name, PhasePrefix)
}

// PhaseTitle says what a phase is.
func PhaseTitle(phase string) string {
	switch phase {
	case "data":
		return "waiting for pictures"
	case "D":
		return "critic, forward and backward"
	case "G":
		return "generator, forward and backward"
	case "net":
		return "network, forward and backward"
	case "tigas":
		return "detector, forward and backward"
	case "optimizer":
		return "optimisers and moving averages"
	case "pictures":
		return "sample pictures"
	case "snapshot":
		return "snapshots"
	case "other":
		return "the rest"
	}
	return phase
}

// Phases adds up where time goes: it is a stack of stretches, of which the innermost is counted. The zero value is ready, and
// takes the host's time, which on a GPU, whose work goes on after a call returned, says where the host waited: see
// [Phases.UseClock]. It is not safe for concurrent use.
type Phases struct {
	now    func() time.Time // nil: time.Now
	marks  marks            // of another clock than the host's
	stack  []string
	since  time.Time
	paused int     // calls of Pause without their Resume
	held   string  // the innermost phase at the first of them
	spent  []Spent // since the last Take, in the order in which they first came
	total  []Spent
}

// Spent is what a phase has taken.
type Spent struct {
	Name string
	Time time.Duration
}

// Begin starts a phase, and lets that which it is in pause until end is called.
func (p *Phases) Begin(name string) (end func()) {
	p.turn()
	p.stack = append(p.stack, name)
	depth := len(p.stack)
	return func() {
		if len(p.stack) < depth {
			return // it ended with one around it
		}
		p.turn()
		p.stack = p.stack[:depth-1]
	}
}

// Pause lets the clock alone until Resume: no moments are noted while a CUDA graph is captured, which would become part of it.
// Phases begin and end as ever, but the time of the pause belongs to the one that it began in. Pauses nest.
func (p *Phases) Pause() {
	if p.paused++; p.paused == 1 {
		p.held = p.innermost()
	}
}

// Resume ends a pause; without one it does nothing.
func (p *Phases) Resume() {
	if p.paused == 0 {
		return
	}
	if p.paused--; p.paused == 0 {
		p.count(p.held)
	}
}

// innermost is the phase that time counts for now, "" outside of all.
func (p *Phases) innermost() string {
	if n := len(p.stack); n > 0 {
		return p.stack[n-1]
	}
	return ""
}

// turn counts what has passed for the innermost phase.
func (p *Phases) turn() {
	if p.paused == 0 {
		p.count(p.innermost())
	}
}

// count gives a phase, or nobody if it is "", what has passed since the last call.
func (p *Phases) count(phase string) {
	if p.marks.clock != nil {
		p.marks.add(phase, &p.spent)
		return
	}
	now := time.Now
	if p.now != nil {
		now = p.now
	}
	t := now()
	if phase != "" {
		add(&p.spent, phase, t.Sub(p.since))
	}
	p.since = t
}

func add(l *[]Spent, name string, d time.Duration) {
	for i := range *l {
		if (*l)[i].Name == name {
			(*l)[i].Time += d
			return
		}
	}
	*l = append(*l, Spent{name, d})
}

// Take returns what the phases took since the last call. With a clock other than the host's it waits for the last moment that was
// noted, except in a pause: then what is not known yet comes with a later call.
func (p *Phases) Take() []Spent {
	p.settle()
	l := p.spent
	p.spent = nil
	for _, s := range l {
		add(&p.total, s.Name, s.Time)
	}
	return l
}

// Total returns what the phases took in all. It waits as [Phases.Take] does.
func (p *Phases) Total() []Spent {
	p.settle()
	l := slices.Clone(p.total)
	for _, s := range p.spent {
		add(&l, s.Name, s.Time)
	}
	return l
}

// Breakdown is a line with the share of each phase, the largest first: "G 41 %, D 32 %, tigas 20 %". Those under half a
// percent are left out.
func Breakdown(l []Spent) string {
	all := time.Duration(0)
	for _, s := range l {
		all += s.Time
	}
	l = slices.Clone(l)
	slices.SortStableFunc(l, func(a, b Spent) int { return cmp.Compare(b.Time, a.Time) })
	var parts []string
	for _, s := range l {
		if share := 100 * s.Time.Seconds() / max(all.Seconds(), 1e-9); share >= 0.5 {
			parts = append(parts, fmt.Sprintf("%s %.0f %%", s.Name, share))
		}
	}
	return strings.Join(parts, ", ")
}
