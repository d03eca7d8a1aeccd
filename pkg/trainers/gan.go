package trainers

import (
	"fmt"
	"iter"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

// GAN trains a generator against a critic, with the TIGAS term in the generator's loss:
//
//	L_D = critic loss + penalty          CriticSteps times, each on new images
//	L_G = adversarial loss + w * L_tigas
//
// Gradients are taken with respect to one network's parameters at a time, so the generator's step neither computes nor
// leaves behind gradients of the critic.
type GAN struct {
	o      GANOptions
	device torch.Device

	generator models.Generator
	critic    models.Critic    // nil for TIGASOnly
	average   models.Generator // the generator's moving average; nil without
	gParams   []*torch.Tensor
	dParams   []*torch.Tensor
	gOpt      optim.Optimizer
	dOpt      optim.Optimizer
	ema       *optim.EMA
}

// NewGAN builds the networks in a sealed child of root, on a device, with initial values drawn from init (nil: libtorch's
// default generator). It returns an error for options that cannot be used, and for a resolution that the architecture
// cannot make.
func NewGAN(root *torch.Scope, init *torch.Generator, o GANOptions, device torch.Device) (*GAN, error) {
	o = o.Resolve()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if d := o.Term.Detector; d != nil {
		if err := o.Term.Options.Check(d, o.Resolution, o.Resolution); err != nil {
			return nil, err
		}
	}
	g := &GAN{o: o, device: device}
	b := nn.Builder{Scope: root.Child(), Generator: init, Device: device}
	pair, err := models.NewGAN(b, o.Arch, o.config())
	if err != nil {
		return nil, err
	}
	g.generator, g.gParams = pair.Generator, nn.ParamList(pair.Generator)
	if o.Loss != TIGASOnly {
		g.critic, g.dParams = pair.Critic, nn.ParamList(pair.Critic)
	}
	if o.EMAKimg > 0 {
		if err = g.newAverage(b); err != nil {
			return nil, err
		}
	}
	b.Scope.Seal()
	g.gOpt, g.dOpt = g.optimizer(root, g.gParams, o.GenLR), g.optimizer(root, g.dParams, o.CriticLR)
	return g, nil
}

// config is the size of the pair. The critic of a gradient penalty must treat each image by itself, so it has no batch
// norm; with clipped weights batch norm would undo the clipping.
func (o GANOptions) config() models.Config {
	norm := "none"
	if !o.Loss.Wasserstein() {
		norm = "batch"
	}
	return models.Config{Resolution: o.Resolution, Latent: o.Latent, Ngf: o.GenWidth, Ndf: o.CriticWidth, CriticNorm: norm}
}

// newAverage builds a second generator for the moving average.
func (g *GAN) newAverage(b nn.Builder) error {
	pair, err := models.NewGAN(b, g.o.Arch, g.o.config())
	if err != nil {
		return err
	}
	g.average = pair.Generator
	nn.Train(g.average, false)
	g.ema, err = optim.NewEMA(g.gParams, nn.ParamList(g.average), nn.BufferList(g.generator), nn.BufferList(g.average))
	return err
}

func (g *GAN) optimizer(s *torch.Scope, params []*torch.Tensor, lr float64) optim.Optimizer {
	if len(params) == 0 {
		return nil
	}
	if g.o.Loss == WGANClip {
		return optim.NewRMSprop(s, params, optim.RMSpropOptions{LR: lr})
	}
	return optim.NewAdam(s, params, optim.AdamOptions{LR: lr, Beta1: g.o.Beta1, Beta2: g.o.Beta2})
}

// Summary describes the networks in a few words.
func (g *GAN) Summary() string {
	s := fmt.Sprintf("%s, generator %s parameters", g.o.Arch, millions(g.gParams))
	if g.critic != nil {
		s += fmt.Sprintf(", critic %s", millions(g.dParams))
	}
	return s
}

func millions(params []*torch.Tensor) string {
	var n int64
	for _, p := range params {
		n += p.Numel()
	}
	return fmt.Sprintf("%.2fM", float64(n)/1e6)
}

// Options are the resolved settings.
func (g *GAN) Options() GANOptions { return g.o }

// Step makes CriticSteps updates of the critic and one of the generator.
func (g *GAN) Step(st *Step) error {
	if g.critic != nil {
		for range g.o.CriticSteps {
			// A scope of its own: the critic's graphs are freed before the generator's is built.
			if err := st.Sub(g.stepCritic); err != nil {
				return err
			}
		}
	}
	if g.critic == nil {
		st.Count(g.o.Batch) // the run's length is counted in images, and nobody asks for real ones
	}
	return st.Sub(g.stepGenerator)
}

func (g *GAN) stepCritic(st *Step) error {
	real, err := st.Real()
	if err != nil {
		return err
	}
	var fake *torch.Tensor
	torch.NoGrad(func() { fake = g.generator.Forward(g.latents(st, real.Size(0))) })
	dReal, dFake := g.judge(real, fake)
	loss := g.o.Loss.Critic(dReal, dFake)
	st.Report("D", loss)
	if g.o.Loss == WGANGP && g.o.GPLambda > 0 {
		gp := GradientPenalty(g.critic.Forward, real, fake, PenaltyOptions{Lambda: g.o.GPLambda, Generator: st.Noise})
		st.Report("gp", gp)
		loss = loss.Add(gp)
	}
	st.Report("scores_real", dReal.Mean())
	st.Report("scores_fake", dFake.Mean())
	if err = g.update(st, "D", loss, g.dParams, g.dOpt, 0); err != nil {
		return err
	}
	if g.o.Loss == WGANClip {
		ClipWeights(g.dParams, g.o.Clip)
	}
	return nil
}

// judge returns the critic's outputs for both batches. A critic that treats each image by itself takes them as one, which
// keeps the cores busier; batch norm must see them apart.
func (g *GAN) judge(real, fake *torch.Tensor) (dReal, dFake *torch.Tensor) {
	if g.o.config().CriticNorm == "batch" {
		return g.critic.Forward(real), g.critic.Forward(fake)
	}
	both := g.critic.Forward(torch.Cat([]*torch.Tensor{real, fake}, 0))
	n := real.Size(0)
	return both.Narrow(0, 0, n), both.Narrow(0, n, fake.Size(0))
}

func (g *GAN) stepGenerator(st *Step) error {
	n := int64(g.o.Batch)
	fake := g.generator.Forward(g.latents(st, n))
	var loss *torch.Tensor
	if g.critic != nil {
		loss = g.o.Loss.Generator(g.critic.Forward(fake))
		st.Report("G", loss)
	}
	if a := g.o.Term.Apply(st.Progress, fake); a.Loss != nil {
		st.Report("tigas", a.Raw)
		st.Report("score", a.Score)
		if loss == nil {
			loss = a.Loss
		} else {
			loss = loss.Add(a.Loss)
		}
	}
	if loss == nil {
		return nil // tigas-only, in a step where the term is absent
	}
	st.Report("total", loss)
	if err := g.update(st, "G", loss, g.gParams, g.gOpt, g.o.ClipGrad); err != nil {
		return err
	}
	if g.ema != nil {
		g.ema.Update(optim.HalfLife(float64(n*int64(g.o.CriticSteps)), g.o.EMAKimg, float64(st.Progress.Images)))
	}
	return nil
}

// update takes the gradient of loss and one step, unless the gradient is not finite: then the step is left out and
// counted, and nothing is changed.
func (g *GAN) update(st *Step, name string, loss *torch.Tensor, params []*torch.Tensor, opt optim.Optimizer, limit float64) error {
	grads := torch.Grad(loss, params, torch.GradOptions{})
	norm, err := optim.ClipGradNorm(grads, limit)
	if err == nil {
		st.Report(name+"_grad_norm", st.Scope.Scalar(norm))
		opt.Step(grads)
	}
	return st.Updated(name, err)
}

func (g *GAN) latents(st *Step, n int64) *torch.Tensor {
	return st.Scope.Randn(st.Noise, []int64{n, int64(g.o.Latent)}, torch.Options{Device: g.device})
}

// Latents draws n latent vectors [n, Latent], the same ones for the same seed on every device.
func (g *GAN) Latents(s *torch.Scope, n int, seed int64) (*torch.Tensor, error) {
	gen, err := s.NewGenerator(torch.CPU, seed)
	if err != nil {
		return nil, err
	}
	return s.Randn(gen, []int64{int64(n), int64(g.o.Latent)}).ToDevice(g.device), nil
}

// Sample returns images [N, 3, H, W] in [-1, 1] from the averaged generator, or from the trained one without average.
func (g *GAN) Sample(latents *torch.Tensor) (images *torch.Tensor) {
	net := g.average
	if net == nil {
		net = g.generator
		nn.Train(net, false)
		defer nn.Train(net, true)
	}
	torch.NoGrad(func() { images = net.Forward(latents) })
	return images
}

// SampleRaw is Sample from the trained generator, without average: what the critic and the detector see.
func (g *GAN) SampleRaw(latents *torch.Tensor) (images *torch.Tensor) {
	torch.NoGrad(func() { images = g.generator.Forward(latents) })
	return images
}

// Tensors are the weights by name: G.…, D.… and G_ema.…, each with the names of PyTorch's state dict.
func (g *GAN) Tensors() iter.Seq2[string, *torch.Tensor] {
	return func(yield func(string, *torch.Tensor) bool) {
		for _, net := range []struct {
			name string
			m    any
		}{{"G", g.generator}, {"D", g.critic}, {"G_ema", g.average}} {
			if net.m == nil { // an interface without a network: no critic, no average
				continue
			}
			for name, t := range nn.StateDict(net.m) {
				if !yield(net.name+"."+name, t) {
					return
				}
			}
		}
	}
}

// LearningRates are those of the two optimisers.
func (g *GAN) LearningRates() []NamedValue {
	l := []NamedValue{{"lr_G", g.gOpt.LR()}}
	if g.dOpt != nil {
		l = append(l, NamedValue{"lr_D", g.dOpt.LR()})
	}
	return l
}

var _ Family = (*GAN)(nil)
