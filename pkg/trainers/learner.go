package trainers

import (
	"fmt"
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

// made is what became of an update.
type made struct {
	yes  bool          // the host knows that it was made, or left it to the device
	skip *torch.Tensor // 1 if the device left it out, else 0; nil: the host decided
}

// unless returns what an update that was left out must not change: old where it was, else now.
func (m made) unless(old, now *torch.Tensor) *torch.Tensor {
	if m.skip == nil {
		return now
	}
	return torch.Where(m.skip.GtScalar(0), old, now)
}

// prepare sets the learning rate for a step, and makes the scaler if there is to be one. It is called where the step begins, since
// a graph has the numbers of the time when it was recorded, and makes anew in each replay what was made in it.
func (l *learner) prepare(st *Step) {
	if l.opt == nil || st.recorder != nil {
		return
	}
	if l.base == 0 {
		l.base = l.opt.LR()
	}
	if l.rate != nil {
		l.base = l.rate.At(st.Progress)
	}
	l.opt.SetLR(l.base * st.loop.lrScale())
	st.loop.scaler(l.name)
}

// step takes the gradient of loss with respect to the parameters, and one step of the optimiser, unless the gradient is
// not finite: then the step is left out and counted, and nothing is changed.
func (l *learner) step(st *Step, loss *torch.Tensor) (made, error) {
	_, m, err := l.update(st, l.name, loss, nil, false)
	return m, err
}

// stepWith is step for a loss that the TIGAS term is part of. It logs how large the gradient of the term is beside that of the
// rest of the loss at a tensor that both are computed from: the images, or the network's output. Where the term does not
// come from there, or is absent, it logs nothing.
func (l *learner) stepWith(st *Step, loss, at *torch.Tensor, term tigas.Applied) (made, error) {
	if term.Loss == nil {
		return l.step(st, loss)
	}
	own := torch.Grad(term.Loss, []*torch.Tensor{at}, torch.GradOptions{RetainGraph: true, AllowUnused: true})[0]
	if own == nil {
		return l.step(st, loss)
	}
	all, m, err := l.update(st, l.name, loss, at, false)
	if m.yes {
		const tiny = 1e-20 // the rest may have none
		torch.NoGrad(func() {
			st.Report(gradRatio, own.Norm().Div(all.Sub(own).Norm().AddScalar(tiny)))
		})
	}
	return m, err
}

// regularise is step for a loss with a name of its own, which need not depend on all of the parameters: the others stay as
// they are.
func (l *learner) regularise(st *Step, name string, loss *torch.Tensor) (made, error) {
	_, m, err := l.update(st, l.name+"_"+name, loss, nil, true)
	return m, err
}

// update also returns the gradient with respect to a tensor that the loss was computed from, if it is given one. In float16 it
// scales the loss, all of it: parts that are computed in float32 lose nothing by that.
func (l *learner) update(st *Step, name string, loss, at *torch.Tensor, partly bool) (g *torch.Tensor, m made, err error) {
	l.prepare(st)
	inputs := l.params
	if at != nil {
		inputs = append(slices.Clip(inputs), at)
	}
	scaler := st.loop.scaler(l.name)
	if scaler != nil {
		loss = scaler.Scale(loss)
	}
	if st.recorder != nil && !capturable(l.opt) { // before anything waits
		return nil, m, fmt.Errorf("trainers: the optimiser of %s asks the host, so its updates cannot be recorded: want one of optim with Capturable", name)
	}
	grads := torch.Grad(loss, inputs, torch.GradOptions{AllowUnused: partly || l.partly})
	defer st.Phase("optimizer")()
	if at != nil {
		n := len(grads) - 1
		if scaler != nil {
			scaler.Unscale(grads[n:], st.Scope) // whether it is finite decides nothing
		}
		grads, g = grads[:n], grads[n]
	}
	var overflow *torch.Tensor
	if scaler != nil {
		overflow = scaler.Unscale(grads, st.Scope)
	}
	if opt, ok := l.opt.(optim.Masked); ok && resident(loss.Device()) && slices.ContainsFunc(grads, given) {
		norm := optim.ClipGradNormTensor(st.Scope, grads, l.limit)
		m = made{yes: true, skip: optim.NonFinite(norm)}
		if scaler != nil {
			m.skip = m.skip.Maximum(overflow)
			scaler.Update(m.skip)
		}
		opt.StepUnless(grads, m.skip)
		st.Report(name+normSuffix, norm)
		st.Report(skipPrefix+name, m.skip)
		return g, m, nil
	}
	norm, err := optim.ClipGradNorm(grads, l.limit)
	if m.yes = err == nil; m.yes {
		st.ReportNumber(name+normSuffix, norm)
		l.opt.Step(grads)
	}
	if scaler != nil { // the norm is not finite where a gradient is not
		left := 0.
		if err != nil {
			left = 1
		}
		scaler.Update(st.Scope.Scalar(left, torch.Options{Device: loss.Device()}))
	}
	return g, m, st.Updated(name, err)
}

// capturable tells whether a step of the optimiser can be recorded.
func capturable(o optim.Optimizer) bool {
	c, ok := o.(interface{ IsCapturable() bool })
	return ok && c.IsCapturable()
}

func given(t *torch.Tensor) bool { return t != nil }

// resident tells whether updates are decided on the device, for which the host need not wait: wherever it would have to.
// Tests let it be so on the CPU, too.
var resident = func(d torch.Device) bool { return d.IsCUDA() }

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
