package optim

import "github.com/tigas-train/tigas-train/cgo/torch"

// RMSpropOptions are the settings of [RMSprop]. Zeros of LR, Alpha and Eps mean PyTorch's defaults.
type RMSpropOptions struct {
	LR          float64 // 1e-2
	Alpha       float64 // decay of the mean of squares, 0.99
	Eps         float64 // 1e-8
	WeightDecay float64 // 0
	Momentum    float64 // 0
}

// RMSprop divides gradients by the root of their mean square, as torch.optim.RMSprop (not centred).
type RMSprop struct {
	base
	o RMSpropOptions
}

// NewRMSprop returns the optimiser with its state in s.
func NewRMSprop(s *torch.Scope, params []*torch.Tensor, o RMSpropOptions) *RMSprop {
	def(&o.LR, 1e-2)
	def(&o.Alpha, 0.99)
	def(&o.Eps, 1e-8)
	r := &RMSprop{base: newBase(params, o.LR), o: o}
	r.slot(s, "square_avg")
	if o.Momentum != 0 {
		r.slot(s, "momentum_buffer")
	}
	return r
}

// Step implements [Optimizer].
func (r *RMSprop) Step(grads []*torch.Tensor) {
	r.apply("RMSprop.Step", grads, func(s *torch.Scope, g group) {
		if r.o.WeightDecay != 0 {
			g.g = sum(s, g.g, g.p, r.o.WeightDecay)
		}
		mulAll(g.slots[0], r.o.Alpha)
		addProduct(g.slots[0], g.g, g.g, 1-r.o.Alpha)
		denom := roots(s, g.slots[0])
		addAll(denom, r.o.Eps)
		if r.o.Momentum == 0 {
			addQuotient(g.p, g.g, denom, -r.lr)
			return
		}
		mulAll(g.slots[1], r.o.Momentum)
		addQuotient(g.slots[1], g.g, denom, 1)
		addScaled(g.p, g.slots[1], -r.lr)
	})
}
