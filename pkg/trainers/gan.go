package trainers

import (
	"context"
	"fmt"
	"iter"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/tigas"
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
	g, d      learner          // d is unused for TIGASOnly
	ema       *optim.EMA
	moved     bool // the generator's weights may have changed in this step
}

// NewGAN builds the networks in a sealed child of root, on a device, with initial values drawn from init (nil: libtorch's
// default generator). It returns an error for options that cannot be used, and for a resolution that the architecture
// cannot make.
func NewGAN(root *torch.Scope, init *torch.Generator, o GANOptions, device torch.Device) (*GAN, error) {
	o = o.Resolve()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Loss == TIGASOnly && o.Term.Detector == nil {
		return nil, fmt.Errorf("trainers: --loss tigas-only: there is nothing to learn from without a detector: set --tigas-weight")
	}
	if err := checkTerm(&o.Term, o.Resolution); err != nil {
		return nil, err
	}
	g := &GAN{o: o, device: device}
	b := nn.Builder{Scope: root.Child(), Generator: init, Device: device}
	pair, err := o.pair(b)
	if err != nil {
		return nil, err
	}
	g.generator, g.critic = pair.Generator, pair.Critic
	if o.EMAKimg > 0 {
		if err = g.newAverage(b); err != nil {
			return nil, err
		}
	}
	if o.ChannelsLast {
		nn.ChannelsLast(g.generator, g.critic, g.average)
	}
	b.Scope.Seal()
	g.g = g.learner(root, "G", g.generator, o.GenLR)
	g.g.limit, g.g.partly = o.ClipGrad, o.Generator != nil
	if g.critic != nil {
		g.d = g.learner(root, "D", g.critic, o.CriticLR)
		g.d.partly = o.Critic != nil
	}
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
	var err error
	if g.average, err = g.o.generator(b); err != nil {
		return err
	}
	nn.Train(g.average, false)
	g.ema, err = newEMA(g.generator, g.average)
	return err
}

// newEMA returns the moving average of a network in another one of the same architecture.
func newEMA(net, average any) (*optim.EMA, error) {
	return optim.NewEMA(nn.ParamList(net), nn.ParamList(average), nn.BufferList(net), nn.BufferList(average))
}

func (g *GAN) learner(s *torch.Scope, name string, net any, lr float64) learner {
	l := learner{name: name, params: nn.ParamList(net)}
	if g.o.Loss == WGANClip {
		l.opt = optim.NewRMSprop(s, l.params, optim.RMSpropOptions{LR: lr})
	} else {
		l.opt = optim.NewAdam(s, l.params, optim.AdamOptions{LR: lr, Beta1: g.o.Beta1, Beta2: g.o.Beta2, Capturable: resident(g.device)})
	}
	return l
}

// Summary describes the networks in a few words.
func (g *GAN) Summary() string {
	s := ""
	if g.o.builds() {
		s = g.o.Arch + ", "
	}
	s += fmt.Sprintf("generator %s%s parameters", nameOf(g.generator), g.g.size())
	if g.critic != nil {
		s += fmt.Sprintf(", critic %s%s", nameOf(g.critic), g.d.size())
	}
	return s
}

// nameOf is the name of a network that has one, with a space behind it: one of a file.
func nameOf(net any) string {
	if s, ok := net.(fmt.Stringer); ok {
		return s.String() + " "
	}
	return ""
}

// Objective names the loss.
func (g *GAN) Objective() string { return string(g.o.Loss) }

// Options are the resolved settings.
func (g *GAN) Options() GANOptions { return g.o }

// Step makes CriticSteps updates of the critic and one of the generator.
func (g *GAN) Step(st *Step) error {
	g.g.prepare(st)
	g.d.prepare(st)
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
	if err := st.Sub(g.stepGenerator); err != nil {
		return err
	}
	if g.ema != nil && g.moved {
		defer st.Phase("optimizer")()
		g.ema.Update(optim.HalfLife(float64(g.o.Batch*g.o.CriticSteps), g.o.EMAKimg, float64(st.Progress.Images), 0.05))
	}
	return nil
}

func (g *GAN) stepCritic(st *Step) error {
	defer st.Phase("D")()
	real, err := st.Real()
	if err != nil {
		return err
	}
	if g.waits(st) {
		return g.updateCritic(st, real)
	}
	return st.Captured("D", []*torch.Tensor{real}, func(st *Step, in []*torch.Tensor) error { return g.updateCritic(st, in[0]) })
}

// waits tells whether the host has a part in the updates, which cannot be recorded: RMSprop has no form for the device, and a
// network of one's own may count its calls. Who asks for graphs at any rate gets the attempt.
func (g *GAN) waits(st *Step) bool {
	return (g.o.Loss == WGANClip || g.o.Generator != nil || g.o.Critic != nil) && !st.mustRecord()
}

