package trainers

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Reduction says how a loss over the values of an image or a latent becomes one number.
type Reduction string

const (
	// SumReduction sums over the values of an image or a latent and takes the mean over the batch: the evidence lower
	// bound of Kingma and Welling 2013 (arXiv 1312.6114), up to a constant.
	SumReduction Reduction = "sum"
	// MeanReduction takes the mean over everything, as many recipes do. Beside a reconstruction that is reduced alike it
	// makes the KL term stronger, see [EffectiveBeta].
	MeanReduction Reduction = "mean"
)

// reduce takes losses of single values [N, ...].
func (r Reduction) reduce(x *torch.Tensor) *torch.Tensor {
	if r == MeanReduction {
		return x.Mean()
	}
	return x.Sum().DivScalar(float64(x.Size(0)))
}

// Limits of the logarithm of a variance: its exponential neither overflows nor vanishes between them.
const (
	minLogVar = -30
	maxLogVar = 20
)

// ClampLogVar limits the logarithm of variances to [-30, 20]. Beyond the limits it has no gradient.
func ClampLogVar(logvar *torch.Tensor) *torch.Tensor { return logvar.Clamp(minLogVar, maxLogVar) }

// Reparameterize draws from the normal distribution with mean mu and variance exp(logvar), both [N, D], so that gradients
// flow to both: mu + exp(logvar / 2) * noise. noise [N, D] is standard normal.
func Reparameterize(mu, logvar, noise *torch.Tensor) *torch.Tensor {
	return mu.Add(logvar.MulScalar(0.5).Exp().Mul(noise))
}

// KLOptions are the settings of [KL]. The zero value is the exact divergence.
type KLOptions struct {
	Reduction Reduction // SumReduction if empty
	// FreeBits is the divergence of each dimension, in nats and in the mean over the batch, that costs nothing more to
	// exceed downwards: max(FreeBits, KL_j). It keeps dimensions from being given up (Kingma et al. 2016, arXiv
	// 1606.04934). 0: none. Only with SumReduction.
	FreeBits float64
}

// KL is the divergence of the normal distributions with means mu and variances exp(logvar), both [N, D], from the standard
// normal one, in nats:
//
//	-1/2 sum over j of (1 + logvar_j - mu_j² - exp(logvar_j)),   mean over the batch
//
// With MeanReduction it is the mean over j too, as recipes have it. It panics when FreeBits is used with that.
func KL(mu, logvar *torch.Tensor, o KLOptions) *torch.Tensor {
	if o.FreeBits > 0 && o.Reduction == MeanReduction {
		panic(&torch.Error{Op: "trainers.KL", Msg: "free bits are a limit on each dimension: use them with the sum"})
	}
	each := mu.Square().Add(logvar.Exp()).Sub(logvar).SubScalar(1).MulScalar(0.5)
	if o.FreeBits > 0 {
		return each.MeanDim([]int64{0}, false).ClampMin(o.FreeBits).Sum()
	}
	return o.Reduction.reduce(each)
}

// EffectiveBeta is the factor that MeanReduction puts before the KL term, seen from the sums: with images [C, H, W] and D
// latent dimensions the means divide the reconstruction by C*H*W and the divergence by D only.
func EffectiveBeta(c, h, w, latent int) float64 { return float64(c*h*w) / float64(latent) }

// ReconstructionKind is how an image is compared with its reconstruction.
type ReconstructionKind string

const (
	MSEReconstruction ReconstructionKind = "mse" // squared differences
	L1Reconstruction  ReconstructionKind = "l1"  // absolute differences
	// BCEReconstruction is the binary cross-entropy of logits against images in [0, 1].
	BCEReconstruction ReconstructionKind = "bce"
)

// ParseReconstruction reads "mse", "l1" or "bce".
func ParseReconstruction(name string) (ReconstructionKind, error) {
	switch k := ReconstructionKind(name); k {
	case MSEReconstruction, L1Reconstruction, BCEReconstruction:
		return k, nil
	}
	return "", fmt.Errorf("trainers: got the reconstruction %q vs mse, l1 or bce", name)
}

// Reconstruction is the loss of reconstructions out against images x, both [N, C, H, W] in the same range; for
// BCEReconstruction out are logits and x lies in [0, 1]. The zero Reduction is the sum. It panics on another kind.
func Reconstruction(kind ReconstructionKind, out, x *torch.Tensor, r Reduction) *torch.Tensor {
	switch kind {
	case MSEReconstruction:
		return r.reduce(out.Sub(x).Square())
	case L1Reconstruction:
		return r.reduce(out.Sub(x).Abs())
	case BCEReconstruction:
		// -x log s(z) - (1-x) log(1-s(z)) = softplus(z) - x z, which does not overflow.
		return r.reduce(out.Softplus().Sub(x.Mul(out)))
	}
	panic(&torch.Error{Op: "trainers.Reconstruction", Msg: fmt.Sprintf("got %q vs mse, l1 or bce", kind)})
}
