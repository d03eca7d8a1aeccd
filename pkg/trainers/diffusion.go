package trainers

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// Diffusion trains a denoising diffusion model (Ho et al. 2020, arXiv 2006.11239) with the TIGAS term in its loss:
//
//	L = mean over i of w(t_i) * mean squared error of the prediction
//	  + w * 1/N * sum over i with t_i < limit of AlphaBar(t_i) * f(score(x0_i))
//
// x0_i is the image that the network's output stands for, with its gradient. Each image has its own timestep and is judged
// by it alone, so the term has the expectation of the recipe, which lets the first image of a batch decide for all. Where
// no image of a batch qualifies the detector is not run.
type Diffusion struct {
	o       DiffusionOptions
	device  torch.Device
	noise   *sched.Noise
	limit   int // of the term
	net     models.Denoiser
	average models.Denoiser // nil without
	ema     *optim.EMA
	l       learner
}

// NewDiffusion builds the network in a sealed child of root, on a device, with initial values drawn from init (nil:
// libtorch's default generator). It returns an error for options that cannot be used.
func NewDiffusion(root *torch.Scope, init *torch.Generator, o DiffusionOptions, device torch.Device) (*Diffusion, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := checkTerm(&o.Term, o.Resolution); err != nil {
		return nil, err
	}
	b := nn.Builder{Scope: root.Child(), Generator: init, Device: device}
	net, err := o.network(b)
	if err != nil {
		return nil, err
	}
	d := &Diffusion{o: o, device: device, net: net}
	if d.noise, err = sched.NewNoise(o.Schedule, o.Timesteps); err != nil {
		return nil, err
	}
	d.limit = o.TermLimit(d.noise)
	if o.EMA > 0 {
		if d.average, err = o.network(b); err != nil {
			return nil, err
		}
		nn.Train(d.average, false)
		if d.ema, err = newEMA(d.net, d.average); err != nil {
			return nil, err
		}
	}
	if o.ChannelsLast {
		nn.ChannelsLast(d.net, d.average)
	}
	b.Scope.Seal()
	d.l = learner{name: "net", params: nn.ParamList(net), rate: o.LR, limit: o.ClipGrad, partly: o.Network != nil}
	d.l.opt = optim.NewAdamW(root, d.l.params, optim.AdamOptions{
		LR: o.LR.At(sched.Progress{}), Beta1: o.Beta1, Beta2: o.Beta2, WeightDecay: o.WeightDecay, Capturable: resident(device)})
	return d, nil
}

// Summary describes the network in a few words.
func (d *Diffusion) Summary() string {
	name := nameOf(d.net)
	if name == "" {
		name = "unet, "
	}
	return fmt.Sprintf("%s%s parameters", name, d.l.size())
}

// Objective describes the loss, and where the TIGAS term is part of it.
func (d *Diffusion) Objective() string {
	s := fmt.Sprintf("%s, %s noise of %d steps, weight %s", d.o.Predict, d.o.Schedule, d.o.Timesteps, d.o.LossWeight)
	if d.o.Term.Detector != nil {
		s += fmt.Sprintf(", TIGAS below timestep %d", d.limit)
	}
	return s
}

// Step makes one update on one batch.
func (d *Diffusion) Step(st *Step) error {
	if st.mustRecord() {
		return errors.New("the step of a diffusion model cannot be recorded as a CUDA graph: which of the images the TIGAS term scores is decided anew in each")
	}
	defer st.Phase("net")()
	x, err := st.Real()
	if err != nil {
		return err
	}
	plan := d.plan(st, d.draw(st, x.Size(0)))
	noise := st.Scope.Randn(st.Noise, x.Shape(), torch.Options{Device: d.device})
	noisy := plan.levels.AddNoise(x, noise)
	out := st.Autocast(func() *torch.Tensor { return d.net.Forward(noisy, plan.timesteps) })
	target := d.o.Predict.Target(x, noise, plan.levels)
	loss := st.Term("mse", DiffusionLoss(out, target, plan.weights))
	plan.reportQuarters(st, out.Detach(), target)
	var a tigas.Applied
	if plan.scored != nil {
		a = d.term(st, plan, out, noisy)
		loss = loss.Add(a.Loss)
	}
	st.Report("total", loss)
	m, err := d.l.stepWith(st, loss, out, a)
	if m.yes && d.ema != nil {
		defer st.Phase("optimizer")()
		d.ema.Update(optim.WarmUp{Max: d.o.EMA}.Decay(st.Progress.Step + 1))
	}
	return err
}

// draw returns a timestep for each image, uniform in 0 to T-1, on the host: which images are scored is known without
// waiting for the device.
func (d *Diffusion) draw(st *Step, n int64) []int {
	t := make([]int, n)
	for i, u := range st.Scope.Rand(st.Choice, []int64{n}).Float32s() {
		t[i] = min(int(float64(u)*float64(d.o.Timesteps)), d.o.Timesteps-1)
	}
	return t
}

