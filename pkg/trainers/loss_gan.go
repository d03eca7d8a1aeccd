package trainers

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// WassersteinCritic is mean(fake) - mean(real) for critic outputs on generated and real images (Arjovsky et al. 2017,
// arXiv 1701.07875): the critic maximises the difference of the means. It is bounded only for a critic that is
// Lipschitz: add [GradientPenalty], or call [ClipWeights] after each step.
func WassersteinCritic(real, fake *torch.Tensor) *torch.Tensor { return fake.Mean().Sub(real.Mean()) }

// WassersteinGenerator is -mean(fake) for the critic's outputs on generated images, a scalar. It is not bounded.
func WassersteinGenerator(fake *torch.Tensor) *torch.Tensor { return fake.Mean().Neg() }

// NonSaturatingCritic is mean softplus(fake) + mean softplus(-real) for logits: the discriminator loss of Goodfellow et
// al. 2014 as StyleGAN writes it.
func NonSaturatingCritic(real, fake *torch.Tensor) *torch.Tensor {
	return fake.Softplus().Mean().Add(real.Neg().Softplus().Mean())
}

// NonSaturatingGenerator is mean softplus(-fake), that is -log sigmoid(fake).
func NonSaturatingGenerator(fake *torch.Tensor) *torch.Tensor { return fake.Neg().Softplus().Mean() }

// HingeCritic is mean relu(1 - real) + mean relu(1 + fake) (Lim and Ye 2017, arXiv 1705.02894).
func HingeCritic(real, fake *torch.Tensor) *torch.Tensor {
	return real.RSubScalar(1).ReLU().Mean().Add(fake.AddScalar(1).ReLU().Mean())
}

// HingeGenerator is -mean(fake) for the critic's outputs on generated images: no hinge, as in the paper.
func HingeGenerator(fake *torch.Tensor) *torch.Tensor { return fake.Mean().Neg() }

// BCECritic is the mean binary cross-entropy of real logits against 1 plus that of fake logits against 0. It equals
// [NonSaturatingCritic]; it is here under the name that recipes use.
func BCECritic(real, fake *torch.Tensor) *torch.Tensor {
	return real.BCEWithLogits(real.OnesLike()).Add(fake.BCEWithLogits(fake.ZerosLike()))
}

// BCEGenerator is the binary cross-entropy of fake logits against 1.
func BCEGenerator(fake *torch.Tensor) *torch.Tensor { return fake.BCEWithLogits(fake.OnesLike()) }

// ClipWeights limits every element of every parameter to [-c, c], biases too, as the first WGAN does after each critic
// step with c = 0.01.
func ClipWeights(params []*torch.Tensor, c float64) {
	torch.NoGrad(func() {
		for _, p := range params {
			p.Clamp_(-c, c)
		}
	})
}

// PenaltyOptions are the settings of [GradientPenalty]. The zero value is that of the paper.
type PenaltyOptions struct {
	Lambda    float64          // weight, 10 if 0
	Target    float64          // the norm that is wanted, 1 if 0
	OneSided  bool             // only norms above Target cost
	Epsilon   *torch.Tensor    // mixing factors [N, 1, 1, 1]; nil: drawn uniformly from [0, 1) with Generator
	Generator *torch.Generator // nil: libtorch's default generator
}

