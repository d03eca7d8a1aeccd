package trainers

import (
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/sched"
)

// Prediction is what the network of a diffusion model returns for a noisy image.
type Prediction string

const (
	PredictNoise Prediction = "eps" // the noise (Ho et al. 2020, arXiv 2006.11239)
	PredictV     Prediction = "v"   // sqrt(a) noise - sqrt(1-a) x0 (Salimans and Ho 2022, arXiv 2202.00512)
	PredictX0    Prediction = "x0"  // the image
)

// ParsePrediction reads "eps", "v" or "x0".
func ParsePrediction(name string) (Prediction, error) {
	switch p := Prediction(name); p {
	case PredictNoise, PredictV, PredictX0:
		return p, nil
	}
	return "", fmt.Errorf("trainers: got the prediction %q vs eps, v or x0", name)
}

// NoiseLevels are the shares of image and noise of each image of a batch, [N, 1, 1, 1], in float32.
type NoiseLevels struct {
	Signal *torch.Tensor // sqrt(AlphaBar)
	Noise  *torch.Tensor // sqrt(1 - AlphaBar)
}

// LevelsAt returns the levels of the timesteps of a batch, in s on a device. It panics for a timestep outside of the
// schedule.
func LevelsAt(s *torch.Scope, n *sched.Noise, timesteps []int, d torch.Device) NoiseLevels {
	a, b := make([]float32, len(timesteps)), make([]float32, len(timesteps))
	for i, t := range timesteps {
		bar := n.AlphaBar(t)
		a[i], b[i] = float32(math.Sqrt(bar)), float32(math.Sqrt(1-bar))
	}
	shape := []int64{int64(len(timesteps)), 1, 1, 1}
	return NoiseLevels{s.FromFloat32s(a, shape...).ToDevice(d), s.FromFloat32s(b, shape...).ToDevice(d)}
}

// AddNoise is the noisy image x_t = sqrt(a) x0 + sqrt(1-a) noise.
func (l NoiseLevels) AddNoise(x0, noise *torch.Tensor) *torch.Tensor {
	return x0.Mul(l.Signal).Add(noise.Mul(l.Noise))
}

// Target is what the network should return for an image x0 and the noise that was added to it.
func (p Prediction) Target(x0, noise *torch.Tensor, l NoiseLevels) *torch.Tensor {
	switch p {
	case PredictNoise:
		return noise
	case PredictX0:
		return x0
	}
	return noise.Mul(l.Signal).Sub(x0.Mul(l.Noise))
}

// X0 is the image that the network's output out for the noisy image xt stands for, with its gradient:
//
//	eps: (xt - sqrt(1-a) out) / sqrt(a)     v: sqrt(a) xt - sqrt(1-a) out     x0: out
//
// For eps the gradient grows with sqrt((1-a)/a), to 157 at the last step of the linear schedule; for v it is at most 1.
func (p Prediction) X0(out, xt *torch.Tensor, l NoiseLevels) *torch.Tensor {
	switch p {
	case PredictNoise:
		return xt.Sub(out.Mul(l.Noise)).Div(l.Signal)
	case PredictX0:
		return out
	}
	return xt.Mul(l.Signal).Sub(out.Mul(l.Noise))
}

// NoiseOf is the noise that the network's output stands for, the counterpart of [Prediction.X0].
func (p Prediction) NoiseOf(out, xt *torch.Tensor, l NoiseLevels) *torch.Tensor {
	switch p {
	case PredictNoise:
		return out
	case PredictX0:
		return xt.Sub(out.Mul(l.Signal)).Div(l.Noise)
	}
	return out.Mul(l.Signal).Add(xt.Mul(l.Noise))
}

// MinSNRWeight is the weight of a timestep's loss by min-SNR (Hang et al. 2023, arXiv 2303.09556): min(SNR, gamma) for x0,
// that over SNR for eps and over SNR + 1 for v, which is the same loss in other words. Without signal it is 1. gamma is 5
// in the paper.
func (p Prediction) MinSNRWeight(snr, gamma float64) float64 {
	if snr <= 0 {
		return 1
	}
	w := min(snr, gamma)
	switch p {
	case PredictNoise:
		return w / snr
	case PredictX0:
		return w
	}
	return w / (snr + 1)
}

// DiffusionLoss is the mean over the batch of the mean squared difference of each image, times its weight [N]; nil
// weights are 1. out and target are [N, C, H, W].
func DiffusionLoss(out, target, weights *torch.Tensor) *torch.Tensor {
	each := out.Sub(target).Square().Flatten(1).MeanDim([]int64{1}, false)
	if weights != nil {
		each = each.Mul(weights)
	}
	return each.Mean()
}

// ClampThrough limits values to [lo, hi] and passes the gradient through as if it did not (a straight-through estimator):
// a clamp would cut the gradient of every pixel of a reconstruction that overshoots.
func ClampThrough(x *torch.Tensor, lo, hi float64) *torch.Tensor {
	return x.Add(x.Detach().Clamp(lo, hi).Sub(x.Detach()))
}
