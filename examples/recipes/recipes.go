// Package recipes is the code of docs/recipes.md: each recipe of the TIGAS guide for training loops, as a function of a step.
// Networks are plain functions of tensors, so that the recipes say nothing about how they are made.
//
// A test compares the blocks of the page with what stands between the markers here.
package recipes

import (
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// Network is a network with its parameters and their optimiser.
type Network struct {
	Forward   func(x *torch.Tensor) *torch.Tensor
	Params    []*torch.Tensor
	Optimizer optim.Optimizer
}

// Simple is the first recipe: a generator that has nothing but the detector to learn from.
func Simple(det *tigas.Detector, g Network, noise *torch.Tensor) *torch.Tensor {
	// recipe: simple
	fake := g.Forward(noise)                                                 // [N, 3, H, W] in [-1, 1]
	loss, score := det.Loss(fake, tigas.LossOptions{Range: tigas.Symmetric}) // 1 - mean(score)
	g.Optimizer.Step(torch.Grad(loss, g.Params, torch.GradOptions{}))
	// end
	return score
}

// WithAdversary adds the term to another loss.
func WithAdversary(det *tigas.Detector, g, d Network, noise *torch.Tensor) (adversarial, term *torch.Tensor) {
	// recipe: adversary
	fake := g.Forward(noise)
	adversarial = trainers.BCEGenerator(d.Forward(fake))
	term, _ = det.Loss(fake, tigas.LossOptions{Range: tigas.Symmetric})
	total := adversarial.Add(term.MulScalar(0.1))
	g.Optimizer.Step(torch.Grad(total, g.Params, torch.GradOptions{})) // the critic gets no gradient
	// end
	return adversarial, term
}

// Critic is a critic's step of the GAN recipe.
func Critic(g, d Network, real, noise *torch.Tensor, gen *torch.Generator) *torch.Tensor {
	// recipe: critic
	var fake *torch.Tensor
	torch.NoGrad(func() { fake = g.Forward(noise) })
	loss := trainers.WassersteinCritic(d.Forward(real), d.Forward(fake))
	loss = loss.Add(trainers.GradientPenalty(d.Forward, real, fake, trainers.PenaltyOptions{Lambda: 10, Generator: gen}))
	d.Optimizer.Step(torch.Grad(loss, d.Params, torch.GradOptions{}))
	// end
	return loss
}

// Generator is a generator's step of the GAN recipe, five of the critic's later.
func Generator(term tigas.Term, p sched.Progress, g, d Network, noise *torch.Tensor) *torch.Tensor {
	// recipe: generator
	fake := g.Forward(noise)
	loss := trainers.WassersteinGenerator(d.Forward(fake))
	if a := term.Apply(p, fake); a.Loss != nil { // nil: not in this step, and the detector was not run
		loss = loss.Add(a.Loss)
	}
	g.Optimizer.Step(torch.Grad(loss, g.Params, torch.GradOptions{}))
	// end
	return loss
}

// StyleGenerator is the generator's step of the StyleGAN recipe; synthesis makes images of styles.
func StyleGenerator(term tigas.Term, p sched.Progress, g, d Network, synthesis Network, z, noise, mean *torch.Tensor) *torch.Tensor {
	// recipe: style
	ws := g.Forward(z) // the mapping network
	fake := synthesis.Forward(ws)
	loss := trainers.NonSaturatingGenerator(d.Forward(fake))
	if a := term.Apply(p, fake); a.Loss != nil {
		loss = loss.Add(a.Loss)
	}
	if p.Step%4 == 0 { // lazy: every fourth step, four times as strong
		penalty, newMean := trainers.PathLengthPenalty(fake, ws, noise, mean)
		loss = loss.Add(penalty.MulScalar(2 * 4))
		torch.NoGrad(func() { mean.Copy_(newMean) })
	}
	g.Optimizer.Step(torch.Grad(loss, g.Params, torch.GradOptions{}))
	// end
	return loss
}

// VAE is the VAE recipe; the encoder returns mu and logvar, [N, 2 * latent].
func VAE(term tigas.Term, p sched.Progress, encoder, decoder Network, x, noise *torch.Tensor) *torch.Tensor {
	params := append(append([]*torch.Tensor(nil), encoder.Params...), decoder.Params...)
	// recipe: vae
	both := encoder.Forward(x)
	n := both.Size(1) / 2
	mu, logvar := both.Narrow(1, 0, n), trainers.ClampLogVar(both.Narrow(1, n, n))
	recon := decoder.Forward(trainers.Reparameterize(mu, logvar, noise)) // [-1, 1]
	pixels := float64(x.Numel() / x.Size(0))
	loss := trainers.Reconstruction(trainers.MSEReconstruction, recon, x, trainers.SumReduction)
	loss = loss.Add(trainers.KL(mu, logvar, trainers.KLOptions{Reduction: trainers.SumReduction})).DivScalar(pixels)
	if a := term.Apply(p, recon); a.Loss != nil {
		loss = loss.Add(a.Loss)
	}
	encoder.Optimizer.Step(torch.Grad(loss, params, torch.GradOptions{}))
	// end
	return loss
}

// Diffusion is the diffusion recipe: the images of late timesteps are scored, and only those.
func Diffusion(term tigas.Term, p sched.Progress, net func(xt, t *torch.Tensor) *torch.Tensor, own Network, x, eps *torch.Tensor,
	schedule *sched.Noise, timesteps []int) *torch.Tensor {
	// recipe: diffusion
	s := x.Scope()
	levels := trainers.LevelsAt(s, schedule, timesteps, x.Device())
	xt := levels.AddNoise(x, eps)
	at := make([]int64, len(timesteps))
	weights := make([]float32, len(timesteps)) // of each image in the term: 0 for those that are mostly noise
	for i, t := range timesteps {
		if at[i] = int64(t); t < 200 {
			weights[i] = float32(schedule.AlphaBar(t)) / float32(len(timesteps))
		}
	}
	out := net(xt, s.FromInt64s(at))
	loss := trainers.DiffusionLoss(out, trainers.PredictV.Target(x, eps, levels), nil)
	x0 := trainers.ClampThrough(trainers.PredictV.X0(out, xt, levels), -1, 1) // with a gradient, also where it is clamped
	if a := term.ApplyWeighted(p, x0, s.FromFloat32s(weights, int64(len(weights)))); a.Loss != nil {
		loss = loss.Add(a.Loss)
	}
	own.Optimizer.Step(torch.Grad(loss, own.Params, torch.GradOptions{}))
	// end
	return loss
}

// Schedule is the recipe's scheduler: from 0 to 0.1 over ten epochs.
func Schedule(det *tigas.Detector) (tigas.Term, error) {
	// recipe: schedule
	weight, err := sched.NewWarmup(0.1, sched.Span{N: 10, Unit: sched.FracEpoch}, sched.Span{})
	if err != nil {
		return tigas.Term{}, err
	}
	term := tigas.Term{Detector: det, Weight: weight, Options: tigas.LossOptions{Range: tigas.Symmetric}}
	// end
	return term, nil
}

// Clipped is the recipe's step with a limit on the gradient.
func Clipped(g Network, loss *torch.Tensor) error {
	// recipe: clip
	grads := torch.Grad(loss, g.Params, torch.GradOptions{})
	if _, err := optim.ClipGradNorm(grads, 1); err != nil {
		return err // not finite: nothing was changed, and the step is left out
	}
	g.Optimizer.Step(grads)
	// end
	return nil
}

// MultiScale is the loss at three scales.
func MultiScale(det *tigas.Detector, fake *torch.Tensor) *torch.Tensor {
	// recipe: scales
	loss, _ := det.Loss(fake, tigas.LossOptions{Range: tigas.Symmetric, Scales: []float64{1, 0.5, 0.25}})
	// end
	return loss
}

// Progression draws 32 samples in the order of their scores.
func Progression(det *tigas.Detector, g Network, noise *torch.Tensor, path string) error {
	// recipe: progression
	var pix []byte
	var scores []float64
	var h, w int64
	torch.NoGrad(func() {
		fake := g.Forward(noise)
		pix, h, w = trainers.Pixels(fake), fake.Size(2), fake.Size(3)
		scores = torch.Slice[float64](det.Score(tigas.Symmetric.ToUnit(fake)).To(torch.Float64))
	})
	img, err := monitor.GridWithScores(pix, len(scores), int(h), int(w), 8, scores, true)
	// end
	if err != nil {
		return err
	}
	return monitor.WritePNG(path, img)
}

// Every is a term on every tenth step.
func Every(det *tigas.Detector) (tigas.Term, error) {
	// recipe: every
	every, err := sched.NewInterval(10, true) // ten times as strong, so that the average is 0.1
	if err != nil {
		return tigas.Term{}, err
	}
	term := tigas.Term{Detector: det, Weight: sched.Constant{Value: 0.1}, Interval: every}
	// end
	return term, nil
}
