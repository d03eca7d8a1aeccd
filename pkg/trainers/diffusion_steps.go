package trainers

import (
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/sched"
)

// Variance is how much noise a step of [DDPMStep] adds.
type Variance string

const (
	// FixedSmall is the variance of the true posterior for data that is one point, beta (1 - a_s) / (1 - a_t): the least
	// that is right for any data.
	FixedSmall Variance = "fixed-small"
	// FixedLarge is beta, the most that is right for data of variance 1. Ho et al. 2020 have it for CIFAR-10.
	FixedLarge Variance = "fixed-large"
)

// ParseVariance reads "fixed-small" or "fixed-large".
func ParseVariance(name string) (Variance, error) {
	switch v := Variance(name); v {
	case FixedSmall, FixedLarge:
		return v, nil
	}
	return "", fmt.Errorf("trainers: got the variance %q vs fixed-small or fixed-large", name)
}

// Denoised is what a network's output says of a noisy image x_t = sqrt(a) X0 + sqrt(1-a) Noise.
type Denoised struct {
	X0    *torch.Tensor // the image
	Noise *torch.Tensor
}

// Denoise reads the network's output out for noisy images xt of one timestep t, all [N, C, H, W] in one type. With clip, X0
// is limited to [-1, 1] and Noise is what then remains of xt; without, an early step may ask for an image far outside and
// the later ones cannot take that back. It panics for a timestep outside of the schedule.
func (p Prediction) Denoise(n *sched.Noise, t int, out, xt *torch.Tensor, clip bool) Denoised {
	bar, o := n.AlphaBar(t), torch.Options{DType: xt.DType(), Device: xt.Device()}
	l := NoiseLevels{xt.Scope().Scalar(math.Sqrt(bar), o), xt.Scope().Scalar(math.Sqrt(1-bar), o)}
	x0 := p.X0(out, xt, l)
	if clip {
		x0 = x0.Clamp(-1, 1)
		return Denoised{x0, PredictX0.NoiseOf(x0, xt, l)}
	}
	return Denoised{x0, p.NoiseOf(out, xt, l)}
}

// checkStep panics unless n has the steps and goes from t down to s.
func checkStep(op string, n *sched.Noise, t, s int) {
	if t < 0 || t >= n.Steps() || s < -1 || s >= t {
		panic(&torch.Error{Op: op, Msg: fmt.Sprintf("got a step from %d to %d vs one down, from at most %d to at least -1",
			t, s, n.Steps()-1)})
	}
}

// DDIMCoefficients are those of a step of [DDIMStep]: x_s = X0 * signal + Noise * noise + z * sigma.
type DDIMCoefficients struct {
	X0, Noise, Sigma float64
}

// DDIM returns the coefficients of a step from t to s < t, where s is -1 for the last step, to the image (Song et al. 2020,
// arXiv 2010.02502, equations 12 and 16), in float64:
//
//	Sigma = eta sqrt((1 - a_s) / (1 - a_t)) sqrt(1 - a_t / a_s)    X0 = sqrt(a_s)    Noise = sqrt(1 - a_s - Sigma²)
//
// eta is from 0, no noise at all, to 1, as much as [DDPMStep] adds with [FixedSmall]. It panics for other etas and for steps
// that are not in the schedule.
func DDIM(n *sched.Noise, t, s int, eta float64) DDIMCoefficients {
	checkStep("DDIM", n, t, s)
	if !(eta >= 0 && eta <= 1) {
		panic(&torch.Error{Op: "DDIM", Msg: fmt.Sprintf("got eta %g vs 0 to 1", eta)})
	}
	return ddim(n.AlphaBar(t), n.AlphaBar(s), eta)
}

func ddim(at, as, eta float64) DDIMCoefficients {
	sigma := eta * math.Sqrt((1-as)/(1-at)) * math.Sqrt(1-at/as)
	return DDIMCoefficients{math.Sqrt(as), math.Sqrt(max(0, 1-as-sigma*sigma)), sigma}
}

// DDIMStep goes from the noisy images of step t to those of step s < t, or to the images when s is -1; see [DDIM]. z is
// standard normal noise of the images' shape; it may be nil when there is none to add, for eta 0 and for s -1. All are
// [N, C, H, W]; the result too.
func DDIMStep(n *sched.Noise, t, s int, eta float64, d Denoised, z *torch.Tensor) *torch.Tensor {
	c := DDIM(n, t, s, eta)
	if s == -1 {
		return d.X0
	}
	return addNoise("DDIMStep", d.X0.MulScalar(c.X0).Add(d.Noise.MulScalar(c.Noise)), z, c.Sigma)
}

