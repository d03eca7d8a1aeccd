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

// StyleGAN trains StyleGAN2 (Karras et al. 2019, arXiv 1912.04958) with the TIGAS term in the generator's loss:
//
//	L_G = non-saturating loss + w * L_tigas      and on every PLEvery-th step  PLEvery * PLWeight * path length
//	L_D = non-saturating loss                    and on every R1Every-th step  R1Every * R1
//
// The regularisers have updates of their own, for which Adam is corrected ([LazyAdam]). The term scores the images of the
// synthesis as they are; what the discriminator sees, the images of both kinds and R1, goes through DiffAugment where that
// is asked for.
type StyleGAN struct {
	o      StyleGANOptions
	device torch.Device
	aug    DiffAugmentPolicy

	generator *models.StyleGenerator
	critic    *models.StyleDiscriminator
	average   *models.StyleGenerator // the generator's moving average; nil without
	ema       *optim.EMA
	g, d      learner
	pathMean  *torch.Tensor // running mean of path lengths, part of a snapshot
	total     *torch.Tensor // of the generator's terms of a step, with gains
}

// NewStyleGAN builds the networks in a sealed child of root, on a device, with initial values drawn from init (nil:
// libtorch's default generator). It returns an error for options that cannot be used.
func NewStyleGAN(root *torch.Scope, init *torch.Generator, o StyleGANOptions, device torch.Device) (*StyleGAN, error) {
	o.Net = o.Net.Resolve()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	err := checkTerm(&o.Term, o.Net.Resolution)
	if err != nil {
		return nil, err
	}
	g := &StyleGAN{o: o, device: device}
	if g.aug, err = o.augment(); err != nil {
		return nil, err
	}
	b := nn.Builder{Scope: root.Child(), Generator: init, Device: device}
	if g.generator, g.critic, err = models.NewStyleGAN2(b, o.Net); err != nil {
		return nil, err
	}
	if o.EMAKimg > 0 {
		if g.average, err = models.NewStyleGenerator(b, o.Net); err != nil {
			return nil, err
		}
		nn.Train(g.average, false)
		if g.ema, err = newEMA(g.generator, g.average); err != nil {
			return nil, err
		}
	}
	g.pathMean = b.Scope.Zeros([]int64{}, torch.Options{Device: device})
	g.total = b.Scope.Zeros([]int64{}, torch.Options{Device: device})
	if o.ChannelsLast {
		nn.ChannelsLast(g.generator, g.critic, g.average)
	}
	b.Scope.Seal()
	g.g = g.learner(root, "G", g.generator, o.GenLR, o.PLWeight, o.PLEvery)
	g.d = g.learner(root, "D", g.critic, o.CriticLR, o.Gamma, o.R1Every)
	return g, nil
}

// learner corrects Adam for a regulariser that has a weight.
func (g *StyleGAN) learner(root *torch.Scope, name string, net any, lr, weight float64, every int) learner {
	l := learner{name: name, params: nn.ParamList(net)}
	a := optim.AdamOptions{LR: lr, Beta1: g.o.Beta1, Beta2: g.o.Beta2, Capturable: resident(g.device)}
	if weight > 0 {
		a.LR, a.Beta1, a.Beta2 = LazyAdam(every, lr, g.o.Beta1, g.o.Beta2)
	}
	l.opt = optim.NewAdam(root, l.params, a)
	return l
}

// Summary describes the networks in a few words.
func (g *StyleGAN) Summary() string {
	return fmt.Sprintf("stylegan2, generator %s parameters, discriminator %s", g.g.size(), g.d.size())
}

// Objective names the loss and its regularisers.
func (g *StyleGAN) Objective() string {
	s := "nonsaturating"
	if g.o.Gamma > 0 {
		s += fmt.Sprintf(", R1 %.4g every %d", g.o.Gamma, g.o.R1Every)
	}
	if g.o.PLWeight > 0 {
		s += fmt.Sprintf(", path length %g every %d", g.o.PLWeight, g.o.PLEvery)
	}
	if g.o.Augment != "none" {
		s += ", DiffAugment " + g.o.Augment
	}
	return s
}