func (g *GAN) updateCritic(st *Step, real *torch.Tensor) error {
	fake := st.Autocast(func() (fake *torch.Tensor) {
		torch.NoGrad(func() { fake = g.generator.Forward(g.latents(st, real.Size(0))) })
		return fake
	})
	dReal, dFake := g.judge(st, real, fake)
	loss := st.Term("D", g.o.Loss.Critic(dReal, dFake))
	if g.o.Loss == WGANGP && g.o.GPLambda > 0 {
		gp := GradientPenalty(g.critic.Forward, real, fake, PenaltyOptions{Lambda: g.o.GPLambda, Generator: st.Noise})
		loss = loss.Add(st.Term("gp", gp))
	}
	st.reportCritic(dReal, dFake)
	if _, err := g.d.step(st, loss); err != nil {
		return err
	}
	if g.o.Loss == WGANClip {
		ClipWeights(g.d.params, g.o.Clip)
	}
	return nil
}

// judge returns the critic's outputs for both batches. A critic that treats each image by itself takes them as one, which
// keeps the cores busier; batch norm must see them apart, and so must one of which nothing is known.
func (g *GAN) judge(st *Step, real, fake *torch.Tensor) (dReal, dFake *torch.Tensor) {
	judge := func(x *torch.Tensor) *torch.Tensor {
		return st.Autocast(func() *torch.Tensor { return g.critic.Forward(x) })
	}
	if g.o.Critic != nil || g.o.config().CriticNorm == "batch" {
		return judge(real), judge(fake)
	}
	both := judge(torch.Cat([]*torch.Tensor{real, fake}, 0))
	n := real.Size(0)
	return both.Narrow(0, 0, n), both.Narrow(0, n, fake.Size(0))
}

// stepGenerator notes in moved whether the weights may have changed.
func (g *GAN) stepGenerator(st *Step) error {
	defer st.Phase("G")()
	w := g.o.Term.Due(st.Progress)
	if g.moved = g.critic != nil || w != 0; !g.moved {
		return nil // tigas-only, in a step where the term is absent
	}
	if g.waits(st) {
		return g.updateGenerator(st, nil)
	}
	return st.withTerm("G", &g.o.Term, w, nil, func(st *Step, _ []*torch.Tensor, w *torch.Tensor) error { return g.updateGenerator(st, w) })
}

// updateGenerator takes the weight of the term if it is not to be the one of now, see withTerm.
func (g *GAN) updateGenerator(st *Step, w *torch.Tensor) error {
	fake := st.Autocast(func() *torch.Tensor { return g.generator.Forward(g.latents(st, int64(g.o.Batch))) })
	var loss *torch.Tensor
	if g.critic != nil {
		out := st.Autocast(func() *torch.Tensor { return g.critic.Forward(fake) })
		loss = st.Term("G", g.o.Loss.Generator(out))
	}
	a := st.applyScaled(&g.o.Term, fake, nil, w)
	if a.Loss != nil {
		if loss == nil {
			loss = a.Loss
		} else {
			loss = loss.Add(a.Loss)
		}
	}
	st.Report("total", loss)
	step := g.g.step
	if g.critic != nil { // else there is nothing beside the term
		step = func(st *Step, loss *torch.Tensor) (made, error) { return g.g.stepWith(st, loss, fake, a) }
	}
	_, err := step(st, loss)
	return err
}

func (g *GAN) latents(st *Step, n int64) *torch.Tensor {
	return st.Scope.Randn(st.Noise, []int64{n, int64(g.o.Latent)}, torch.Options{Device: g.device})
}

// LatentShape is the shape of one latent: one number, the length.
func (g *GAN) LatentShape() []int64 { return []int64{int64(g.o.Latent)} }

// Sample returns images [N, 3, H, W] in [-1, 1] from the averaged generator, or from the trained one without average.
func (g *GAN) Sample(ctx context.Context, latents *torch.Tensor) (images *torch.Tensor, err error) {
	if g.average != nil {
		return generatorSampler{g.average, g.o.Latent}.Sample(ctx, latents)
	}
	evaluating(g.generator, func() { images = g.generator.Forward(latents) })
	return images, nil
}

// SampleRaw is Sample from the trained generator, without average: what the critic and the detector see.
func (g *GAN) SampleRaw(latents *torch.Tensor) (images *torch.Tensor) {
	torch.NoGrad(func() { images = g.generator.Forward(latents) })
	return images
}

// Tensors are the weights by name: G.…, D.… and G_ema.…, each with the names of PyTorch's state dict.
func (g *GAN) Tensors() iter.Seq2[string, *torch.Tensor] {
	return named(namedNet{"G", g.generator}, namedNet{"D", g.critic}, namedNet{"G_ema", g.average})
}

// TIGAS is the term in the loss.
func (g *GAN) TIGAS() tigas.Term { return g.o.Term }

// Optimizers are those of the networks.
func (g *GAN) Optimizers() []NamedOptimizer {
	l := []NamedOptimizer{g.g.optimizer()}
	if g.critic != nil {
		l = append(l, g.d.optimizer())
	}
	return l
}

var _ Family = (*GAN)(nil)
