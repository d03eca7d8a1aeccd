package optim

import (
	"fmt"
	"iter"
	"slices"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// EMA keeps an exponential moving average of a network's parameters. Buffers, such as the running statistics of batch
// norms, are copied, as StyleGAN2 does. The network itself is never changed, so that nothing has to be swapped.
//
// How fast it moves is up to the caller: a fixed decay, [HalfLife] or [WarmUp].
type EMA struct {
	params, averages list
	buffers, copies  list
}

// NewEMA returns an average of params in averages, and of buffers in copies: the tensors of another module of the same
// architecture. It starts as a copy. Shapes and element types must correspond, else it returns an error.
func NewEMA(params, averages, buffers, copies []*torch.Tensor) (*EMA, error) {
	e := &EMA{slices.Clone(params), slices.Clone(averages), slices.Clone(buffers), slices.Clone(copies)}
	if err := match("parameter", params, averages); err != nil {
		return nil, err
	}
	if err := match("buffer", buffers, copies); err != nil {
		return nil, err
	}
	if err := torch.Try(e.Reset); err != nil {
		return nil, err
	}
	return e, nil
}

// CloneEMA returns an average of params in tensors of its own, in a sealed scope inside s. It starts as a copy.
func CloneEMA(s *torch.Scope, params, buffers []*torch.Tensor) *EMA {
	own := s.Child().Seal()
	clone := func(l list) list {
		c := make(list, len(l))
		for i, t := range l {
			c[i] = own.Call("aten::empty_like", t)
		}
		return c
	}
	e := &EMA{slices.Clone(params), clone(params), slices.Clone(buffers), clone(buffers)}
	e.Reset()
	return e
}

// match returns an error unless a and b are lists of the same types and shapes.
func match(what string, a, b list) error {
	if len(a) != len(b) {
		return fmt.Errorf("optim: ema: got %d %ss vs %d: not one architecture", len(b), what, len(a))
	}
	for i := range a {
		if got, want := b[i], a[i]; got.DType() != want.DType() || !slices.Equal(got.Shape(), want.Shape()) {
			return fmt.Errorf("optim: ema: %s %d: got %v vs %v", what, i, got, want)
		}
	}
	return nil
}

// Reset makes the averages copies of the network.
func (e *EMA) Reset() {
	torch.NoGrad(func() {
		copyAll(e.averages, e.params)
		copyAll(e.copies, e.buffers)
	})
}

// Update moves the averages: average += (1 - decay) * (param - average). A decay of 0 copies, 1 keeps the averages. It
// panics when decay is not from 0 to 1.
func (e *EMA) Update(decay float64) {
	if !(decay >= 0 && decay <= 1) {
		panic(&torch.Error{Op: "EMA.Update", Msg: fmt.Sprintf("got decay %v vs a number from 0 to 1", decay)})
	}
	if decay == 0 {
		e.Reset()
		return
	}
	torch.NoGrad(func() {
		lerpAll(e.averages, e.params, 1-decay)
		copyAll(e.copies, e.buffers)
	})
}

// Averages are the averages, in the order of the parameters, and Buffers the copied buffers.
func (e *EMA) Averages() []*torch.Tensor { return e.averages }

// Buffers are the copied buffers, in the order of the network's.
func (e *EMA) Buffers() []*torch.Tensor { return e.copies }

// ApplyTo copies the averages and buffers into a network of the same architecture, for example
//
//	err := e.ApplyTo(nn.ParamList(net), nn.BufferList(net))
func (e *EMA) ApplyTo(params, buffers []*torch.Tensor) error {
	if err := match("parameter", e.averages, params); err != nil {
		return err
	}
	if err := match("buffer", e.copies, buffers); err != nil {
		return err
	}
	return torch.Try(func() {
		torch.NoGrad(func() {
			copyAll(params, e.averages)
			copyAll(buffers, e.copies)
		})
	})
}

// State yields what a snapshot must hold: "3.average" belongs to the fourth parameter, "0.buffer" to the first buffer.
func (e *EMA) State() iter.Seq2[string, *torch.Tensor] {
	return func(yield func(string, *torch.Tensor) bool) {
		for _, l := range []struct {
			name string
			list list
		}{{"average", e.averages}, {"buffer", e.copies}} {
			for i, t := range l.list {
				if !yield(fmt.Sprintf("%d.%s", i, l.name), t) {
					return
				}
			}
		}
	}
}

// LoadState restores what State yielded. When the names or shapes do not fit it returns a *[StateError] and changes
// nothing.
func (e *EMA) LoadState(saved map[string]*torch.Tensor) error {
	return restore(e.State(), saved, func(string) bool { return false })
}
