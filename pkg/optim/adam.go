package optim

import (
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// AdamOptions are the settings of Adam and AdamW. A zero LR, Beta2 or Eps means PyTorch's default. Beta1 is taken as it
// is, because 0 is what WGAN-GP and StyleGAN2 want: start from [DefaultAdamOptions] for PyTorch's 0.9.
type AdamOptions struct {
	LR          float64 // learning rate, 1e-3
	Beta1       float64 // decay of the mean of gradients, 0 <= Beta1 < 1
	Beta2       float64 // decay of the mean of squares, 0.999
	Eps         float64 // added to the root of the mean of squares, 1e-8
	WeightDecay float64 // 0; torch.optim.AdamW has 0.01
	AMSGrad     bool    // divide by the largest mean of squares so far (Reddi et al. 2018, arXiv 1904.09237)

	// Capturable keeps step counts and learning rate on the device, all parameters being on one, so that a step needs
	// nothing of the host: see [Adam.StepUnless]. It is PyTorch's capturable=True, fused=True.
	Capturable bool
}

// DefaultAdamOptions are those of torch.optim.Adam.
func DefaultAdamOptions() AdamOptions {
	return AdamOptions{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8}
}

// Adam is the optimiser of Kingma and Ba 2015 (arXiv 1412.6980), or AdamW of Loshchilov and Hutter 2019 (1711.05101):
//
//	m += (1-β1)(g - m),  v += (1-β2)(g² - v)
//	p -= lr m / (1-β1ᵗ) / (sqrt(v / (1-β2ᵗ)) + eps)
//
// Its state has the names step, exp_avg (m), exp_avg_sq (v) and, with AMSGrad, max_exp_avg_sq.
type Adam struct {
	base
	o         AdamOptions
	decoupled bool
	resident  *resident // nil without Capturable
}

// NewAdam returns torch.optim.Adam with its state inside s: weight decay is added to the gradient. It panics with
// *torch.Error on a setting out of range, and with Capturable on parameters of several devices.
func NewAdam(s *torch.Scope, params []*torch.Tensor, o AdamOptions) *Adam {
	return newAdam("Adam", s, params, o, false)
}

// NewAdamW returns torch.optim.AdamW with its state inside s: weights decay by lr * WeightDecay, apart from the gradient.
// It panics as [NewAdam] does.
func NewAdamW(s *torch.Scope, params []*torch.Tensor, o AdamOptions) *Adam {
	return newAdam("AdamW", s, params, o, true)
}

func newAdam(name string, s *torch.Scope, params list, o AdamOptions, decoupled bool) *Adam {
	def(&o.LR, 1e-3)
	def(&o.Beta2, 0.999)
	def(&o.Eps, 1e-8)
	within(name, "LR", o.LR, 0, math.Inf(1))
	within(name, "Beta1", o.Beta1, 0, 1)
	within(name, "Beta2", o.Beta2, 0, 1)
	within(name, "Eps", o.Eps, 0, math.Inf(1))
	within(name, "WeightDecay", o.WeightDecay, 0, math.Inf(1))
	slots := []string{"exp_avg", "exp_avg_sq"}
	if o.AMSGrad {
		slots = append(slots, "max_exp_avg_sq")
	}
	a := &Adam{base: newBase(name, s, params, o.LR, slots...), o: o, decoupled: decoupled}
	if o.Capturable {
		a.resident = newResident(a)
	}
	return a
}

// Step implements [Optimizer].
func (a *Adam) Step(grads []*torch.Tensor) { a.StepUnless(grads, nil) }

func (a *Adam) update(s *torch.Scope, g *group) {
	if a.o.WeightDecay != 0 && a.decoupled {
		mulAll(g.p, 1-a.lr*a.o.WeightDecay)
	}
	avg, sq := a.moments(s, g)
	t := float64(g.step)
	correction1, correction2 := 1-math.Pow(a.o.Beta1, t), 1-math.Pow(a.o.Beta2, t)
	denom := roots(s, sq)
	divAll(denom, math.Sqrt(correction2))
	addAll(denom, a.o.Eps)
	addQuotient(g.p, avg, denom, -a.lr/correction1)
}

// moments brings the means up to date and returns those to use: the second may be the largest of squares so far.
func (a *Adam) moments(s *torch.Scope, g *group) (avg, sq list) {
	avg, sq = g.slots[0], g.slots[1]
	grads := g.g
	if a.o.WeightDecay != 0 && !a.decoupled {
		grads = sum(s, grads, g.p, a.o.WeightDecay)
	}
	mulAll(avg, a.o.Beta1)
	addScaled(avg, grads, 1-a.o.Beta1)
	mulAll(sq, a.o.Beta2)
	addProduct(sq, grads, grads, 1-a.o.Beta2)
	if a.o.AMSGrad {
		largest := g.slots[2]
		for i, t := range largest {
			torch.Call("aten::maximum.out", t, sq[i], t)
		}
		sq = largest
	}
	return avg, sq
}
