package monitor

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// PhasePrefix begins the names of the log that are seconds of a phase, mean over the steps of a tick: sec_data, sec_D, sec_G,
// sec_tigas, sec_optimizer, sec_other; and sec_pictures and sec_snapshot, which are no part of a step but are spread over the
// steps of the tick in which they fall.
const PhasePrefix = "sec_"

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

// Phases adds up where time goes: it is a stack of stretches, of which the innermost is counted. The zero value is ready;
// it is not safe for concurrent use. On a GPU, whose work goes on after a call returned, it says where the host waited.
type Phases struct {
	now   func() time.Time // nil: time.Now
	stack []string
	since time.Time
	spent map[string]time.Duration
	order []string
}

// Begin starts a phase, and lets that which it is in pause until end is called. The outermost Begin starts the clock.
func (p *Phases) Begin(name string) (end func()) {
	p.turn()
	p.stack = append(p.stack, name)
	depth := len(p.stack)
	return func() {
		if len(p.stack) < depth {
			return // ended with one around it, when a step was given up
		}
		p.turn()
		p.stack = p.stack[:depth-1]
	}
}

// turn counts what has passed for the innermost phase.
func (p *Phases) turn() {
	now := time.Now
	if p.now != nil {
		now = p.now
	}
	t := now()
	if n := len(p.stack); n > 0 {
		name := p.stack[n-1]
		if _, ok := p.spent[name]; !ok {
			p.order = append(p.order, name)
			if p.spent == nil {
				p.spent = map[string]time.Duration{}
			}
		}
		p.spent[name] += t.Sub(p.since)
	}
	p.since = t
}

// Spent is what a phase has taken so far.
type Spent struct {
	Name string
	Time time.Duration
}

// Take returns the phases in the order in which they first came, and starts anew.
func (p *Phases) Take() []Spent {
	var l []Spent
	for _, name := range p.order {
		l = append(l, Spent{name, p.spent[name]})
	}
	p.spent, p.order = nil, nil
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
	slices.SortStableFunc(l, func(a, b Spent) int { return int(b.Time - a.Time) })
	var parts []string
	for _, s := range l {
		if share := 100 * s.Time.Seconds() / max(all.Seconds(), 1e-9); share >= 0.5 {
			parts = append(parts, fmt.Sprintf("%s %.0f %%", s.Name, share))
		}
	}
	return strings.Join(parts, ", ")
}
