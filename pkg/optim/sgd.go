package optim

import (
	"math"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// SGDOptions are the settings of [SGD]. A zero LR means 1e-3.
type SGDOptions struct {
	LR          float64 // learning rate
	Momentum    float64 // share of the last step's direction in this one's, 0
	Dampening   float64 // 0; the first step is not dampened
	Nesterov    bool    // look ahead: needs momentum and no dampening
	WeightDecay float64 // 0
}

// SGD is gradient descent with momentum as torch.optim.SGD (Sutskever et al. 2013):
//
//	b = momentum b + (1 - dampening) g,  p -= lr b
//
// b starts as the first gradient. The state has the names step and, with Momentum, momentum_buffer; PyTorch saves no step
// for SGD, so it may be missing from what is loaded.
type SGD struct {
	base
	o SGDOptions
}

// NewSGD returns the optimiser with its state inside s. It panics with *torch.Error on a setting out of range, and on
// Nesterov without momentum or with dampening.
func NewSGD(s *torch.Scope, params []*torch.Tensor, o SGDOptions) *SGD {
	def(&o.LR, 1e-3)
	const name = "SGD"
	within(name, "LR", o.LR, 0, math.Inf(1))
	within(name, "Momentum", o.Momentum, 0, math.Inf(1))
	within(name, "WeightDecay", o.WeightDecay, 0, math.Inf(1))
	if o.Nesterov && (o.Momentum == 0 || o.Dampening != 0) {
		panic(&torch.Error{Op: name, Msg: "Nesterov needs a momentum and no dampening"})
	}
	var slots []string
	if o.Momentum != 0 {
		slots = []string{"momentum_buffer"}
	}
	return &SGD{base: newBase(name, s, params, o.LR, slots...), o: o}
}

// Step implements [Optimizer].
func (d *SGD) Step(grads []*torch.Tensor) { d.step(grads, d.update) }

func (d *SGD) update(s *torch.Scope, g *group) {
	grads := g.g
	if d.o.WeightDecay != 0 {
		grads = sum(s, grads, g.p, d.o.WeightDecay)
	}
	if d.o.Momentum == 0 {
		addScaled(g.p, grads, -d.lr)
		return
	}
	buf := g.slots[0]
	damp := 1 - d.o.Dampening
	if g.step == 1 {
		damp = 1
	}
	mulAll(buf, d.o.Momentum)
	addScaled(buf, grads, damp)
	if d.o.Nesterov {
		addScaled(g.p, sum(s, grads, buf, d.o.Momentum), -d.lr)
		return
	}
	addScaled(g.p, buf, -d.lr)
}

// LoadState implements [Optimizer].
func (d *SGD) LoadState(saved map[string]*torch.Tensor) error {
	if err := restore(d.State(), saved, isStep); err != nil {
		return err
	}
	for i, t := range d.steps {
		d.counts[i] = t.Int64()
		if saved[stepOf(i)] == nil && d.counts[i] == 0 {
			d.counts[i] = 1 // PyTorch's: only whether there was a first step matters
		}
	}
	return nil
}

func isStep(name string) bool { return strings.HasSuffix(name, "."+stepName) }
