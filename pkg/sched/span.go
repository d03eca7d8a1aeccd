package sched

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Unit is what a length of training is measured in.
type Unit int

const (
	// Epoch counts whole passes over the data set: a schedule in epochs keeps one value during an epoch.
	Epoch Unit = iota
	// Step counts optimiser steps.
	Step
	// Kimg counts thousands of training images, so that a length does not depend on the batch size.
	Kimg
	// FracEpoch counts passes over the data set with their fraction, so that a schedule changes at every step.
	FracEpoch
)

var unitNames = [...]string{Epoch: "epoch", Step: "step", Kimg: "kimg", FracEpoch: "fracepoch"}

// String returns the unit as [ParseSpan] reads it: "epoch", "step", "kimg" or "fracepoch".
func (u Unit) String() string {
	if u < 0 || int(u) >= len(unitNames) {
		return "unit(" + strconv.Itoa(int(u)) + ")"
	}
	return unitNames[u]
}

// Span is a length of training, e.g. 10 epochs. The zero value is no time at all.
type Span struct {
	N    float64 // how many units: finite, not negative; need not be whole
	Unit Unit    // what N counts; the zero value is Epoch
}

// ParseSpan reads a length of training: a number and a unit, "10epoch", "500step", "20kimg" or "2.5fracepoch".
//
// The unit may have a plural s, upper-case letters and a space before it: "10 epochs". Zero needs no unit: "0". A
// number without a unit is refused, because people mean different things by it, and so are NaN, infinite and negative
// numbers.
func ParseSpan(text string) (Span, error) {
	const most = 100 // bytes; with all its digits a number has 25
	if len(text) > most {
		return Span{}, fmt.Errorf("sched: parse: not a length: got %s of %d bytes, want e.g. 10epoch", quote(text), len(text))
	}
	s := strings.ToLower(strings.TrimSpace(text))
	num, unit, ok := cutUnit(s)
	n, err := strconv.ParseFloat(num, 64)
	switch {
	case err != nil:
		return Span{}, fmt.Errorf("sched: parse: not a length: got %q, want e.g. 10epoch, 500step, 20kimg or 0", text)
	case math.IsNaN(n) || math.IsInf(n, 0) || n < 0:
		return Span{}, fmt.Errorf("sched: parse: length must be finite and not negative: got %q", text)
	case !ok && n != 0:
		return Span{}, fmt.Errorf("sched: parse: length has no unit: got %q, want e.g. %sepoch, %sstep or %skimg",
			text, num, num, num)
	}
	return Span{N: n, Unit: unit}, nil
}

// quote shows a text on one line, and no longer than a line.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}

// ParseWarmup is [ParseSpan] under the name of its most common use.
func ParseWarmup(text string) (Span, error) { return ParseSpan(text) }

// cutUnit splits a lower-case length into its number and unit; ok tells whether there was a unit.
func cutUnit(s string) (num string, u Unit, ok bool) {
	// fracepoch comes before its own suffix epoch.
	for _, u := range []Unit{FracEpoch, Epoch, Step, Kimg} {
		for _, name := range []string{u.String(), u.String() + "s"} {
			if num, ok := strings.CutSuffix(s, name); ok {
				return strings.TrimSpace(num), u, true
			}
		}
	}
	return s, Epoch, false
}

// String returns the span as [ParseSpan] reads it, e.g. "10epoch"; reading it gives the same span.
func (s Span) String() string {
	return strconv.FormatFloat(s.N, 'g', -1, 64) + s.Unit.String()
}

// Validate returns an error if N is NaN, infinite or negative, or if the unit is unknown.
func (s Span) Validate() error {
	if s.Unit < 0 || int(s.Unit) >= len(unitNames) {
		return fmt.Errorf("sched: span: unknown unit: got %d", int(s.Unit))
	}
	if math.IsNaN(s.N) || math.IsInf(s.N, 0) || s.N < 0 {
		return fmt.Errorf("sched: span: length must be finite and not negative: got %v", s.N)
	}
	return nil
}

// MarshalText writes the span as [Span.String] does. It fails where Validate does.
func (s Span) MarshalText() ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads a span with [ParseSpan].
func (s *Span) UnmarshalText(text []byte) error {
	v, err := ParseSpan(string(text))
	if err == nil {
		*s = v
	}
	return err
}
