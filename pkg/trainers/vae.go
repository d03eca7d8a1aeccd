package trainers

import (
	"context"
	"fmt"
	"iter"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// activeVariance is the variance of a latent dimension's means above which it counts as active: it says something about
// the image (Burda et al. 2016, arXiv 1509.00519).
const activeVariance = 0.01

// VAE trains a variational autoencoder (Kingma and Welling 2013, arXiv 1312.6114) with the TIGAS term in its loss:
//
//	L = (reconstruction + beta * KL) / pixels + w * L_tigas
//
// Reconstruction and divergence are summed over an image's values and a latent's dimensions, so beta 1 is the evidence
// lower bound. Dividing both by the number of an image's values changes no minimum, but gives the weight of the TIGAS term
// the meaning that it has beside a mean squared error. With MeanReduction both are means as in the recipe, which is another
// beta, see [EffectiveBeta].
type VAE struct {
	o      VAEOptions
	device torch.Device
	net    models.Autoencoder
	l      learner
}

// NewVAE builds the network in a sealed child of root, on a device, with initial values drawn from init (nil: libtorch's
// default generator). It returns an error for options that cannot be used.
func NewVAE(root *torch.Scope, init *torch.Generator, o VAEOptions, device torch.Device) (*VAE, error) {
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
	if o.ChannelsLast {
		nn.ChannelsLast(net)
	}
	b.Scope.Seal()
	v := &VAE{o: o, device: device, net: net}
	v.l = learner{name: "VAE", params: nn.ParamList(net), rate: o.LR, limit: o.ClipGrad, partly: o.Network != nil}
	v.l.opt = optim.NewAdam(root, v.l.params, optim.AdamOptions{LR: o.LR.At(sched.Progress{}), Beta1: o.Beta1, Beta2: o.Beta2,
		Capturable: resident(device)})
	return v, nil
}

// Summary describes the network in a few words.
func (v *VAE) Summary() string {
	name := nameOf(v.net)
	if name == "" {
		name = "vae, "
	}
	return fmt.Sprintf("%s%s parameters, %d latent dimensions", name, v.l.size(), v.o.Latent)
}

// Objective describes the loss. Where it has means it says which beta they make of the sums.
func (v *VAE) Objective() string {
	s := fmt.Sprintf("%s + %g * KL, %s over values and dimensions", v.o.Reconstruction, v.o.Beta, v.o.Reduction)
	if v.o.Reduction == MeanReduction {
		s += fmt.Sprintf(" (effective beta %g)", v.o.EffectiveBeta())
	}
	return s
}

// Step makes one update on one batch.
func (v *VAE) Step(st *Step) error {
	defer st.Phase("net")()
	x, err := st.Real()
	if err != nil {
		return err
	}
	v.l.prepare(st)
	beta := v.o.Beta * sched.Linear{To: 1, Over: v.o.KLWarmup}.At(st.Progress)
	in := []*torch.Tensor{x, st.Scope.Scalar(beta, torch.Options{Device: v.device})}
	if v.o.Network != nil && !st.mustRecord() { // it may count its calls, which a graph does not
		return v.update(st, x, in[1], nil)
	}
	return st.withTerm("VAE", &v.o.Term, v.o.Term.Due(st.Progress), in, func(st *Step, in []*torch.Tensor, w *torch.Tensor) error {
		return v.update(st, in[0], in[1], w)
	})
}

// update takes images, beta, and the weight of the term if it is not to be the one of now.
func (v *VAE) update(st *Step, x, beta, w *torch.Tensor) error {
	var logvar *torch.Tensor
	mu := st.Autocast(func() (mu *torch.Tensor) {
		mu, logvar = v.net.Encode(x)
		return mu
	})
	logvar = ClampLogVar(logvar.To(torch.Float32))
	z := Reparameterize(mu, logvar, v.latents(st, x.Size(0)))
	out := v.decode(st, z)
	images := v.images(out)
	recon := st.Term("recon", v.reconstruction(out, images, x))
	kl := st.Term("kl", KL(mu, logvar, KLOptions{Reduction: v.o.Reduction, FreeBits: v.o.FreeBits}))
	loss := recon.Add(kl.Mul(beta))
	if v.o.Reduction == SumReduction {
		loss = loss.DivScalar(v.o.pixels())
	}
	torch.NoGrad(func() {
		st.Report("mse", images.Sub(x).Square().Mean())
		st.Report("active_units", mu.VarDim([]int64{0}, false, false).GtScalar(activeVariance).Sum())
	})
	var a tigas.Applied
	if w != nil || v.o.Term.Due(st.Progress) != 0 {
		a = st.applyScaled(&v.o.Term, v.scored(st, images), nil, w)
		loss = loss.Add(a.Loss)
	}
	st.Report("total", loss)
	_, err := v.l.stepWith(st, loss, out, a)
	return err
}

// decode is the decoder in the run's precision.
func (v *VAE) decode(st *Step, z *torch.Tensor) *torch.Tensor {
	return st.Autocast(func() *torch.Tensor { return v.net.Decode(z) })
}

// scored are the images that the term sees.
func (v *VAE) scored(st *Step, reconstructions *torch.Tensor) *torch.Tensor {
	n := reconstructions.Size(0)
	prior := n
	switch v.o.TermOn {
	case TermOnReconstructions:
		return reconstructions
	case TermOnBoth:
		prior = n / 2
	}
	// Decoded by themselves, so that batch norm does not mix them with the reconstructions.
	fresh := v.images(v.decode(st, v.latents(st, max(prior, 1))))
	if prior == n {
		return fresh
	}
	return torch.Cat([]*torch.Tensor{reconstructions.Narrow(0, 0, n-prior), fresh}, 0)
}

// reconstruction compares with the images x: the decoder's values as logits, or the images that they stand for.
func (v *VAE) reconstruction(out, images, x *torch.Tensor) *torch.Tensor {
	if v.o.Reconstruction == BCEReconstruction {
		if v.bounded() { // logits of what a sigmoid made of them
			p := tigas.Symmetric.ToUnit(out).Clamp(saturated, 1-saturated)
			out = p.Log().Sub(p.RSubScalar(1).Log())
		}
		return Reconstruction(BCEReconstruction, out, tigas.Symmetric.ToUnit(x), v.o.Reduction)
	}
	return Reconstruction(v.o.Reconstruction, images, x, v.o.Reduction)
}

// saturated is how near to 0 and 1 a pixel may be before its cross-entropy is that of one there: 13.8 nats, and no gradient.
const saturated = 1e-6

// bounded tells whether the decoder has its last activation.
func (v *VAE) bounded() bool {
	b, ok := v.net.(models.Bounded)
	return ok && b.IsBounded()
}

// images are the decoder's values as images in [-1, 1].
func (v *VAE) images(out *torch.Tensor) *torch.Tensor {
	if v.bounded() {
		return out
	}
	if v.o.Reconstruction == BCEReconstruction {
		return out.MulScalar(0.5).Tanh() // 2 sigmoid(out) - 1
	}
	return out.Tanh()
}

func (v *VAE) latents(st *Step, n int64) *torch.Tensor {
	return st.Scope.Randn(st.Noise, []int64{n, int64(v.o.Latent)}, torch.Options{Device: v.device})
}

// LatentShape is the shape of one latent: one number, the length.
func (v *VAE) LatentShape() []int64 { return []int64{int64(v.o.Latent)} }

// Sample decodes latents to images [N, 3, H, W] in [-1, 1].
func (v *VAE) Sample(_ context.Context, latents *torch.Tensor) (images *torch.Tensor, err error) {
	v.evaluating(func() { images = v.images(v.net.Decode(latents)) })
	return images, nil
}

// Reconstruct decodes the means of the images' latents.
func (v *VAE) Reconstruct(images *torch.Tensor) (out *torch.Tensor) {
	v.evaluating(func() {
		mu, _ := v.net.Encode(images)
		out = v.images(v.net.Decode(mu))
	})
	return out
}

// evaluating is [evaluating] for a network that is trained; one that was loaded is in that mode.
func (v *VAE) evaluating(f func()) {
	if v.l.opt == nil {
		torch.NoGrad(f)
		return
	}
	evaluating(v.net, f)
}

// Tensors are the weights by name: VAE.… with the names of PyTorch's state dict.
func (v *VAE) Tensors() iter.Seq2[string, *torch.Tensor] { return named(namedNet{"VAE", v.net}) }

// TIGAS is the term in the loss.
func (v *VAE) TIGAS() tigas.Term { return v.o.Term }

// Optimizers is that of the network.
func (v *VAE) Optimizers() []NamedOptimizer { return []NamedOptimizer{v.l.optimizer()} }

// LoadVAE builds the network of a VAE run in a sealed child of root and fills it from a snapshot's tensors. It returns an
// error when they do not fit.
func LoadVAE(root *torch.Scope, o VAEOptions, tensors map[string]*torch.Tensor, d torch.Device) (*VAE, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	net, err := load(root, d, tensors, o.network, "VAE.")
	return &VAE{o: o, device: d, net: net}, err
}

var (
	_ Family        = (*VAE)(nil)
	_ Reconstructor = (*VAE)(nil)
)
