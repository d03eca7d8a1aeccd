package tigas

import (
	"errors"
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

const probeBatch = 2

type probe struct {
	name  string
	image *torch.Tensor // [2, 3, H, W] in [0, 1]
}

// probes are images of different character. A detector may be saturated on one of them, where its gradient underflows
// to zero, but not on all.
func probes(s *torch.Scope, o OpenOptions) []probe {
	h, w := int64(o.Height), int64(o.Width)
	shape := []int64{probeBatch, 3, h, w}
	opt := torch.Options{Device: o.Device}
	// A generator of its own: the run's random numbers must not depend on whether there is a detector.
	g, err := s.NewGenerator(torch.CPU, 20251224)
	if err != nil {
		panic(&torch.Error{Op: "tigas.probe", Msg: err.Error()})
	}
	noise := s.Rand(g, shape).ToDevice(o.Device)
	coarse := s.Rand(g, []int64{probeBatch, 3, 4, 4}).ToDevice(o.Device).Resize(h, w, false)
	ramp := s.Arange(0, w, torch.Options{DType: torch.Float32, Device: o.Device}).DivScalar(float64(w)).Expand(shape...)
	return []probe{
		{"smooth", coarse},
		{"smooth with noise", coarse.Lerp(noise, 0.2)},
		{"noise", noise},
		{"ramp", ramp.Contiguous()},
		{"grey", s.Full(shape, 0.5, opt)},
	}
}

// oneOfEach is a batch of the first image of each probe.
func oneOfEach(ps []probe) *torch.Tensor {
	var one []*torch.Tensor
	for _, p := range ps {
		one = append(one, p.image.Narrow(0, 0, 1))
	}
	return torch.Cat(one, 0)
}

// selfTest proves that the detector can be a loss, or says why not.
func (d *Detector) selfTest(o OpenOptions) error {
	defer d.calls.Store(0)
	return torch.Scoped(func(s *torch.Scope) error {
		ps := probes(s, o)
		var values []float32
		torch.NoGrad(func() { values = d.Score(oneOfEach(ps)).Float32s() })
		for i, v := range values {
			switch {
			case math.IsNaN(float64(v)) || math.IsInf(float64(v), 0):
				return fmt.Errorf("gives the score %v for a valid image (%s)", v, ps[i].name)
			case v < 0 || v > 1:
				return fmt.Errorf("gives the score %.4g, outside [0, 1] (%s): if it returns logits, export it with "+
					"a sigmoid", v, ps[i].name)
			}
		}
		for _, p := range ps {
			g, err := gradient(d.Score, p.image.Detach().Clone().RequiresGrad(true))
			if err != nil {
				return err
			}
			norm := g.Norm().Float64()
			if math.IsNaN(norm) || math.IsInf(norm, 0) {
				return fmt.Errorf("its gradient with respect to the image is %v (%s)", norm, p.name)
			}
			if norm > 0 {
				return nil // one image is proof enough; another may be one that the detector is sure of
			}
		}
		return errors.New("its gradient with respect to the image is zero for every probe image: nothing to learn from")
	})
}
