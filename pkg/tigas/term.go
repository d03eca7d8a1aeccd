package tigas

import (
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/sched"
)

// Term is the TIGAS term of a generator's loss over a run: [Detector.Loss] times a scheduled weight, on every k-th step.
type Term struct {
	Detector *Detector // nil: the term is always absent
	Options  LossOptions
	Weight   sched.Schedule // nil: always absent
	Interval sched.Interval // zero value: every step
}

// Applied is what a term did in one step.
type Applied struct {
	Loss   *torch.Tensor // weight * loss, to be added; nil when the term is absent in this step
	Raw    *torch.Tensor // the loss before the weight, detached; nil when absent
	Score  *torch.Tensor // the mean score, detached; nil when absent
	Weight float64       // what the loss was multiplied by, 0 when absent
}

// Due returns the factor of the term at p: 0 when it is absent.
func (t *Term) Due(p sched.Progress) float64 {
	if t == nil || t.Detector == nil || t.Weight == nil {
		return 0
	}
	return t.Interval.Weight(t.Weight, p)
}

// Apply computes the term for the images of one step. Where it is absent the detector is not run at all.
func (t *Term) Apply(p sched.Progress, images *torch.Tensor) Applied {
	return t.ApplyWeighted(p, images, nil)
}

// ApplyWeighted is Apply with a weight for each image, see [Detector.WeightedLoss].
func (t *Term) ApplyWeighted(p sched.Progress, images, weights *torch.Tensor) Applied {
	w := t.Due(p)
	if w == 0 {
		return Applied{}
	}
	raw, score := t.Detector.WeightedLoss(images, weights, t.Options)
	return Applied{Loss: raw.MulScalar(w), Raw: raw.Detach(), Score: score, Weight: w}
}
