package sched

import (
	"fmt"
	"math"
)

// Linear rises or falls in a straight line:
//
//	w(e) = From + (To-From)*(e/N) for e < N, and To after that
//
// where N is Over.N and e the progress in Over's unit. With N = 0 the value is To from the start. In the unit [Epoch],
// e is the number of the epoch, so the value changes once per epoch; [FracEpoch] makes it change at every step.
type Linear struct {
	From float64 `json:"from"` // finite, as To and their difference
	To   float64 `json:"to"`
	Over Span    `json:"over"` // length of the way; zero: To from the start
}

// NewLinear returns the straight line between two values over a length of training.
func NewLinear(from, to float64, over Span) (Linear, error) {
	s := Linear{from, to, over}
	return s, s.Validate()
}

// At returns the value on the line; it lies between From and To.
func (s Linear) At(p Progress) float64 {
	e := p.In(s.Over.Unit)
	if e >= s.Over.N {
		return s.To
	}
	return between(s.From, s.To, e/s.Over.N)
}

// Validate returns an error if a value or their difference is not finite, or Over is not a valid span.
func (s Linear) Validate() error { return validRamp("linear", s.From, s.To, s.Over) }

// Cosine goes from one value to another along half a cosine wave, slowly at both ends:
//
//	w(e) = From + (To-From)*(1-cos(pi*e/N))/2 for e < N, and To after that
//
// As the decay of a learning rate, From is the full rate and To the last one, usually 0.
type Cosine struct {
	From float64 `json:"from"` // finite, as To and their difference
	To   float64 `json:"to"`
	Over Span    `json:"over"` // length of the way; zero: To from the start
}

// NewCosine returns the half wave between two values over a length of training.
func NewCosine(from, to float64, over Span) (Cosine, error) {
	s := Cosine{from, to, over}
	return s, s.Validate()
}

// At returns the value on the wave; it lies between From and To.
func (s Cosine) At(p Progress) float64 {
	e := p.In(s.Over.Unit)
	if e >= s.Over.N {
		return s.To
	}
	return between(s.From, s.To, (1-math.Cos(math.Pi*(e/s.Over.N)))/2)
}

// Validate returns an error if a value or their difference is not finite, or Over is not a valid span.
func (s Cosine) Validate() error { return validRamp("cosine", s.From, s.To, s.Over) }

// LinearDecay is a learning rate that falls to zero:
//
//	lr(t) = Value*(1-t/T) for t < T, and 0 after that
//
// where T is Over.N, which must be more than 0, and t the progress in Over's unit.
type LinearDecay struct {
	Value float64 `json:"value"` // finite: the rate at the start
	Over  Span    `json:"over"`  // T, more than zero
}

// NewLinearDecay returns the fall from value to 0 over a length of training.
func NewLinearDecay(value float64, over Span) (LinearDecay, error) {
	s := LinearDecay{value, over}
	return s, s.Validate()
}

// At returns the value at p; it lies between 0 and Value.
func (s LinearDecay) At(p Progress) float64 {
	t := p.In(s.Over.Unit)
	if t >= s.Over.N {
		return 0
	}
	return s.Value * (1 - t/s.Over.N)
}

// Validate returns an error if Value is not finite, or Over is not a valid span of more than zero length.
func (s LinearDecay) Validate() error {
	if err := first(finite("lineardecay", "value", s.Value), s.Over.Validate()); err != nil {
		return err
	}
	if s.Over.N == 0 {
		return fmt.Errorf("sched: lineardecay: length must be more than 0: got %v", s.Over)
	}
	return nil
}

// between returns a + (b-a)*f for f in [0,1]. The product is rounded before the sum on every architecture, so that a
// run gives the same bits everywhere; the clamp keeps that rounding inside the interval.
func between(a, b, f float64) float64 {
	v := a + float64((b-a)*f)
	return min(max(v, min(a, b)), max(a, b))
}

func validRamp(kind string, from, to float64, over Span) error {
	return first(finite(kind, "from", from), finite(kind, "to", to), finite(kind, "to-from", to-from), over.Validate())
}
