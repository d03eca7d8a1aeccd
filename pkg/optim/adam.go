package optim

import (
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// AdamOptions are the settings of Adam and AdamW. A zero LR, Beta2 or Eps means PyTorch's default; Beta1 is taken as it
// is, because 0 is what WGAN-GP wants.
type AdamOptions struct {
	LR          float64 // 1e-3
	Beta1       float64 // decay of the mean of gradients; PyTorch's default is 0.9
	Beta2       float64 // decay of the mean of squares, 0.999
	Eps         float64 // 1e-8
	WeightDecay float64 // 0
}

// Adam is the optimiser of Kingma and Ba 2015 (arXiv 1412.6980), or AdamW of Loshchilov and Hutter 2019 (1711.05101).
type Adam struct {
	base
	o         AdamOptions
	decoupled bool
	avg, sq   list
}

// NewAdam returns torch.optim.Adam with its state in s: weight decay is added to the gradient.
func NewAdam(s *torch.Scope, params []*torch.Tensor, o AdamOptions) *Adam {
	return newAdam(s, params, o, false)
}

// NewAdamW returns torch.optim.AdamW with its state in s: weights decay by lr * WeightDecay, apart from the gradient.
func NewAdamW(s *torch.Scope, params []*torch.Tensor, o AdamOptions) *Adam {
	return newAdam(s, params, o, true)
}

func newAdam(s *torch.Scope, params []*torch.Tensor, o AdamOptions, decoupled bool) *Adam {
	def(&o.LR, 1e-3)
	def(&o.Beta2, 0.999)
	def(&o.Eps, 1e-8)
	a := &Adam{base: newBase(params, o.LR), o: o, decoupled: decoupled}
	a.avg, a.sq = a.slot(s, "exp_avg"), a.slot(s, "exp_avg_sq")
	return a
}

func def(v *float64, d float64) {
	if *v == 0 {
		*v = d
	}
}

// Step implements [Optimizer].
func (a *Adam) Step(grads []*torch.Tensor) {
	a.apply("Adam.Step", grads, func(s *torch.Scope, g group) {
		avg, sq := g.slots[0], g.slots[1]
		if a.o.WeightDecay != 0 {
			if a.decoupled {
				mulAll(g.p, 1-a.lr*a.o.WeightDecay)
			} else {
				g.g = sum(s, g.g, g.p, a.o.WeightDecay)
			}
		}
		mulAll(avg, a.o.Beta1)
		addScaled(avg, g.g, 1-a.o.Beta1)
		mulAll(sq, a.o.Beta2)
		addProduct(sq, g.g, g.g, 1-a.o.Beta2)
		c1, c2 := 1-math.Pow(a.o.Beta1, g.step), 1-math.Pow(a.o.Beta2, g.step)
		denom := roots(s, sq)
		mulAll(denom, 1/math.Sqrt(c2))
		addAll(denom, a.o.Eps)
		addQuotient(g.p, avg, denom, -a.lr/c1)
	})
}
