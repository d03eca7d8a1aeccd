package optim

import (
	"fmt"
	"iter"
	"slices"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Optimizer updates parameters from gradients.
type Optimizer interface {
	// Step updates the parameters. grads has one entry for each, nil to leave that one and its state alone; they are not
	// changed. It panics with *torch.Error on another number of gradients, and in the first step on another shape.
	Step(grads []*torch.Tensor)
	// LR is the learning rate, SetLR changes it from the next step on. It may be 0.
	LR() float64
	SetLR(lr float64)
	// State yields what a snapshot must hold, by PyTorch's names: "3.exp_avg" belongs to the fourth parameter, "3.step",
	// a float32 scalar on the CPU, is the number of steps that it has taken.
	State() iter.Seq2[string, *torch.Tensor]
	// LoadState restores what State yielded, of this optimiser or of PyTorch's. When the names or shapes do not fit it
	// returns a *StateError and changes nothing.
	LoadState(saved map[string]*torch.Tensor) error
}

// Masked is an optimiser that can leave out a step without waiting for the device to learn whether it must.
type Masked interface {
	Optimizer
	// StepUnless is Step where skip, a scalar on the parameters' device, is 0. Otherwise, for NaN too, parameters, moments
	// and step counts stay as they are, bit for bit, whatever the gradients hold. A nil skip means 0: that is Step. It
	// panics with *torch.Error where Step does, and on another shape or device of skip.
	StepUnless(grads []*torch.Tensor, skip *torch.Tensor)
}

var _ Masked = (*Adam)(nil)

// Grads returns the gradients that [torch.Backward] accumulated in params as tensors of s, nil where there is none.
func Grads(s *torch.Scope, params []*torch.Tensor) []*torch.Tensor {
	g := make([]*torch.Tensor, len(params))
	for i, p := range params {
		g[i] = s.GradOf(p)
	}
	return g
}

// base is what all optimisers share: parameters, and slots of state beside them.
type base struct {
	name   string
	scope  *torch.Scope
	params list
	lr     float64
	slots  []slot
	counts []int64 // steps that each parameter has taken
	steps  list    // the same as tensors, brought up to date by State
	fits   bool    // the gradients of the first step had the right shapes
}

type slot struct {
	name    string
	tensors list
}

// newBase makes the state in a scope inside s, with zeros in slots beside every parameter.
func newBase(name string, s *torch.Scope, params list, lr float64, slots ...string) base {
	b := base{name: name, scope: s.Child().Seal(), params: slices.Clone(params), lr: lr, counts: make([]int64, len(params))}
	for range params {
		b.steps = append(b.steps, b.scope.Scalar(0))
	}
	for _, slotName := range slots {
		l := make(list, len(params))
		for i, p := range params {
			l[i] = b.scope.Call("aten::zeros_like", p) // with its strides, for channels-last weights
		}
		b.slots = append(b.slots, slot{slotName, l})
	}
	return b
}

func (b *base) LR() float64      { return b.lr }
func (b *base) SetLR(lr float64) { b.lr = lr }

// group is the part of the parameters that one step updates, all with the same step count.
type group struct {
	p, g  list
	slots []list // in the order of base.slots
	step  int64  // number of this step, from 1
}

// groups returns the parameters that have a gradient by their step count: usually one group.
func (b *base) groups(grads list) []*group {
	var out []*group
	by := map[int64]*group{}
	for i, g := range grads {
		if g == nil {
			continue
		}
		n := b.counts[i] + 1
		gr := by[n]
		if gr == nil {
			gr = &group{step: n, slots: make([]list, len(b.slots))}
			by[n] = gr
			out = append(out, gr)
		}
		gr.p, gr.g = append(gr.p, b.params[i]), append(gr.g, g)
		for k, s := range b.slots {
			gr.slots[k] = append(gr.slots[k], s.tensors[i])
		}
	}
	return out
}

// step runs update for each group without recording, with a scope for its temporaries.
func (b *base) step(grads list, update func(s *torch.Scope, g *group)) {
	b.check(grads)
	s := b.scope.Child()
	defer s.Close()
	torch.NoGrad(func() {
		for _, g := range b.groups(grads) {
			update(s, g)
		}
	})
	for i, g := range grads {
		if g != nil {
			b.counts[i]++
		}
	}
}

// check catches gradients of another network, or in another order, before they broadcast into the parameters. Shapes do
// not change later, so once is enough.
func (b *base) check(grads list) {
	if len(grads) != len(b.params) {
		panic(&torch.Error{Op: b.name + ".Step",
			Msg: fmt.Sprintf("got %d gradient(s) vs %d parameter(s)", len(grads), len(b.params))})
	}
	if b.fits {
		return
	}
	b.fits = true
	for i, g := range grads {
		if g == nil {
			b.fits = false // this one is still to be seen
		} else if got, want := g.Shape(), b.params[i].Shape(); !slices.Equal(got, want) {
			b.fits = false
			panic(&torch.Error{Op: b.name + ".Step", Msg: fmt.Sprintf("gradient %d: got shape %v vs %v", i, got, want)})
		}
	}
}

// within panics unless lo <= v < hi.
func within(op, name string, v, lo, hi float64) {
	if !(v >= lo && v < hi) {
		panic(&torch.Error{Op: op, Msg: fmt.Sprintf("%s: got %v vs a number from %v to below %v", name, v, lo, hi)})
	}
}

// def sets a value that was not given.
func def(v *float64, d float64) {
	if *v == 0 {
		*v = d
	}
}
