package optim

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Optimizer updates parameters from gradients.
type Optimizer interface {
	// Step updates the parameters. grads has one entry for each, nil to leave that one and its state alone. It panics
	// with *torch.Error on another number or shape.
	Step(grads []*torch.Tensor)
	// LR is the learning rate, SetLR changes it from the next step on.
	LR() float64
	SetLR(lr float64)
	// State is what a snapshot must hold, by PyTorch's names: "3.exp_avg" belongs to the fourth parameter.
	State() []NamedTensor
}

// NamedTensor is a tensor of an optimiser's state.
type NamedTensor struct {
	Name   string
	Tensor *torch.Tensor
}

// Load copies saved state into o. It returns an error that names the first tensor that is missing or misshapen; nothing
// is copied then.
func Load(o Optimizer, saved map[string]*torch.Tensor) error {
	state := o.State()
	for _, s := range state {
		t, ok := saved[s.Name]
		if !ok {
			return fmt.Errorf("optim: load: missing %s", s.Name)
		}
		if a, b := fmt.Sprint(t.Shape()), fmt.Sprint(s.Tensor.Shape()); a != b {
			return fmt.Errorf("optim: load: %s: got shape %s vs %s", s.Name, a, b)
		}
	}
	return torch.Try(func() {
		for _, s := range state {
			s.Tensor.Copy_(saved[s.Name])
		}
	})
}

// Grads returns the accumulated gradients of params as tensors of s, nil where there is none.
func Grads(s *torch.Scope, params []*torch.Tensor) []*torch.Tensor {
	g := make([]*torch.Tensor, len(params))
	for i, p := range params {
		g[i] = s.GradOf(p)
	}
	return g
}

// base is what all optimisers share: parameters, and slots of state beside them.
type base struct {
	params []*torch.Tensor
	lr     float64
	slots  []slot
	counts []int64 // steps that each parameter has taken
}

type slot struct {
	name    string
	tensors []*torch.Tensor
}

func newBase(params []*torch.Tensor, lr float64) base {
	return base{params: params, lr: lr, counts: make([]int64, len(params))}
}

func (b *base) LR() float64      { return b.lr }
func (b *base) SetLR(lr float64) { b.lr = lr }

// slot makes state of zeros beside every parameter.
func (b *base) slot(s *torch.Scope, name string) []*torch.Tensor {
	l := make([]*torch.Tensor, len(b.params))
	for i, p := range b.params {
		l[i] = s.Zeros(p.Shape(), torch.Options{DType: p.DType(), Device: p.Device()})
	}
	b.slots = append(b.slots, slot{name, l})
	return l
}

// group is the part of the parameters that one step updates, all with the same step count.
type group struct {
	p, g  []*torch.Tensor
	slots [][]*torch.Tensor
	step  float64
}

// groups counts a step for every parameter with a gradient and returns them by their count: usually one group.
func (b *base) groups(op string, grads []*torch.Tensor) []group {
	if len(grads) != len(b.params) {
		panic(&torch.Error{Op: op, Msg: fmt.Sprintf("got %d gradients vs %d parameters", len(grads), len(b.params))})
	}
	var order []int64
	by := map[int64]*group{}
	for i, g := range grads {
		if g == nil {
			continue
		}
		b.counts[i]++
		gr := by[b.counts[i]]
		if gr == nil {
			gr = &group{step: float64(b.counts[i]), slots: make([][]*torch.Tensor, len(b.slots))}
			by[b.counts[i]] = gr
			order = append(order, b.counts[i])
		}
		gr.p, gr.g = append(gr.p, b.params[i]), append(gr.g, g)
		for k, s := range b.slots {
			gr.slots[k] = append(gr.slots[k], s.tensors[i])
		}
	}
	out := make([]group, 0, len(order))
	for _, n := range order {
		out = append(out, *by[n])
	}
	return out
}

// apply runs f for each group without recording, with a scope for its temporaries.
func (b *base) apply(op string, grads []*torch.Tensor, f func(s *torch.Scope, g group)) {
	groups := b.groups(op, grads)
	s := torch.NewScope()
	defer s.Close()
	torch.NoGrad(func() {
		for _, g := range groups {
			f(s, g)
		}
	})
}

// State implements [Optimizer].
func (b *base) State() []NamedTensor {
	var l []NamedTensor
	for i := range b.params {
		for _, s := range b.slots {
			l = append(l, NamedTensor{fmt.Sprintf("%d.%s", i, s.name), s.tensors[i]})
		}
	}
	return l
}

// Counts are the numbers of steps that each parameter has taken; they are part of the state.
func (b *base) Counts() []int64 { return append([]int64(nil), b.counts...) }

// SetCounts restores what Counts returned. It panics on another number of parameters.
func (b *base) SetCounts(n []int64) {
	if len(n) != len(b.counts) {
		panic(fmt.Sprintf("optim: got %d counts vs %d parameters", len(n), len(b.counts)))
	}
	copy(b.counts, n)
}
