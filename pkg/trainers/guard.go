package trainers

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// ErrDiverged: gradients were not finite for too many updates in a row, and earlier snapshots with lower learning rates did
// not help.
var ErrDiverged = errors.New("training diverged")

const (
	maxSkips     = 50 // updates that may be left out in a row
	maxRollbacks = 3  // returns to a snapshot, each of which halves the learning rates
)

// droppedTerm is the share of steps in which the TIGAS term was left out, see [tigas.Term.Apply]: in the log only if there are any.
const droppedTerm = "tigas_dropped"

// lrScale is the share of the learning rates that is left after divergence.
func (l *loop) lrScale() float64 { return math.Ldexp(1, -l.s.Rollbacks) }

// updated counts what became of an update: err is nil, or says why it was left out.
func (l *loop) updated(name string, err error) error {
	if err == nil {
		delete(l.s.Skipped, name)
		return nil
	}
	l.s.Skipped[name]++
	l.s.LastSkip = l.s.Step
	l.stats.addNumber("skipped_"+name, 1)
	switch n := l.s.Skipped[name]; {
	case n == 1:
		l.o.Console.Warn("the gradient of %s is not finite at step %d (%s): the update is left out", name, l.s.Step, l.guilty())
	case n > maxSkips:
		return fmt.Errorf("%w: the gradient of %s was not finite %d times in a row (%s)", ErrDiverged, name, n, l.guilty())
	}
	return nil
}

// doubtful tells whether updates are being left out. One that is never tried again, since its regulariser was turned off, does
// not count for ever.
func (l *loop) doubtful() bool { return len(l.s.Skipped) > 0 && l.s.Step-l.s.LastSkip < 2*maxSkips }

// guilty names the parts of the loss that are not finite.
func (l *loop) guilty() string {
	var names []string
	for _, name := range l.stats.notFinite() {
		if name != "total" && name != scoreName && name != "tigas" { // of a term that was dropped
			names = append(names, name)
		}
	}
	switch len(names) {
	case 0:
		return "every part of the loss is"
	case 1:
		return names[0] + " is not"
	}
	return strings.Join(names, ", ") + " are not"
}

// rollBack returns to the newest good snapshot with lower learning rates. It returns cause when that was done too often.
func (l *loop) rollBack(cause error) error {
	n := l.s.Rollbacks + 1
	if n > maxRollbacks {
		return fmt.Errorf("%w; %d returns to a snapshot, each with half the learning rates, did not help: lower them, or look at the data",
			cause, maxRollbacks)
	}
	s, _, err := l.o.Out.NewestGood()
	if err == nil {
		_, err = l.o.Out.Rewind(s) // or they would be newer than what comes
	}
	if err != nil {
		return fmt.Errorf("%w; and there is no snapshot to return to: %w", cause, err)
	}
	l.stopFeed()
	logged, elapsed := l.s.LogBytes, l.s.ElapsedSec
	if err := l.load(l.o.Out.Path(s)); err != nil {
		return fmt.Errorf("%w; and the newest snapshot cannot be read: %w", cause, err)
	}
	// Time goes on, and what was logged stays: it shows what happened.
	l.s.LogBytes, l.s.ElapsedSec, l.s.Rollbacks, l.s.Skipped = logged, elapsed, n, map[string]int{}
	l.s.Draw = false // those pictures are there
	if l.events != nil {
		l.events.Restart(l.s.Images + 1)
	}
	l.startFeed()
	l.o.Console.Warn("%s: back to step %d (kimg %.1f) with learning rates times %g", cause, l.s.Step, l.kimg(), l.lrScale())
	return nil
}
