package sched

import "fmt"

// Interval applies a term on every k-th step only, which saves the time the term takes. The zero value applies it on
// every step.
type Interval struct {
	Every      int64 `json:"every"`      // k; 0 and 1 mean every step
	Compensate bool  `json:"compensate"` // multiply by k, so that the average over k steps is what was asked for
}

// NewInterval returns the interval of every steps. It fails if every is less than 1.
func NewInterval(every int64, compensate bool) (Interval, error) {
	if every < 1 {
		return Interval{}, fmt.Errorf("sched: interval: steps must be at least 1: got %d", every)
	}
	return Interval{every, compensate}, nil
}

// Validate returns an error if Every is negative.
func (i Interval) Validate() error {
	if i.Every < 0 {
		return fmt.Errorf("sched: interval: steps must not be negative: got %d", i.Every)
	}
	return nil
}

// Due reports whether the term is applied at this step: at step 0, k, 2k and so on. No step below 0 is due.
func (i Interval) Due(step int64) bool {
	return step >= 0 && (i.Every <= 1 || step%i.Every == 0)
}

// Gain returns what the term is multiplied by when it is applied: k when compensating, otherwise 1.
func (i Interval) Gain() float64 {
	if i.Compensate && i.Every > 1 {
		return float64(i.Every)
	}
	return 1
}

// Weight returns the coefficient of the term at p: Gain times the schedule's value if the step is due, otherwise 0.
// The caller leaves the whole term out, detector included, when it is 0.
//
// This is how an interval and a warm-up go together. Step 0 is due for every k, so the schedule is asked at step 0
// like at any other due step: a warm-up from 0 gives 0 there, and the gain cannot turn the first step into a jolt of
// k times the weight. And the schedule is given the true progress, never the count of applied terms, because that
// would make a warm-up over N steps last k*N.
func (i Interval) Weight(s Schedule, p Progress) float64 {
	if !i.Due(p.Step) {
		return 0
	}
	return i.Gain() * s.At(p)
}
