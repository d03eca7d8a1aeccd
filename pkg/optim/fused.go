package optim

import (
	"fmt"
	"iter"
	"slices"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// resident is what an Adam with Capturable keeps on the device instead of the host, as torch.optim.Adam does with
// capturable=True and fused=True.
type resident struct {
	device torch.Device
	lr     *torch.Tensor // float32 scalar
	counts *torch.Tensor // float32 [parameters]: steps that each has taken, exact up to 2^24
	steps  list          // its elements, views
	types  [][]int       // parameters by element type: the kernel takes one type at a time
	layout [][]int64     // strides of the parameters
	fused  string        // the operator, "" where it cannot be had
}

// newResident panics unless all parameters are on one device.
func newResident(a *Adam) *resident {
	r := &resident{types: byType(a.params)}
	for i, p := range a.params {
		if i == 0 {
			r.device = p.Device()
		} else if d := p.Device(); d != r.device {
			panic(&torch.Error{Op: a.name,
				Msg: fmt.Sprintf("Capturable: parameter %d: got one on %v vs %v, where the first is", i, d, r.device)})
		}
		r.layout = append(r.layout, p.Strides())
	}
	there := torch.Options{Device: r.device}
	r.lr = a.scope.Scalar(a.lr, there)
	r.counts = a.scope.Zeros([]int64{int64(len(a.params))}, there)
	for i := range a.params {
		r.steps = append(r.steps, a.scope.Call("aten::select.int", r.counts, 0, i))
	}
	name := "aten::_fused_adam_.tensor_lr"
	if a.decoupled {
		name = "aten::_fused_adamw_.tensor_lr"
	}
	if torch.Has(name) && a.dense(r) && a.try(name, r) == nil {
		r.fused = name
	}
	return r
}

// dense tells whether state and parameters lie in memory alike, because the kernel goes by addresses. State is made like
// its parameter, so they do unless elements of that overlap or have gaps between them.
func (a *Adam) dense(r *resident) bool {
	for _, s := range a.slots {
		for i, t := range s.tensors {
			if !slices.Equal(t.Strides(), r.layout[i]) {
				return false
			}
		}
	}
	return true
}

// try makes a step of one number of each type: that libtorch knows the operator does not say that it has a kernel for the
// device. For CPUs it has one from 2.4 on, for CUDA as long as there is the operator.
func (a *Adam) try(name string, r *resident) error {
	s := a.scope.Child()
	defer s.Close()
	return torch.Try(func() {
		for _, index := range r.types {
			one := func(d torch.DType) list { return list{s.Ones([]int64{1}, torch.Options{DType: d, Device: r.device})} }
			d := a.params[index[0]].DType()
			g := &group{p: one(d), g: one(d)}
			for range a.slots {
				g.slots = append(g.slots, one(d))
			}
			a.kernel(name, g, list{s.Scalar(1, torch.Options{Device: r.device})}, r.lr, nil)
		}
	})
}

// kernel updates g in one call, or does nothing when found is 1. steps must be those after this step.
func (a *Adam) kernel(name string, g *group, steps list, lr, found *torch.Tensor) {
	var largest list
	if a.o.AMSGrad {
		largest = g.slots[2]
	}
	const maximize = false
	torch.CallMulti(name, g.p, g.g, g.slots[0], g.slots[1], largest, steps, lr, a.o.Beta1, a.o.Beta2, a.o.WeightDecay,
		a.o.Eps, a.o.AMSGrad, maximize, nil, found)
}

// IsCapturable tells whether a was made with Capturable.
func (a *Adam) IsCapturable() bool { return a.resident != nil }

// StepUnless implements [Masked]. With Capturable it neither waits for the device nor needs anything of the host that
// changes from step to step, so that it can be part of a CUDA graph; which gradients are nil is part of that graph. It is
// then one call for all parameters of a type where libtorch has torch.optim's fused kernel, with skip for the found_inf of
// a gradient scaler, else calls over lists. Without Capturable the host reads skip.
func (a *Adam) StepUnless(grads []*torch.Tensor, skip *torch.Tensor) {
	if skip != nil && skip.Dim() != 0 {
		panic(&torch.Error{Op: a.name + ".StepUnless", Msg: fmt.Sprintf("skip: got %v vs a scalar", skip)})
	}
	switch {
	case a.resident != nil:
		a.stepResident(grads, skip)
	case skip != nil && skip.Bool():
		a.check(grads)
	default:
		a.step(grads, a.update)
	}
}

func (a *Adam) stepResident(grads list, skip *torch.Tensor) {
	a.check(grads)
	r := a.resident
	if skip != nil && skip.Device() != r.device {
		panic(&torch.Error{Op: a.name + ".StepUnless", Msg: fmt.Sprintf("skip: got %v vs a scalar on %v", skip, r.device)})
	}
	parts, steps := a.parts(grads)
	if len(steps) == 0 {
		return
	}
	s := a.scope.Child()
	defer s.Close()
	torch.NoGrad(func() {
		var bad, found *torch.Tensor // bool, and the kernel's: exactly 1 or 0
		if skip == nil {
			addAll(steps, 1)
		} else {
			// PyTorch counts the step before the kernel and takes it back after. A kernel that skips does not look at the
			// count, so that it comes to the same not to count.
			bad = s.Call("aten::ne.Scalar", skip, 0)
			found = bad.To(torch.Float32)
			addLists(steps, slices.Repeat(list{found.RSubScalar(1)}, len(steps)))
		}
		if r.fused == "" {
			a.updateLists(s, parts, bad)
			return
		}
		for _, p := range parts {
			for i, g := range p.g {
				p.g[i] = like(s, g, p.p[i], r.layout[p.index[i]])
			}
			a.kernel(r.fused, &p.group, pick(r.steps, p.index), r.lr, found)
		}
	})
}

// part is the group of parameters of one type, with their numbers.
type part struct {
	group
	index []int
}

// parts returns the parameters that have a gradient by type, and the counts of all of them.
func (a *Adam) parts(grads list) (parts []*part, steps list) {
	for _, all := range a.resident.types {
		var index []int
		for _, i := range all {
			if grads[i] != nil {
				index = append(index, i)
			}
		}
		if len(index) == 0 {
			continue
		}
		p := &part{group{p: pick(a.params, index), g: pick(grads, index)}, index}
		for _, s := range a.slots {
			p.slots = append(p.slots, pick(s.tensors, index))
		}
		parts = append(parts, p)
		steps = append(steps, pick(a.resident.steps, index)...)
	}
	return parts, steps
}

// like returns gradient g in the type of its parameter p and with its strides. A gradient that is computed rather than
// accumulated may be a transposed or expanded view, where the kernel for CUDA panics and that for CPUs computes nonsense.
func like(s *torch.Scope, g, p *torch.Tensor, strides []int64) *torch.Tensor {
	if g.DType() == p.DType() && slices.Equal(g.Strides(), strides) {
		return g
	}
	return s.Call("aten::empty_like", p).Copy_(g)
}

// SetLR implements [Optimizer]. It is not for inside a CUDA graph: it sets the rate that the graph's steps will use.
func (a *Adam) SetLR(lr float64) {
	if a.resident != nil && lr != a.lr {
		a.resident.lr.Fill_(lr)
	}
	a.lr = lr
}

// State implements [Optimizer]. It is the same with Capturable as without, so that a run may go from a GPU to a CPU; the
// host then waits for the device.
func (a *Adam) State() iter.Seq2[string, *torch.Tensor] {
	if a.resident == nil {
		return a.base.State()
	}
	return func(yield func(string, *torch.Tensor) bool) {
		for i, n := range a.resident.counts.Float32s() {
			a.counts[i] = int64(n)
		}
		a.base.State()(yield)
	}
}

// LoadState implements [Optimizer].
func (a *Adam) LoadState(saved map[string]*torch.Tensor) error {
	if err := a.base.LoadState(saved); err != nil || a.resident == nil {
		return err
	}
	// In place: graphs that were captured hold these addresses.
	return torch.Try(func() {
		for i, t := range a.resident.steps {
			t.Fill_(float64(a.counts[i]))
		}
	})
}
