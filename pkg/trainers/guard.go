package trainers

import (
	"errors"
	"fmt"
	"math"
	"slices"
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
	l.stats.addNumber(skipPrefix+name, 1)
	return l.leave(name, l.s.Step, l.stats.ofStep)
}

// fewSkips is how many updates of a run in float16 are left out without a word. The scale of its losses begins where
// gradients overflow, by intent, and each update that is left out halves it until they do not: that is no trouble of the run's.
// They count in the log all the same, and towards maxSkips.
const fewSkips = 20

// leave counts an update that was left out at a step, with the values of that: it warns of the first one in a row, and returns an
// error when they are too many.
func (l *loop) leave(name string, step int64, values func() []waiting) error {
	l.s.Skipped[name]++
	l.s.LeftOut++
	l.s.LastSkip = step
	n := l.s.Skipped[name]
	warns := n == 1
	if l.o.Precision == FP16 {
		warns = l.s.LeftOut > fewSkips && (warns || l.s.LeftOut == fewSkips+1)
	}
	switch {
	case n > maxSkips:
		return fmt.Errorf("%w: the gradient of %s was not finite %d times in a row (%s)", ErrDiverged, name, n, guilty(values()))
	case warns:
		l.o.Console.Warn("the gradient of %s is not finite at step %d (%s): the update is left out", name, step, guilty(values()))
	}
	return nil
}

// skipPrefix begins the names of updates that were left out.
const skipPrefix = "skipped_"

// leftOut looks at the values of a step whose updates were decided on the device: what [loop.updated] does, some steps later.
// No weights were changed meanwhile that should not have been.
func (l *loop) leftOut(step int64, values []waiting) {
	for _, v := range values {
		name, ok := strings.CutPrefix(v.name, skipPrefix)
		switch {
		case !ok || v.chunk == 0: // a number is of an update that the host decided
		case v.v == 0:
			delete(l.s.Skipped, name)
		default:
			if err := l.leave(name, step, func() []waiting { return values }); l.diverged == nil {
				l.diverged = err
			}
		}
	}
}

// doubtful tells whether updates are being left out. One that is never tried again, since its regulariser was turned off, does
// not count for ever.
func (l *loop) doubtful() bool { return len(l.s.Skipped) > 0 && l.s.Step-l.s.LastSkip < 2*maxSkips }

// guilty names the parts of the loss that are not finite among the values of a step.
func guilty(values []waiting) string {
	var names []string
	for _, v := range values {
		// The score and the term are of one that was dropped; the others say of the gradient itself what is known.
		if !finite(v.v) && v.name != "total" && v.name != scoreName && v.name != "tigas" && v.name != gradRatio &&
			!strings.HasSuffix(v.name, normSuffix) && !slices.Contains(names, v.name) {
			names = append(names, v.name)
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

// Names of values about gradients.
const (
	normSuffix = "_grad_norm"
	gradRatio  = "tigas_grad_ratio"
)

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
	l.dropGraphs()
	l.diverged = nil
	logged, elapsed, left := l.s.LogBytes, l.s.ElapsedSec, l.s.LeftOut
	if err := l.load(l.o.Out.Path(s)); err != nil {
		return fmt.Errorf("%w; and the newest snapshot cannot be read: %w", cause, err)
	}
	// Time goes on, and what was logged stays: it shows what happened.
	l.s.LogBytes, l.s.ElapsedSec, l.s.LeftOut, l.s.Rollbacks, l.s.Skipped = logged, elapsed, left, n, map[string]int{}
	l.s.Draw = false // those pictures are there
	if l.events != nil {
		l.events.Restart(l.s.Images + 1)
	}
	l.startFeed()
	l.o.Console.Warn("%s: back to step %d (kimg %.1f) with learning rates times %g", cause, l.s.Step, l.kimg(), l.lrScale())
	return nil
}
