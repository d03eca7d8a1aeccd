package optim

import "math"

// HalfLife is the decay for one update of an [EMA] over batch images with a half-life of kimg thousand images, as
// StyleGAN2-ADA has it:
//
//	0.5^(batch / h),  h = min(1000 kimg, ramp * images)
//
// images is the number seen so far: the ramp, 0.05 there, keeps the average close to the weights while these still move
// fast. At 0 images it copies. A ramp of 0 is none.
func HalfLife(batch, kimg, images, ramp float64) float64 {
	h := 1000 * kimg
	if ramp > 0 {
		h = math.Min(h, ramp*images)
	}
	return math.Pow(0.5, batch/math.Max(h, 1e-8))
}

// WarmUp is a decay that rises with the number of updates, the schedule of diffusers' EMAModel and of ema-pytorch:
//
//	1 - (1 + s/InvGamma)^-Power,  s = max(0, step - After - 1),  limited to [Min, Max];  0 while s is 0
//
// Zeros of InvGamma, Power and Max mean 1, 3/4 (as in diffusers' training scripts; 2/3 in ema-pytorch) and 0.9999. With
// power 3/4 the decay reaches 0.9999 after 215,443 updates.
type WarmUp struct {
	InvGamma, Power float64
	Min, Max        float64
	After           int64 // updates before the average starts; until then it copies
	Ratio           bool  // the older schedule of TensorFlow instead: (1 + s) / (10 + s)
}

// Decay is the decay of update step, which counts from 0.
func (w WarmUp) Decay(step int64) float64 {
	def(&w.InvGamma, 1)
	def(&w.Power, 0.75)
	def(&w.Max, 0.9999)
	s := float64(step - w.After - 1)
	if s <= 0 {
		return 0
	}
	d := 1 - math.Pow(1+s/w.InvGamma, -w.Power)
	if w.Ratio {
		d = (1 + s) / (10 + s)
	}
	return math.Max(w.Min, math.Min(w.Max, d))
}
