package trainers

import (
	"context"
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/sched"
)

// Methods of a [DiffusionSampler].
const (
	MethodDDIM = "ddim"
	MethodDDPM = "ddpm"
)

// DiffusionSampler makes images from noise with a denoising network, step by step. Denoiser, Noise and Prediction must be
// given; the zero values of the others mean the defaults that are named here.
type DiffusionSampler struct {
	// Denoiser maps noisy images [N, C, H, W] and their timesteps, int64 [N], to predictions [N, C, H, W]. It is called
	// without recording gradients; what it leaves in the scope of its arguments is freed after each step.
	Denoiser   func(x, t *torch.Tensor) *torch.Tensor
	Noise      *sched.Noise // the schedule that the network was trained with
	Prediction Prediction   // what it returns

	Method   string   // [MethodDDIM], the default, or [MethodDDPM]
	Steps    int      // how many of the schedule's steps are visited; 0: 50 of them with DDIM, all with DDPM
	Grid     TimeGrid // which ones; GridLinspace
	Eta      float64  // DDIM only: 0 adds no noise, 1 as much as DDPM
	Variance Variance // DDPM only; FixedSmall
	Clip     bool     // limit the expected image to [-1, 1] in each step; right for images, see [Prediction.Denoise]
	Chunk    int      // images that are made at once, 64; more are made one chunk after the other
}

// Resolve fills in the defaults.
func (d DiffusionSampler) Resolve() DiffusionSampler {
	if d.Method == "" {
		d.Method = MethodDDIM
	}
	if d.Steps == 0 && d.Noise != nil {
		d.Steps = d.Noise.Steps()
		if d.Method == MethodDDIM {
			d.Steps = min(50, d.Steps)
		}
	}
	if d.Grid == "" {
		d.Grid = GridLinspace
	}
	if d.Variance == "" {
		d.Variance = FixedSmall
	}
	if d.Chunk == 0 {
		d.Chunk = 64
	}
	return d
}

// Validate returns an error that names the first setting that cannot be used; zero values are taken for the defaults.
func (d DiffusionSampler) Validate() error {
	d = d.Resolve()
	if d.Denoiser == nil || d.Noise == nil {
		return fmt.Errorf("trainers: diffusion sampler: got no denoiser or no noise schedule vs both")
	}
	if d.Method != MethodDDIM && d.Method != MethodDDPM {
		return fmt.Errorf("trainers: got the sampling method %q vs ddim or ddpm", d.Method)
	}
	if !(d.Eta >= 0 && d.Eta <= 1) {
		return fmt.Errorf("trainers: got eta %g vs 0 to 1", d.Eta)
	}
	if d.Chunk < 1 {
		return fmt.Errorf("trainers: got chunks of %d images vs 1 or more", d.Chunk)
	}
	if _, err := ParsePrediction(string(d.Prediction)); err != nil {
		return err
	}
	if _, err := ParseVariance(string(d.Variance)); err != nil {
		return err
	}
	_, err := d.Grid.Times(d.Noise.Steps(), d.Steps)
	return err
}

// Stochastic tells whether sampling adds noise on the way, so that the images depend on more than where it starts.
func (d DiffusionSampler) Stochastic() bool {
	d = d.Resolve()
	return d.Method == MethodDDPM || d.Eta > 0
}

// Sample returns the images [N, C, H, W] that standard normal noise start [N, C, H, W] leads to, in start's scope and type,
// not limited to [-1, 1]. No gradients are recorded, and memory does not grow with the number of steps.
//
// noise is a generator of the CPU, so that a seed gives the same images on every device; nil means libtorch's default
// generator. Noise is drawn for whole chunks, and a chunk goes all the way before the next one begins: image i is the same
// however many come after it, for the same start, seed and Chunk. Without [DiffusionSampler.Stochastic] nothing is drawn.
// It returns the error of [DiffusionSampler.Validate], and ctx's when that ends between two steps. It panics for another
// shape.
func (d DiffusionSampler) Sample(ctx context.Context, start *torch.Tensor, noise *torch.Generator) (images *torch.Tensor, err error) {
	const op = "DiffusionSampler"
	if err := d.Validate(); err != nil {
		return nil, err
	}
	if start.Dim() != 4 || start.Size(0) == 0 || !start.DType().IsFloat() {
		panic(&torch.Error{Op: op, Msg: "got " + start.String() + " vs noise [N C H W] with N at least 1"})
	}
	d = d.Resolve()
	out := torch.ScopeOf(op, start)
	all := out.Child()
	defer all.Close()
	torch.NoGrad(func() {
		var parts []*torch.Tensor
		for i := int64(0); i < start.Size(0); i += int64(d.Chunk) {
			x := all.Use(start).Narrow(0, i, min(int64(d.Chunk), start.Size(0)-i))
			if x, err = d.chunk(ctx, x, noise); err != nil {
				return
			}
			parts = append(parts, x)
		}
		images = parts[0]
		if len(parts) > 1 {
			images = torch.Cat(parts, 0)
		}
	})
	if err != nil {
		return nil, err
	}
	return out.Adopt(images), nil
}

// chunk runs all steps for x, at most Chunk images, and returns the result in x's scope. x is used up.
func (d DiffusionSampler) chunk(ctx context.Context, x *torch.Tensor, noise *torch.Generator) (*torch.Tensor, error) {
	times, err := d.Grid.Times(d.Noise.Steps(), d.Steps)
	if err != nil {
		return nil, err
	}
	for i, t := range times[:len(times)-1] {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		y := d.step(x, t, times[i+1], noise)
		x.Free()
		x = y
	}
	return x, nil
}

// step goes from t to s in a scope of its own, and leaves only the result in x's.
func (d DiffusionSampler) step(x *torch.Tensor, t, s int, noise *torch.Generator) *torch.Tensor {
	out := x.Scope()
	scope := out.Child()
	defer scope.Close()
	x = scope.Use(x)
	at := scope.Full([]int64{x.Size(0)}, float64(t), torch.Options{DType: torch.Int64, Device: x.Device()})
	prediction := scope.Use(d.Denoiser(x, at)) // wherever the denoiser has it
	seen := d.Prediction.Denoise(d.Noise, t, prediction, x, d.Clip)
	var z *torch.Tensor
	if s >= 0 && d.Stochastic() {
		shape := append([]int64{int64(d.Chunk)}, x.Shape()[1:]...)
		z = scope.Randn(noise, shape, torch.Options{DType: x.DType()}).Narrow(0, 0, x.Size(0)).ToDevice(x.Device())
	}
	var y *torch.Tensor
	if d.Method == MethodDDPM {
		y = DDPMStep(d.Noise, t, s, d.Variance, seen.X0, x, z)
	} else {
		y = DDIMStep(d.Noise, t, s, d.Eta, seen, z)
	}
	return out.Adopt(y)
}
