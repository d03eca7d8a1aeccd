package trainers

import (
	"slices"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// learner is one network's parameters with their optimiser.
type learner struct {
	name   string // in the log
	params []*torch.Tensor
	opt    optim.Optimizer
	rate   sched.Schedule // learning rate over the run; nil: the optimiser's own
	base   float64        // learning rate as it is without divergence
	limit  float64        // largest norm of the gradient; 0: none
	partly bool           // the loss need not depend on all of the parameters: the others stay as they are
}

// step takes the gradient of loss with respect to the parameters, and one step of the optimiser, unless the gradient is
// not finite: then the step is left out and counted, and nothing is changed. made tells which.
func (l *learner) step(st *Step, loss *torch.Tensor) (made bool, err error) {
	_, made, err = l.update(st, l.name, loss, nil, false)
	return made, err
}

// stepWith is step for a loss that the TIGAS term is part of. It logs how large the gradient of the term is beside that of the
// rest of the loss at a tensor that both are computed from: the images, or the network's output. Where the term does not
// come from there, or is absent, it logs nothing.
func (l *learner) stepWith(st *Step, loss, at *torch.Tensor, term tigas.Applied) (made bool, err error) {
	if term.Loss == nil {
		return l.step(st, loss)
	}
	own := torch.Grad(term.Loss, []*torch.Tensor{at}, torch.GradOptions{RetainGraph: true, AllowUnused: true})[0]
	if own == nil {
		return l.step(st, loss)
	}
	all, made, err := l.update(st, l.name, loss, at, false)
	if made {
		const tiny = 1e-20 // the rest may have none
		torch.NoGrad(func() {
			st.Report("tigas_grad_ratio", own.Norm().Div(all.Sub(own).Norm().AddScalar(tiny)))
		})
	}
	return made, err
}

// regularise is step for a loss with a name of its own, which need not depend on all of the parameters: the others stay as
// they are.
func (l *learner) regularise(st *Step, name string, loss *torch.Tensor) (made bool, err error) {
	_, made, err = l.update(st, l.name+"_"+name, loss, nil, true)
	return made, err
}

// update also returns the gradient with respect to a tensor that the loss was computed from, if it is given one.
func (l *learner) update(st *Step, name string, loss, at *torch.Tensor, partly bool) (g *torch.Tensor, made bool, err error) {
	if l.base == 0 {
		l.base = l.opt.LR()
	}
	if l.rate != nil {
		l.base = l.rate.At(st.Progress)
	}
	l.opt.SetLR(l.base * st.loop.lrScale())
	inputs := l.params
	if at != nil {
		inputs = append(slices.Clip(inputs), at)
	}
	grads := torch.Grad(loss, inputs, torch.GradOptions{AllowUnused: partly || l.partly})
	if at != nil {
		n := len(grads) - 1
		grads, g = grads[:n], grads[n]
	}
	defer st.Phase("optimizer")()
	norm, err := optim.ClipGradNorm(grads, l.limit)
	if err == nil {
		st.ReportNumber(name+"_grad_norm", norm)
		l.opt.Step(grads)
	}
	return g, err == nil, st.Updated(name, err)
}

// optimizer is the optimiser by its name.
func (l *learner) optimizer() NamedOptimizer { return NamedOptimizer{l.name, l.opt} }

// size is the number of parameters in words.
func (l *learner) size() string {
	var n int64
	for _, p := range l.params {
		n += p.Numel()
	}
	return monitor.Count(n)
}
