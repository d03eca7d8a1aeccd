package sched

import (
	"fmt"
	"math"
)

// Schedule gives a value for every moment of a run. At is a pure function: the same progress gives the same bits, and
// it may be called from several goroutines. The schedules of this package accept any progress and never panic, if
// Validate passes.
type Schedule interface {
	At(p Progress) float64
}

// Constant has the same value at all times. Value must be finite.
type Constant struct {
	Value float64 `json:"value"` // finite
}

// NewConstant returns the schedule with the given value at all times.
func NewConstant(value float64) (Constant, error) {
	s := Constant{value}
	return s, s.Validate()
}

// At returns Value, whatever the progress.
func (s Constant) At(Progress) float64 { return s.Value }

// Validate returns an error if Value is NaN or infinite.
func (s Constant) Validate() error { return finite("constant", "value", s.Value) }

// Switch is the hard switch `0.1 if epoch > 10 else 0.0`: it has the value Before as long as the progress is at most
// Until, and After once it is more. With whole epochs and Until = 10, epochs 0 to 10 have Before and epoch 11 is the
// first to have After. Unlike the length of a ramp, Until belongs to the first part.
type Switch struct {
	Before float64 `json:"before"` // finite, as After
	After  float64 `json:"after"`
	Until  Span    `json:"until"` // the last moment of Before
}

// NewSwitch returns the hard switch from before to after.
func NewSwitch(before, after float64, until Span) (Switch, error) {
	s := Switch{before, after, until}
	return s, s.Validate()
}

// At returns After if the progress is more than Until, otherwise Before.
func (s Switch) At(p Progress) float64 {
	if p.In(s.Until.Unit) > s.Until.N {
		return s.After
	}
	return s.Before
}

// Validate returns an error if a value is not finite or Until is not a valid span.
func (s Switch) Validate() error {
	return first(finite("switch", "before", s.Before), finite("switch", "after", s.After), s.Until.Validate())
}

// DelayedStart is 0 until Start, and then Inner measured from Start: step 0 of Inner is the first step at or after
// Start. Where Inner counts in another unit than Start, its progress is taken in proportion, which is exact to one
// step with a constant batch size.
type DelayedStart struct {
	Start Span     // how long it is 0
	Inner Schedule // what comes then; not nil
}

// NewDelayedStart returns inner delayed by start.
func NewDelayedStart(start Span, inner Schedule) (DelayedStart, error) {
	s := DelayedStart{start, inner}
	return s, s.Validate()
}

// At returns 0 before Start, and Inner's value afterwards.
func (s DelayedStart) At(p Progress) float64 {
	if p.In(s.Start.Unit) < s.Start.N {
		return 0
	}
	return s.Inner.At(p.since(s.Start))
}

// Validate returns an error if Start is not a valid span, or Inner is missing or not valid.
func (s DelayedStart) Validate() error {
	return first(s.Start.Validate(), valid("delayed", "inner", s.Inner))
}

// Chain is First for the length of For, and then Then, measured from its own beginning. Chains nest, so any number
// of pieces can follow each other; a learning rate with warm-up and cosine decay is a Chain of [Linear] and [Cosine].
type Chain struct {
	First Schedule // not nil
	For   Span     // how long First is asked
	Then  Schedule // not nil; measured from the end of For
}

// NewChain returns first for the given length, followed by then.
func NewChain(first Schedule, length Span, then Schedule) (Chain, error) {
	s := Chain{first, length, then}
	return s, s.Validate()
}

// At returns First's value before For has passed, and Then's afterwards.
func (s Chain) At(p Progress) float64 {
	if p.In(s.For.Unit) < s.For.N {
		return s.First.At(p)
	}
	return s.Then.At(p.since(s.For))
}

// Validate returns an error if For is not a valid span, or a part is missing or not valid.
func (s Chain) Validate() error {
	return first(valid("chain", "first", s.First), s.For.Validate(), valid("chain", "then", s.Then))
}

// NewWarmup returns the schedule that command lines ask for: 0 until start, then a linear rise from 0 to weight over
// warmup, then weight. A start or warmup of zero length leaves that part out.
func NewWarmup(weight float64, warmup, start Span) (Schedule, error) {
	ramp, err := NewLinear(0, weight, warmup)
	if err != nil {
		return nil, err
	}
	if err := start.Validate(); err != nil {
		return nil, err
	}
	if start.N == 0 {
		return ramp, nil
	}
	return DelayedStart{start, ramp}, nil
}

// finite returns an error that names the field if v is NaN or infinite.
func finite(kind, field string, v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("sched: %s: %s must be finite: got %v", kind, field, v)
	}
	return nil
}

// valid returns an error if s is missing, or what its Validate method says, if it has one.
func valid(kind, field string, s Schedule) error {
	if s == nil {
		return fmt.Errorf("sched: %s: %s is missing", kind, field)
	}
	if v, ok := s.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// first returns the first error that is not nil.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
