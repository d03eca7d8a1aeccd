package tigas

import (
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/sched"
)

// Term is the TIGAS term of a generator's loss over a run: [Detector.Loss] times a scheduled weight, on every k-th step.
type Term struct {
	Detector *Detector      // nil: the term is always absent
	Options  LossOptions    // of the loss; the zero value is 1 - mean(score) of images in [0, 1]
	Weight   sched.Schedule // nil: always absent
	Interval sched.Interval // zero value: every step
}

// Applied is what a term did in one step: scalars in the scope of its images, and the weight.
type Applied struct {
	Loss    *torch.Tensor // weight * loss, to be added; nil when the term is absent in this step
	Raw     *torch.Tensor // the loss before the weight, detached; nil when absent
	Score   *torch.Tensor // the mean score, detached; nil when absent
	Dropped *torch.Tensor // 1 when something was not finite, and Loss, Raw and Score are 0 for that; else 0; nil when absent
	Weight  float64       // what the loss was multiplied by, 0 when absent
}

// Due returns the factor of the term at p: 0 when it is absent.
func (t *Term) Due(p sched.Progress) float64 {
	if t == nil || t.Detector == nil || t.Weight == nil {
		return 0
	}
	return t.Interval.Weight(t.Weight, p)
}

// Apply computes the term for the images of one step. Where it is absent the detector is not run at all.
//
// A term that is not finite, or whose gradient with respect to the images is not, is dropped: it adds nothing to the value
// and nothing to the gradient, to the last bit, and the rest of the loss trains on. That is decided on the device, nothing
// waits for it; Dropped says what became of it. [Detector.Loss] does not do that: it is the function as it is written down.
//
// The gradient is taken at once, which also frees the detector's graph before the generator is differentiated. Loss is
// therefore linear in the images: its gradient is that of the term, its second derivative (CreateGraph) is zero, which the
// term's is not. A loop that wants second derivatives takes [Detector.Loss].
func (t *Term) Apply(p sched.Progress, images *torch.Tensor) Applied {
	return t.ApplyWeighted(p, images, nil)
}

// ApplyWeighted is Apply with a weight for each image, see [Detector.WeightedLoss]. It panics when gradients are to flow to
// the weights: they would get none.
func (t *Term) ApplyWeighted(p sched.Progress, images, weights *torch.Tensor) Applied {
	w := t.Due(p)
	if w == 0 {
		return Applied{}
	}
	a := t.apply(images, weights, func(raw *torch.Tensor) *torch.Tensor { return raw.MulScalar(w) })
	a.Weight = w
	return a
}

// ApplyScaled is ApplyWeighted with a factor of the term that is on the device, a float32 scalar, whatever the schedule says:
// for a step that is recorded as a CUDA graph, in which numbers of the host stay what they were. The factor must be finite and
// not 0; Weight of the result is NaN.
func (t *Term) ApplyScaled(images, weights, factor *torch.Tensor) Applied {
	a := t.apply(images, weights, func(raw *torch.Tensor) *torch.Tensor { return raw.Mul(factor) })
	a.Weight = math.NaN()
	return a
}

func (t *Term) apply(images, weights *torch.Tensor, scaled func(raw *torch.Tensor) *torch.Tensor) Applied {
	if weights != nil && weights.IsGradRequired() {
		panic(&torch.Error{Op: "tigas.Term", Msg: "got weights that require a gradient vs constants"})
	}
	out := torch.ScopeOf("tigas.Term", images, weights)
	s := out.Child()
	defer s.Close()
	images = s.Use(images)
	leaf := images.Detach()
	if images.IsGradRequired() {
		leaf.RequiresGrad(true)
	}
	raw, score := t.Detector.WeightedLoss(leaf, weights, t.Options)
	loss := scaled(raw)
	ok := loss.IsFinite().Mul(score.IsFinite())
	var g *torch.Tensor
	if loss.IsGradRequired() { // not while nothing is recorded
		g = torch.Grad(loss, []*torch.Tensor{leaf}, torch.GradOptions{})[0]
		ok = ok.Mul(g.IsFinite().All())
	}
	a := Applied{Loss: orZero(ok, loss.Detach()), Raw: orZero(ok, raw.Detach()), Score: orZero(ok, score),
		Dropped: ok.LogicalNot().To(torch.Float32)}
	if g != nil {
		a.Loss = linear(images, orZero(ok, g), a.Loss)
	}
	for _, x := range []*torch.Tensor{a.Loss, a.Raw, a.Score, a.Dropped} {
		out.Adopt(x)
	}
	return a
}

// orZero is x where ok is true. The zero is -0, which leaves every bit of what it is added to; +0 makes +0 of -0.
func orZero(ok, x *torch.Tensor) *torch.Tensor {
	zero := math.Copysign(0, -1)
	return torch.Where(ok, x, x.Scope().Scalar(zero, torch.Options{DType: x.DType(), Device: x.Device()}))
}

// linear is a scalar of the given value whose gradient with respect to x is g.
func linear(x, g, value *torch.Tensor) *torch.Tensor {
	y := torch.Call("aten::dot", x.Reshape(-1), g.Reshape(-1)).To(value.DType())
	// Its gradient does not depend on its value, so that may be another one. Adding the difference would not be exact, and
	// NaN where an image is.
	torch.NoGrad(func() { y.Copy_(value) })
	return y
}
