package monitor

import (
	"slices"
	"time"
)

// Clock is another source of time for [Phases] than the host: one whose moments are noted when they are asked for, and known
// when they have come, such as those in a GPU's queue of work. A mark is the number of such a moment, any that the clock likes.
//
// A clock that cannot do what it is asked for has no time to tell: it says that a mark has passed, and that nothing lies between.
type Clock interface {
	// Mark notes the moment at which all that was queued by now is done. It does not wait for it.
	Mark() (mark int)
	// Passed tells, without waiting, whether a mark's moment has come.
	Passed(mark int) bool
	// Between is the time from a to b. It waits for b. It may be negative if the two were noted in different queues.
	Between(a, b int) time.Duration
	// Free says that nobody asks for a mark any more. Its number may come again.
	Free(mark int)
}

// UseClock takes time from c from now on; nil is the host. What the clock before it has noted is counted, for which it is waited.
// It is not for the time between [Phases.Pause] and Resume.
func (p *Phases) UseClock(c Clock) {
	p.turn()
	p.marks.finish(&p.spent)
	p.marks = marks{clock: c}
	p.count("") // the phase that it is in goes on from here
}

// settle counts what was noted, which in a pause would be asked for at the wrong time: CUDA has no answers during a capture.
func (p *Phases) settle() {
	if p.paused == 0 {
		p.marks.fold(len(p.marks.waiting), &p.spent)
	}
}

const (
	manyMarks = 512  // that wait before it is looked whether some have passed: until then nothing is asked
	mostMarks = 4096 // that wait before the host does: each is an event that the device keeps
)

// marks are moments of a clock that are not counted yet. Without a clock there are none.
type marks struct {
	clock   Clock
	waiting []mark
	last    int  // the latest moment that was counted
	begun   bool // there is one
}

// mark is a moment, and the phase that the time before it belongs to; "": none.
type mark struct {
	number int
	phase  string
}

// add notes this moment.
func (m *marks) add(phase string, into *[]Spent) {
	m.waiting = append(m.waiting, mark{m.clock.Mark(), phase})
	switch n := len(m.waiting); {
	case n >= mostMarks:
		m.fold(1, into)
	case n > manyMarks:
		m.fold(0, into)
	}
}

// fold counts the marks that have passed, and the first so many in any case, for which it waits.
func (m *marks) fold(atLeast int, into *[]Spent) {
	n := 0
	for n < len(m.waiting) && (n < atLeast || m.clock.Passed(m.waiting[n].number)) {
		m.count(m.waiting[n], into)
		n++
	}
	m.waiting = slices.Delete(m.waiting, 0, n)
}

// count gives a phase the time up to a mark.
func (m *marks) count(at mark, into *[]Spent) {
	if m.begun {
		d := m.clock.Between(m.last, at.number)
		if at.phase != "" {
			add(into, at.phase, max(0, d))
		}
		if d < 0 { // of a queue that was behind: the time up to last is counted
			m.clock.Free(at.number)
			return
		}
		m.clock.Free(m.last)
	}
	m.last, m.begun = at.number, true
}

// finish counts all marks and gives them back.
func (m *marks) finish(into *[]Spent) {
	m.fold(len(m.waiting), into)
	if m.begun {
		m.clock.Free(m.last)
	}
}