// DDPMCoefficients are those of a step of [DDPMStep]: x_s = x_0 * X0 + x_t * XT + z * Sigma.
type DDPMCoefficients struct {
	X0, XT, Sigma float64
}

// DDPM returns the coefficients of a step from t to s < t of the ancestral sampler (Ho et al. 2020, arXiv 2006.11239,
// equation 7), in float64. With alpha = a_t / a_s and beta = 1 - alpha, which for s = t-1 are the schedule's,
//
//	X0 = sqrt(a_s) beta / (1 - a_t)    XT = sqrt(alpha) (1 - a_s) / (1 - a_t)
//
// Sigma² is that of v; it is 0 for the last step, to s = -1. It panics for steps that are not in the schedule.
func DDPM(n *sched.Noise, t, s int, v Variance) DDPMCoefficients {
	checkStep("DDPM", n, t, s)
	at, as := n.AlphaBar(t), n.AlphaBar(s)
	alpha := at / as
	c := DDPMCoefficients{X0: math.Sqrt(as) * (1 - alpha) / (1 - at), XT: math.Sqrt(alpha) * (1 - as) / (1 - at)}
	switch {
	case s == -1:
	case v == FixedLarge:
		c.Sigma = math.Sqrt(1 - alpha)
	default:
		c.Sigma = math.Sqrt((1 - alpha) * (1 - as) / (1 - at))
	}
	return c
}

// DDPMStep draws noisy images of step s < t from the posterior of those of step t, xt, given the images x0 that the network
// expects; see [DDPM]. z is standard normal noise of their shape, nil only for s -1, where the result is x0. All are
// [N, C, H, W]; the result too.
func DDPMStep(n *sched.Noise, t, s int, v Variance, x0, xt, z *torch.Tensor) *torch.Tensor {
	c := DDPM(n, t, s, v)
	if s == -1 {
		return x0
	}
	return addNoise("DDPMStep", x0.MulScalar(c.X0).Add(xt.MulScalar(c.XT)), z, c.Sigma)
}

func addNoise(op string, mean, z *torch.Tensor, sigma float64) *torch.Tensor {
	if sigma == 0 {
		return mean
	}
	if z == nil {
		panic(&torch.Error{Op: op, Msg: fmt.Sprintf("got no noise vs some of deviation %.3g to add", sigma)})
	}
	return mean.Add(z.MulScalar(sigma))
}

// TimeGrid is a way to choose the steps that a sampler visits.
type TimeGrid string

const (
	// GridLinspace spreads them evenly over the whole process, the last step included: of 1,000 in 4, 999 749 499 249. It is
	// that of lucidrains' denoising-diffusion-pytorch.
	GridLinspace TimeGrid = "linspace"
	// GridLeading is diffusers' "leading", 750 500 250 0: it never visits the noisiest steps.
	GridLeading TimeGrid = "leading"
	// GridTrailing is diffusers' "trailing", 999 749 499 249 (Lin et al. 2023, arXiv 2305.08891). It differs from GridLinspace
	// by rounding where the number does not divide the schedule's.
	GridTrailing TimeGrid = "trailing"
)

// ParseTimeGrid reads "linspace", "leading" or "trailing".
func ParseTimeGrid(name string) (TimeGrid, error) {
	switch g := TimeGrid(name); g {
	case GridLinspace, GridLeading, GridTrailing:
		return g, nil
	}
	return "", fmt.Errorf("trainers: got the time grid %q vs linspace, leading or trailing", name)
}

// Times returns the timesteps that a sampler of a schedule of total steps visits, steps of them, falling, and -1 at the end.
// It returns an error unless steps is from 1 to total, and for an unknown grid.
func (g TimeGrid) Times(total, steps int) ([]int, error) {
	if steps < 1 || steps > total {
		return nil, fmt.Errorf("trainers: got %d sampling steps vs 1 to the schedule's %d", steps, total)
	}
	if _, err := ParseTimeGrid(string(g)); err != nil {
		return nil, err
	}
	times := make([]int, 0, steps+1)
	for i := range steps {
		left := (steps - i) * total // over steps: how much of the process is to come
		switch g {
		case GridLeading:
			times = append(times, (steps-1-i)*(total/steps))
		case GridTrailing:
			times = append(times, roundHalfEven(left, steps)-1)
		default:
			times = append(times, left/steps-1)
		}
	}
	return append(times, -1), nil
}

// roundHalfEven is a/b rounded as NumPy does, without going through floats.
func roundHalfEven(a, b int) int {
	q, r := a/b, a%b
	if 2*r > b || 2*r == b && q%2 == 1 {
		q++
	}
	return q
}