// term is the weighted TIGAS term of the images that are scored.
func (d *Diffusion) term(st *Step, p *diffusionPlan, out, noisy *torch.Tensor) tigas.Applied {
	levels := NoiseLevels{p.levels.Signal.IndexSelect(0, p.scored), p.levels.Noise.IndexSelect(0, p.scored)}
	x0 := d.o.Predict.X0(out.IndexSelect(0, p.scored), noisy.IndexSelect(0, p.scored), levels)
	torch.NoGrad(func() { st.Report("x0_clipped", x0.Abs().GtScalar(1).To(torch.Float32).Mean()) })
	return st.Apply(&d.o.Term, ClampThrough(x0, -1, 1), p.scoredWeights)
}

// LatentShape is that of an image: sampling starts from noise.
func (d *Diffusion) LatentShape() []int64 { return d.sampler().LatentShape() }

// Sample denoises latents to images [N, 3, H, W] in [-1, 1] with the averaged network, or the trained one without average.
// ctx ends it between two steps.
func (d *Diffusion) Sample(ctx context.Context, latents *torch.Tensor) (images *torch.Tensor, err error) {
	s := d.sampler()
	if d.average != nil {
		return s.Sample(ctx, latents)
	}
	evaluating(d.net, func() { images, err = s.Sample(ctx, latents) })
	return images, err
}

func (d *Diffusion) sampler() *DenoisingSampler {
	net := d.average
	if net == nil {
		net = d.net
	}
	return &DenoisingSampler{Sampling: d.o.Sampling, o: d.o, schedule: d.noise, net: net}
}

// Tensors are the weights by name: net.… and net_ema.…, each with the names of diffusers' UNet2DModel.
func (d *Diffusion) Tensors() iter.Seq2[string, *torch.Tensor] {
	if d.average == nil {
		return named(namedNet{"net", d.net})
	}
	return named(namedNet{"net", d.net}, namedNet{"net_ema", d.average})
}

// TIGAS is the term in the loss.
func (d *Diffusion) TIGAS() tigas.Term { return d.o.Term }

// Optimizers is that of the network.
func (d *Diffusion) Optimizers() []NamedOptimizer { return []NamedOptimizer{d.l.optimizer()} }

// DenoisingSampler draws pictures from a trained diffusion model. Sampling and Noise may be changed.
type DenoisingSampler struct {
	Sampling Sampling
	// Noise is what DDPM, and DDIM with eta above 0, add on the way, a generator of the CPU. nil: the same for each call.
	Noise *torch.Generator

	o        DiffusionOptions
	schedule *sched.Noise
	net      models.Denoiser
}

// Timesteps is T, the largest number of steps of sampling.
func (s *DenoisingSampler) Timesteps() int { return s.o.Timesteps }

// LatentShape is that of an image: sampling starts from noise.
func (s *DenoisingSampler) LatentShape() []int64 {
	r := int64(s.o.Resolution)
	return []int64{3, r, r}
}

// Sample denoises latents to images [N, 3, H, W] in [-1, 1]. It returns an error for a Sampling that does not validate, and
// ctx's when it ends between two steps.
func (s *DenoisingSampler) Sample(ctx context.Context, latents *torch.Tensor) (*torch.Tensor, error) {
	if err := s.Sampling.Validate(s.o.Timesteps); err != nil {
		return nil, err
	}
	d := DiffusionSampler{Denoiser: s.net.Forward, Prediction: s.o.Predict, Noise: s.schedule, Method: s.Sampling.Method,
		Steps: s.Sampling.Steps, Eta: s.Sampling.Eta, Clip: true, Chunk: min(64, s.o.Batch)}
	g := s.Noise
	if g == nil && d.Stochastic() {
		var err error
		if g, err = latents.Scope().NewGenerator(torch.CPU, 0); err != nil {
			return nil, err
		}
	}
	images, err := d.Sample(ctx, latents, g)
	if err != nil {
		return nil, err
	}
	return images.Clamp(-1, 1), nil
}

// LoadDiffusion builds the network of a diffusion run in a sealed child of root and fills it from a snapshot's tensors: the
// averaged weights net_ema.*, or net.* where there are none. It returns an error when they do not fit.
func LoadDiffusion(root *torch.Scope, o DiffusionOptions, tensors map[string]*torch.Tensor, d torch.Device) (*DenoisingSampler, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	net, err := load(root, d, tensors, o.network, "net_ema.", "net.")
	if err != nil {
		return nil, err
	}
	schedule, err := sched.NewNoise(o.Schedule, o.Timesteps)
	return &DenoisingSampler{Sampling: o.Sampling, o: o, schedule: schedule, net: net}, err
}

var _ Family = (*Diffusion)(nil)