// GradientPenalty is the term that keeps a Wasserstein critic Lipschitz (Gulrajani et al. 2017, arXiv 1704.00028):
//
//	lambda * mean over i of (|gradient of critic at x_i| - 1)²,   x_i = e_i real_i + (1 - e_i) fake_i
//
// with one e_i per image and the norm over all of its values; 1e-12 is added under the root, whose derivative at 0 is
// infinite. real and fake are [N, C, H, W] (or any [N, ...]) and are taken without their history. The result can be
// differentiated with respect to the critic's parameters. The critic must treat each image by itself: with batch norm
// the gradients of one image leak into the others.
func GradientPenalty(critic func(x *torch.Tensor) *torch.Tensor, real, fake *torch.Tensor, o PenaltyOptions) *torch.Tensor {
	if o.Lambda == 0 {
		o.Lambda = 10
	}
	if o.Target == 0 {
		o.Target = 1
	}
	e := o.Epsilon
	if e == nil {
		shape := make([]int64, real.Dim())
		for i := range shape {
			shape[i] = 1
		}
		shape[0] = real.Size(0)
		e = real.Scope().Rand(o.Generator, shape, torch.Options{DType: real.DType(), Device: real.Device()})
	}
	x := fake.Detach().LerpTensor(real.Detach(), e).RequiresGrad(true)
	g := slope(critic, x)
	norm := g.Flatten(1).Square().SumDim([]int64{1}, false).AddScalar(1e-12).Sqrt()
	d := norm.SubScalar(o.Target)
	if o.OneSided {
		d = d.ReLU()
	}
	return d.Square().Mean().MulScalar(o.Lambda)
}

// slope is the gradient of the sum of a critic's outputs with respect to x, to be differentiated again.
func slope(critic func(x *torch.Tensor) *torch.Tensor, x *torch.Tensor) *torch.Tensor {
	var out *torch.Tensor
	torch.SecondOrder(func() { out = critic(x) })
	return torch.Grad(out.Sum(), []*torch.Tensor{x}, torch.GradOptions{CreateGraph: true})[0]
}

// GANLoss names a pair of losses for critic and generator.
type GANLoss string

// The losses of `tigas-train gan --loss`.
const (
	WGANGP        GANLoss = "wgan-gp"
	WGANClip      GANLoss = "wgan-clip"
	NonSaturating GANLoss = "nonsaturating"
	Hinge         GANLoss = "hinge"
	BCE           GANLoss = "bce"
	TIGASOnly     GANLoss = "tigas-only" // no critic at all: 1 - mean(score), the recipe's simple step
)

// GANLosses lists them in the order of the help text.
var GANLosses = []GANLoss{WGANGP, WGANClip, NonSaturating, Hinge, BCE, TIGASOnly}

// ParseGANLoss reads one of the names in [GANLosses]; for another one it returns an error that lists them.
func ParseGANLoss(s string) (GANLoss, error) {
	for _, l := range GANLosses {
		if s == string(l) {
			return l, nil
		}
	}
	return "", fmt.Errorf("trainers: got the loss %q vs one of %v", s, GANLosses)
}

// Critic returns the critic's loss for outputs on real and generated images, without penalty. It panics with
// *[torch.Error] for TIGASOnly, which has no critic.
func (l GANLoss) Critic(real, fake *torch.Tensor) *torch.Tensor {
	switch l {
	case WGANGP, WGANClip:
		return WassersteinCritic(real, fake)
	case NonSaturating:
		return NonSaturatingCritic(real, fake)
	case Hinge:
		return HingeCritic(real, fake)
	case BCE:
		return BCECritic(real, fake)
	}
	panic(&torch.Error{Op: "GANLoss", Msg: fmt.Sprintf("the loss %q has no critic", l)})
}

// Generator returns the generator's adversarial loss for the critic's outputs on generated images. It panics with
// *[torch.Error] for TIGASOnly.
func (l GANLoss) Generator(fake *torch.Tensor) *torch.Tensor {
	switch l {
	case WGANGP, WGANClip:
		return WassersteinGenerator(fake)
	case NonSaturating:
		return NonSaturatingGenerator(fake)
	case Hinge:
		return HingeGenerator(fake)
	case BCE:
		return BCEGenerator(fake)
	}
	panic(&torch.Error{Op: "GANLoss", Msg: fmt.Sprintf("the loss %q has no critic", l)})
}

// Wasserstein tells whether the critic is an unbounded one, whose outputs are not logits.
func (l GANLoss) Wasserstein() bool { return l == WGANGP || l == WGANClip }
