package sched

import "math"

// Progress is how far a run has come. The training loop fills it in; [NewProgress] is the simplest way.
type Progress struct {
	Step   int64   `json:"step"`   // optimiser steps done, so 0 during the first step
	Images int64   `json:"images"` // training images seen by those steps
	Epoch  float64 `json:"epoch"`  // passes over the data set, with the fraction of the current one: 2.5 is half-way through the third
}

// NewProgress returns the progress after step steps that saw images training images of a data set with size images.
// A size of 0 or less leaves Epoch at 0. The quotient is rounded once, so Epoch is a whole number exactly when images
// is a multiple of size.
func NewProgress(step, images, size int64) Progress {
	p := Progress{Step: step, Images: images}
	if size > 0 {
		p.Epoch = float64(images) / float64(size)
	}
	return p
}

// In returns the progress measured in u: whole epochs for [Epoch], epochs with a fraction for [FracEpoch], steps for
// [Step] and thousands of images for [Kimg]. Negative and NaN progress count as 0, and so does an unknown unit.
func (p Progress) In(u Unit) float64 {
	var v float64
	switch u {
	case Epoch:
		v = math.Floor(p.Epoch)
	case FracEpoch:
		v = p.Epoch
	case Step:
		v = float64(p.Step)
	case Kimg:
		v = float64(p.Images) / 1000
	}
	if !(v > 0) {
		return 0
	}
	return v
}

// since returns the progress measured from start: from the first moment at which p.In(start.Unit) was start.N or more.
//
// The component of start's own unit is exact. The other two are scaled in proportion, because a schedule knows only
// the present: with a constant batch size that is what they were at the start, to within one step.
func (p Progress) since(start Span) Progress {
	n, x := start.N, p.In(start.Unit)
	switch start.Unit {
	case Epoch:
		n, x = math.Ceil(n), p.In(FracEpoch) // an epoch that has begun counts from its beginning
	case Step:
		n = math.Ceil(n)
	}
	if n <= 0 {
		return p
	}
	if x <= n {
		return Progress{}
	}
	f := n / x
	q := Progress{
		Step:   p.Step - int64(math.Round(f*float64(p.Step))),
		Images: p.Images - int64(math.Round(f*float64(p.Images))),
		Epoch:  p.Epoch - f*p.Epoch,
	}
	switch start.Unit {
	case Epoch, FracEpoch:
		q.Epoch = p.Epoch - n
	case Step:
		q.Step = p.Step - int64(n)
	case Kimg:
		q.Images = p.Images - int64(math.Round(n*1000))
	}
	return q
}