// Step makes one update of the generator and one of the discriminator, and those of the regularisers that are due.
func (g *StyleGAN) Step(st *Step) error {
	g.g.prepare(st)
	g.d.prepare(st)
	due := func(weight float64, every int) bool { return weight > 0 && st.Progress.Step%int64(every) == 0 }
	torch.NoGrad(func() { g.total.Zero_() })
	if err := g.part(st, "G", func() error {
		return st.withTerm("G", &g.o.Term, g.o.Term.Due(st.Progress), nil, func(st *Step, _ []*torch.Tensor, w *torch.Tensor) error {
			return g.updateGenerator(st, w)
		})
	}); err != nil {
		return err
	}
	if due(g.o.PLWeight, g.o.PLEvery) {
		if err := g.part(st, "G", func() error {
			return st.Captured("path", nil, func(st *Step, _ []*torch.Tensor) error { return g.updatePath(st) })
		}); err != nil {
			return err
		}
	}
	st.Report("total", st.Scope.Call("aten::clone", g.total))
	real, err := st.Real()
	if err != nil {
		return err
	}
	if err = g.part(st, "D", func() error {
		return st.Captured("D", []*torch.Tensor{real}, func(st *Step, in []*torch.Tensor) error { return g.updateCritic(st, in[0]) })
	}); err != nil {
		return err
	}
	if due(g.o.Gamma, g.o.R1Every) {
		if err = g.part(st, "D", func() error {
			return st.Captured("r1", []*torch.Tensor{real}, func(st *Step, in []*torch.Tensor) error { return g.updateR1(st, in[0]) })
		}); err != nil {
			return err
		}
	}
	if g.ema != nil {
		defer st.Phase("optimizer")()
		g.ema.Update(optim.HalfLife(float64(g.o.Batch), g.o.EMAKimg, float64(st.Progress.Images), g.o.EMARamp))
	}
	return nil
}

// part is a part of the step whose time counts as that of a network.
func (g *StyleGAN) part(st *Step, phase string, f func() error) error {
	defer st.Phase(phase)()
	return f()
}

func (g *StyleGAN) updateGenerator(st *Step, factor *torch.Tensor) error {
	w, images := g.images(st, int64(g.o.Batch))
	loss := st.Term("G", NonSaturatingGenerator(g.judge(st, images)))
	a := st.applyScaled(&g.o.Term, images, nil, factor)
	if a.Loss != nil {
		loss = loss.Add(a.Loss)
	}
	torch.NoGrad(func() { g.total.Add_(loss) })
	m, err := g.g.stepWith(st, loss, images, a)
	if m.yes {
		torch.NoGrad(func() {
			w = w.Detach()
			g.generator.Mapping.UpdateAverage(m.unless(st.Scope.Use(g.generator.Mapping.Average), w), models.StyleAverageDecay)
		})
	}
	return err
}

func (g *StyleGAN) updatePath(st *Step) error {
	_, ws := g.styles(st, int64(max(1, g.o.Batch/g.o.PLShrink)))
	var images *torch.Tensor
	torch.SecondOrder(func() { images = g.generator.Synthesis.Forward(ws, models.RandomNoise(st.Noise)) })
	noise := st.Scope.Randn(st.Noise, images.Shape(), torch.Options{Device: g.device})
	penalty, mean := PathLengthPenalty(images, ws, noise, st.Scope.Use(g.pathMean))
	loss := st.Term("path_loss", penalty.MulScalar(g.o.PLWeight)).MulScalar(float64(g.o.PLEvery))
	st.Report("path_length", mean)
	torch.NoGrad(func() { g.total.Add_(loss) })
	// Biases do not change how steep the images are.
	m, err := g.g.regularise(st, "path", loss)
	if m.yes {
		torch.NoGrad(func() { g.pathMean.Copy_(m.unless(st.Scope.Use(g.pathMean), mean)) })
	}
	return err
}

func (g *StyleGAN) updateCritic(st *Step, real *torch.Tensor) error {
	var fake *torch.Tensor
	torch.NoGrad(func() { _, fake = g.images(st, real.Size(0)) })
	dReal, dFake := g.judge(st, real), g.judge(st, fake)
	loss := st.Term("D", NonSaturatingCritic(dReal, dFake))
	st.reportCritic(dReal, dFake)
	_, err := g.d.step(st, loss)
	return err
}

func (g *StyleGAN) updateR1(st *Step, real *torch.Tensor) error {
	penalty := R1Penalty(func(x *torch.Tensor) *torch.Tensor { return g.critic.Forward(g.aug.Apply(x, st.Noise)) }, real, g.o.Gamma)
	penalty = st.Term("r1", penalty)
	_, err := g.d.regularise(st, "r1", penalty.MulScalar(float64(g.o.R1Every))) // as for path length
	return err
}

// images makes images of new styles in the run's precision, and returns them with w of their styles.
func (g *StyleGAN) images(st *Step, n int64) (w, images *torch.Tensor) {
	w, ws := g.styles(st, n)
	images = st.Autocast(func() *torch.Tensor { return g.generator.Synthesis.Forward(ws, models.RandomNoise(st.Noise)) })
	return w, images
}

