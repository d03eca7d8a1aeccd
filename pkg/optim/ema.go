package optim

import (
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// EMA keeps a moving average of parameters in tensors of another module of the same architecture. Buffers, such as the
// running statistics of batch norms, are copied.
type EMA struct {
	params, averages list
	buffers, copies  list
}

// NewEMA returns an average of params in averages, and of buffers in copies; it starts as a copy. The lists must
// correspond, else it returns an error.
func NewEMA(params, averages, buffers, copies []*torch.Tensor) (*EMA, error) {
	if len(params) != len(averages) || len(buffers) != len(copies) {
		return nil, fmt.Errorf("optim: ema: got %d and %d parameters, %d and %d buffers: not one architecture", len(params),
			len(averages), len(buffers), len(copies))
	}
	e := &EMA{params, averages, buffers, copies}
	return e, torch.Try(func() { e.Update(0) })
}

// Update moves the averages: average = param + decay * (average - param). A decay of 0 copies.
func (e *EMA) Update(decay float64) {
	torch.NoGrad(func() {
		mulAll(e.averages, decay)
		addScaled(e.averages, e.params, 1-decay)
		for i, b := range e.buffers {
			e.copies[i].Copy_(b)
		}
	})
}

// HalfLife is the decay for one update over batch images with a half-life of kimg thousand images, as StyleGAN2 has it:
//
//	0.5^(batch / h),  h = min(1000 kimg, 0.05 images)
//
// images is the number seen so far: the ramp keeps the average close to the weights while these still move fast. At 0 it
// copies.
func HalfLife(batch, kimg, images float64) float64 {
	h := math.Min(1000*kimg, 0.05*images)
	return math.Pow(0.5, batch/math.Max(h, 1e-8))
}

// WarmUp is the decay of update step (from 0) for a final decay limit:
//
//	1 - (1 + s)^-power,  s = max(0, step - 1), at most limit; 0 while s is 0
//
// the schedule of diffusers with inv_gamma 1; power 0.75 reaches 0.9999 after 215,443 updates.
func WarmUp(step int64, power, limit float64) float64 {
	s := float64(step - 1)
	if s <= 0 {
		return 0
	}
	return math.Min(limit, 1-math.Pow(1+s, -power))
}
