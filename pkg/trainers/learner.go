package trainers

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/sched"
)

// learner is one network's parameters with their optimiser.
type learner struct {
	name   string // in the log
	params []*torch.Tensor
	opt    optim.Optimizer
	rate   sched.Schedule // learning rate over the run; nil: the optimiser's own
	base   float64        // learning rate as it is without divergence
	limit  float64        // largest norm of the gradient; 0: none
}

// step takes the gradient of loss with respect to the parameters, and one step of the optimiser, unless the gradient is
// not finite: then the step is left out and counted, and nothing is changed. made tells which.
func (l *learner) step(st *Step, loss *torch.Tensor) (made bool, err error) {
	return l.update(st, l.name, loss, false)
}

// regularise is step for a loss with a name of its own, which need not depend on all of the parameters: the others stay as
// they are.
func (l *learner) regularise(st *Step, name string, loss *torch.Tensor) (made bool, err error) {
	return l.update(st, l.name+"_"+name, loss, true)
}

func (l *learner) update(st *Step, name string, loss *torch.Tensor, partly bool) (made bool, err error) {
	if l.base == 0 {
		l.base = l.opt.LR()
	}
	if l.rate != nil {
		l.base = l.rate.At(st.Progress)
	}
	l.opt.SetLR(l.base * st.loop.lrScale())
	grads := torch.Grad(loss, l.params, torch.GradOptions{AllowUnused: partly})
	norm, err := optim.ClipGradNorm(grads, l.limit)
	if err == nil {
		st.ReportNumber(name+"_grad_norm", norm)
		l.opt.Step(grads)
	}
	return err == nil, st.Updated(name, err)
}

// optimizer is the optimiser by its name.
func (l *learner) optimizer() NamedOptimizer { return NamedOptimizer{l.name, l.opt} }

// size is the number of parameters in words.
func (l *learner) size() string {
	var n int64
	for _, p := range l.params {
		n += p.Numel()
	}
	return fmt.Sprintf("%.2fM", float64(n)/1e6)
}
