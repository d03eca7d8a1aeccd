package tigas

import (
	"math/rand/v2"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Augment changes images slightly before the detector sees them, each batch in another way, so that the generator cannot
// fit its weaknesses pixel by pixel. Everything is differentiable. The amounts are those of [DefaultAugment].
type Augment struct {
	Flip  bool    // mirror half of the batches
	Shift int     // move by up to this many pixels, mirrored at the border
	Zoom  float64 // resize by a factor in [1-Zoom, 1+Zoom]
	Noise float64 // standard deviation of added noise, in units of the range [0, 1]

	source *rand.PCG
	rng    *rand.Rand
}

// DefaultAugment mirrors, moves by up to 2 pixels, resizes by up to 10 % and adds noise of 0.01. The seed makes a run
// repeatable.
func DefaultAugment(seed uint64) *Augment {
	a := &Augment{Flip: true, Shift: 2, Zoom: 0.1, Noise: 0.01}
	a.seed(seed)
	return a
}

func (a *Augment) seed(seed uint64) {
	a.source = rand.NewPCG(seed, 0x7167a5)
	a.rng = rand.New(a.source)
}

// MarshalBinary returns the state of the random numbers, for a snapshot.
func (a *Augment) MarshalBinary() ([]byte, error) {
	if a.rng == nil {
		a.seed(0)
	}
	return a.source.MarshalBinary()
}

// UnmarshalBinary restores what [Augment.MarshalBinary] returned: the same changes follow.
func (a *Augment) UnmarshalBinary(state []byte) error {
	if a.rng == nil {
		a.seed(0)
	}
	return a.source.UnmarshalBinary(state)
}

// Apply augments images [N, 3, H, W] in [0, 1]; height and width may change by Zoom. It advances the random numbers and
// is not safe for concurrent use.
func (a *Augment) Apply(x *torch.Tensor) *torch.Tensor {
	if a.rng == nil {
		a.seed(0)
	}
	if a.Flip && a.rng.IntN(2) == 1 {
		x = x.Flip(3)
	}
	h, w := x.Size(2), x.Size(3)
	if p := int64(a.Shift); p > 0 && h > p && w > p {
		dy, dx := a.rng.Int64N(2*p+1), a.rng.Int64N(2*p+1)
		x = x.ReflectionPad2d([]int64{p, p, p, p}).Narrow(2, dy, h).Narrow(3, dx, w)
	}
	if a.Zoom > 0 {
		f := 1 + a.Zoom*(2*a.rng.Float64()-1)
		x = resized(x, f, true)
	}
	if a.Noise > 0 {
		// Its own numbers: the run must be the same with and without a detector but for the detector's gradient.
		noise := make([]float32, x.Numel())
		for i := range noise {
			noise[i] = float32(a.rng.NormFloat64() * a.Noise)
		}
		x = x.Add(x.Scope().FromFloat32s(noise, x.Shape()...).ToDevice(x.Device())).Clamp(0, 1)
	}
	return x
}
