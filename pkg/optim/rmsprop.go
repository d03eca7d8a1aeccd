package optim

import (
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// RMSpropOptions are the settings of [RMSprop]. Zeros of LR, Alpha and Eps mean PyTorch's defaults.
type RMSpropOptions struct {
	LR          float64 // learning rate, 1e-2
	Alpha       float64 // decay of the mean of squares, 0.99
	Eps         float64 // added to the root, 1e-8
	WeightDecay float64 // 0
	Momentum    float64 // 0
	Centered    bool    // divide by the deviation instead of the root of the mean square (Graves 2013, arXiv 1308.0850)
}

// RMSprop divides gradients by the root of their mean square, as torch.optim.RMSprop (Tieleman and Hinton 2012):
//
//	v += (1-α)(g² - v),  p -= lr g / (sqrt(v) + eps)
//
// Its state has the names step, square_avg (v), momentum_buffer with Momentum, and grad_avg with Centered.
type RMSprop struct {
	base
	o                RMSpropOptions
	momentum, center int // indices of the slots
}

// NewRMSprop returns the optimiser with its state inside s. It panics with *torch.Error on a setting out of range.
func NewRMSprop(s *torch.Scope, params []*torch.Tensor, o RMSpropOptions) *RMSprop {
	def(&o.LR, 1e-2)
	def(&o.Alpha, 0.99)
	def(&o.Eps, 1e-8)
	const name = "RMSprop"
	within(name, "LR", o.LR, 0, math.Inf(1))
	within(name, "Alpha", o.Alpha, 0, 1)
	within(name, "Eps", o.Eps, 0, math.Inf(1))
	within(name, "WeightDecay", o.WeightDecay, 0, math.Inf(1))
	within(name, "Momentum", o.Momentum, 0, math.Inf(1))
	r := &RMSprop{o: o}
	slots := []string{"square_avg"}
	if o.Momentum != 0 {
		r.momentum = len(slots)
		slots = append(slots, "momentum_buffer")
	}
	if o.Centered {
		r.center = len(slots)
		slots = append(slots, "grad_avg")
	}
	r.base = newBase(name, s, params, o.LR, slots...)
	return r
}

// Step implements [Optimizer].
func (r *RMSprop) Step(grads []*torch.Tensor) { r.step(grads, r.update) }

func (r *RMSprop) update(s *torch.Scope, g *group) {
	grads, sq := g.g, g.slots[0]
	if r.o.WeightDecay != 0 {
		grads = sum(s, grads, g.p, r.o.WeightDecay)
	}
	mulAll(sq, r.o.Alpha)
	addProduct(sq, grads, grads, 1-r.o.Alpha)
	if r.o.Centered {
		mean := g.slots[r.center]
		mulAll(mean, r.o.Alpha)
		addScaled(mean, grads, 1-r.o.Alpha)
		sq = fresh(s, "aten::_foreach_addcmul.Scalar", sq, mean, mean, -1)
	}
	denom := roots(s, sq)
	addAll(denom, r.o.Eps)
	if r.o.Momentum == 0 {
		addQuotient(g.p, grads, denom, -r.lr)
		return
	}
	buf := g.slots[r.momentum]
	mulAll(buf, r.o.Momentum)
	addQuotient(buf, grads, denom, 1)
	addScaled(g.p, buf, -r.lr)
}