// styles draws latents and maps them to styles w [N, D], and to ws [N, L, D] with others mixed in.
func (g *StyleGAN) styles(st *Step, n int64) (w, ws *torch.Tensor) {
	net := g.generator
	z := st.Scope.Randn(st.Noise, []int64{n, net.LatentDim()}, torch.Options{Device: g.device})
	w = net.Mapping.Forward(z)
	ws = net.Synthesis.Broadcast(w)
	if g.o.Mixing == 0 {
		return w, ws
	}
	z = st.Scope.Randn(st.Noise, []int64{n, net.LatentDim()}, torch.Options{Device: g.device})
	cut := models.RandomCuts(st.Scope, st.Noise, 1, net.Synthesis.NumStyles(), g.o.Mixing, g.device)
	return w, models.MixStyles(ws, net.Synthesis.Broadcast(net.Mapping.Forward(z)), cut)
}

// judge is the discriminator's output for images as it sees them.
func (g *StyleGAN) judge(st *Step, images *torch.Tensor) *torch.Tensor {
	images = g.aug.Apply(images, st.Noise)
	return st.Autocast(func() *torch.Tensor { return g.critic.Forward(images) })
}

// LatentShape is that of one latent vector: its length, alone.
func (g *StyleGAN) LatentShape() []int64 { return []int64{g.generator.LatentDim()} }

// Sample returns images [N, 3, H, W] from the averaged generator, or from the trained one without average, with constant
// noise and without truncation.
func (g *StyleGAN) Sample(ctx context.Context, latents *torch.Tensor) (*torch.Tensor, error) {
	net := g.average
	if net == nil {
		net = g.generator
	}
	return (&StyleSampler{Trunc: 1, Cutoff: -1, net: net}).Sample(ctx, latents)
}

// Tensors are the weights by name: G.…, D.… and G_ema.…, each with the names of the published checkpoints, and pl_mean.
func (g *StyleGAN) Tensors() iter.Seq2[string, *torch.Tensor] {
	nets := []namedNet{{"G", g.generator}, {"D", g.critic}}
	if g.average != nil {
		nets = append(nets, namedNet{"G_ema", g.average})
	}
	return func(yield func(string, *torch.Tensor) bool) {
		for name, t := range named(nets...) {
			if !yield(name, t) {
				return
			}
		}
		yield("pl_mean", g.pathMean)
	}
}

// TIGAS is the term in the generator's loss; without a detector it is absent.
func (g *StyleGAN) TIGAS() tigas.Term { return g.o.Term }

// Optimizers are those of the generator, G, and the discriminator, D.
func (g *StyleGAN) Optimizers() []NamedOptimizer {
	return []NamedOptimizer{g.g.optimizer(), g.d.optimizer()}
}

// StyleSampler draws pictures from a trained StyleGAN. What is exported may be changed.
type StyleSampler struct {
	Trunc  float64           // 1: none; nearer to 0 gives more usual pictures of less variety
	Cutoff int64             // layers that are truncated, the coarse ones first; below 0: all
	Noise  models.StyleNoise // constant by default: a latent always gives the same picture

	net *models.StyleGenerator
}

// LatentShape is that of one latent vector: its length, alone.
func (s *StyleSampler) LatentShape() []int64 { return []int64{s.net.LatentDim()} }

// Sample is [StyleSampler.Synthesize] of [StyleSampler.Styles].
func (s *StyleSampler) Sample(_ context.Context, latents *torch.Tensor) (*torch.Tensor, error) {
	return s.Synthesize(s.Styles(latents)), nil
}

// Styles maps latents [N, Latent] to styles [N, L, D], truncated. Pictures change more evenly between two of them than
// between two latents.
func (s *StyleSampler) Styles(latents *torch.Tensor) (ws *torch.Tensor) {
	torch.NoGrad(func() {
		ws = s.net.Mapping.TruncateLayers(s.net.Synthesis.Broadcast(s.net.Mapping.Forward(latents)), s.Trunc, s.Cutoff)
	})
	return ws
}

// Synthesize makes images [N, 3, H, W] of styles, limited to [-1, 1].
func (s *StyleSampler) Synthesize(ws *torch.Tensor) (images *torch.Tensor) {
	torch.NoGrad(func() { images = s.net.Synthesis.Forward(ws, s.Noise).Clamp(-1, 1) })
	return images
}

// LoadStyleGAN builds the generator of a StyleGAN run in a sealed child of root and fills it from a snapshot's tensors: the
// averaged weights G_ema.*, or G.* where there are none. It returns an error when they do not fit.
func LoadStyleGAN(root *torch.Scope, o StyleGANOptions, tensors map[string]*torch.Tensor, d torch.Device) (*StyleSampler, error) {
	o.Net = o.Net.Resolve()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	net, err := load(root, d, tensors, func(b nn.Builder) (*models.StyleGenerator, error) {
		return models.NewStyleGenerator(b, o.Net)
	}, "G_ema.", "G.")
	return &StyleSampler{Trunc: 1, Cutoff: -1, net: net}, err
}

var _ Family = (*StyleGAN)(nil)
