package tigas

import (
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Range is the interval that the values of images lie in. It is converted to the detector's [0, 1] in [Detector.Loss]
// and nowhere else: outside [0, 1] the detector has no gradient, so a tanh generator that is scored without conversion
// learns nothing from its dark pixels.
type Range int

const (
	Unit      Range = iota // [0, 1]
	Symmetric              // [-1, 1], as tanh generators make them
)

// String is "[0, 1]" or "[-1, 1]", for messages.
func (r Range) String() string {
	if r == Symmetric {
		return "[-1, 1]"
	}
	return "[0, 1]"
}

// ToUnit maps images of this range to [0, 1].
func (r Range) ToUnit(x *torch.Tensor) *torch.Tensor {
	if r == Symmetric {
		return x.AddScalar(1).MulScalar(0.5)
	}
	return x
}

// Form is the function of the score s that is minimised.
type Form int

const (
	// Linear is 1 - s, the definition of the TIGAS loss. Its gradient with respect to the value before the sigmoid is
	// s(1-s), which vanishes for images that the detector is sure of.
	Linear Form = iota
	// Log is -log(s), whose gradient does not vanish while everything still looks generated. 1e-6 is added to s.
	Log
	// Logit is softplus(-z) on the network's own value z before the sigmoid: Log without loss of digits. The detector
	// must show z as a method "logit", as detectors trained here do.
	Logit
)

// ParseForm reads "linear", "log" or "logit".
func ParseForm(s string) (Form, error) {
	for f, name := range formNames {
		if s == name {
			return Form(f), nil
		}
	}
	return 0, fmt.Errorf("tigas: got the form %q vs linear, log or logit", s)
}

var formNames = []string{"linear", "log", "logit"}

// String is the name that [ParseForm] reads.
func (f Form) String() string { return formNames[f] }

// LossOptions are the settings of the loss. The zero value is 1 - mean(score) of images in [0, 1] at their own size.
type LossOptions struct {
	Range  Range     // of the images' values
	Form   Form      // what is minimised
	Scales []float64 // factors on height and width, the loss is averaged over them; nil means {1}
	// NoAntialias resizes by bilinear sampling without averaging, as torch's interpolate does by default. At factor 0.25
	// three quarters of the pixels then have no gradient.
	NoAntialias bool
	Augment     *Augment // nil: none
}

// Validate returns an error that names what cannot be computed with d.
func (o LossOptions) Validate(d *Detector) error {
	for _, f := range o.Scales {
		if math.IsNaN(f) || f <= 0 || f > 4 {
			return fmt.Errorf("tigas: got the scale %v vs a factor in (0, 4]", f)
		}
	}
	if o.Form < Linear || o.Form > Logit {
		return fmt.Errorf("tigas: got form %d vs linear, log or logit", o.Form)
	}
	if o.Form == Logit && d != nil && !d.HasLogit() {
		return fmt.Errorf("tigas: detector %s was opened without its logit, or has no method of that name: use the form log, "+
			"which is the same but for rounding", d.Name)
	}
	return nil
}

// Loss returns the scalar loss of images [N, 3, H, W]
//
//	mean over scales of f(score(resize(unit(images))))   f = 1 - mean(s) for the linear form
//
// and the mean score of the images at the first scale, detached. Gradients flow to the images; the detector's own
// parameters get none. It panics on a shape that the network cannot take, and for [LossOptions] that do not validate.
func (d *Detector) Loss(images *torch.Tensor, o LossOptions) (loss, score *torch.Tensor) {
	return d.WeightedLoss(images, nil, o)
}

// WeightedLoss is Loss with a weight for each image, [N], in place of the mean over the batch:
//
//	mean over scales of the sum over i of weights_i * f(score_i)
//
// so weights of 1/N are Loss. Diffusion models weigh each image by how much of it is left in the noise. The score is the
// mean without weights. nil weights are those of Loss.
func (d *Detector) WeightedLoss(images, weights *torch.Tensor, o LossOptions) (loss, score *torch.Tensor) {
	if err := o.Validate(d); err != nil {
		panic(&torch.Error{Op: "tigas.Loss", Msg: err.Error()})
	}
	checkImages("tigas.Loss", images)
	x := o.Range.ToUnit(images)
	if o.Augment != nil {
		x = o.Augment.Apply(x)
	}
	scales := o.Scales
	if len(scales) == 0 {
		scales = []float64{1}
	}
	for i, f := range scales {
		l, s := d.formed(resized(x, f, !o.NoAntialias), weights, o.Form)
		if i == 0 {
			loss, score = l, s.Detach().Mean()
		} else {
			loss = loss.Add(l)
		}
	}
	if len(scales) > 1 {
		loss = loss.DivScalar(float64(len(scales)))
	}
	return loss, score
}

func (d *Detector) formed(x, weights *torch.Tensor, f Form) (loss, score *torch.Tensor) {
	total := func(each *torch.Tensor) *torch.Tensor {
		if weights == nil {
			return each.Mean()
		}
		return each.Mul(weights).Sum()
	}
	switch f {
	case Log:
		s := d.Score(x)
		return total(s.AddScalar(1e-6).Log().Neg()), s
	case Logit:
		z := d.run(d.logit, x)
		return total(z.Neg().Softplus()), z.Detach().Sigmoid()
	}
	s := d.Score(x)
	if weights == nil {
		return s.Mean().RSubScalar(1), s
	}
	return total(s.RSubScalar(1)), s
}

// Check returns an error that names the scale at which d cannot score images of height h and width w, so that a run is
// refused before training and not when the term sets in. It runs the network once for each scale but 1.
func (o LossOptions) Check(d *Detector, h, w int) error {
	if err := o.Validate(d); err != nil {
		return err
	}
	for _, f := range o.Scales {
		if f == 1 {
			continue // seen when it was opened
		}
		err := torch.Scoped(func(s *torch.Scope) error {
			x := s.Full([]int64{probeBatch, 3, int64(h), int64(w)}, 0.5, torch.Options{Device: d.device})
			torch.NoGrad(func() { d.Score(resized(x, f, !o.NoAntialias)) })
			d.calls.Add(-1) // training counts its own
			return nil
		})
		if err != nil {
			return fmt.Errorf("tigas: detector %s cannot score images of %d x %d at the scale %g: %w", d.Name, h, w, f, unprefix(err))
		}
	}
	return nil
}

// resized scales height and width, rounding down as torch's interpolate does.
func resized(x *torch.Tensor, f float64, antialias bool) *torch.Tensor {
	h, w := int64(math.Floor(float64(x.Size(2))*f)), int64(math.Floor(float64(x.Size(3))*f))
	if h == x.Size(2) && w == x.Size(3) {
		return x
	}
	if h < 1 || w < 1 {
		panic(&torch.Error{Op: "tigas.Loss", Msg: fmt.Sprintf("scale %v leaves nothing of images %v", f, x.Shape())})
	}
	return x.Resize(h, w, antialias)
}
