package optim

import "github.com/tigas-train/tigas-train/cgo/torch"

// SGDOptions are the settings of [SGD]. A zero LR means 1e-3.
type SGDOptions struct {
	LR          float64
	Momentum    float64
	Dampening   float64
	Nesterov    bool
	WeightDecay float64
}

// SGD is gradient descent with momentum as torch.optim.SGD: the buffer starts as the first gradient.
type SGD struct {
	base
	o SGDOptions
}

// NewSGD returns the optimiser with its state in s.
func NewSGD(s *torch.Scope, params []*torch.Tensor, o SGDOptions) *SGD {
	def(&o.LR, 1e-3)
	d := &SGD{base: newBase(params, o.LR), o: o}
	if o.Momentum != 0 {
		d.slot(s, "momentum_buffer")
	}
	return d
}

// Step implements [Optimizer].
func (d *SGD) Step(grads []*torch.Tensor) {
	d.apply("SGD.Step", grads, func(s *torch.Scope, g group) {
		if d.o.WeightDecay != 0 {
			g.g = sum(s, g.g, g.p, d.o.WeightDecay)
		}
		if d.o.Momentum == 0 {
			addScaled(g.p, g.g, -d.lr)
			return
		}
		buf := g.slots[0]
		mulAll(buf, d.o.Momentum)
		damp := 1 - d.o.Dampening
		if g.step == 1 {
			damp = 1
		}
		addScaled(buf, g.g, damp)
		if d.o.Nesterov {
			addScaled(g.p, sum(s, g.g, buf, d.o.Momentum), -d.lr)
			return
		}
		addScaled(g.p, buf, -d.lr)
	})
}
