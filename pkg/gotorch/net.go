//go:build gotorch

package gotorch

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/wangkuiyi/gotorch"
	gnn "github.com/wangkuiyi/gotorch/nn"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// Module is a module of gotorch: a pointer to a struct that embeds nn.Module and was given to its Init.
type Module interface {
	gnn.IModule
	NamedParameters() map[string]gotorch.Tensor
	NamedBuffers() map[string]gotorch.Tensor
}

// Net is a module of gotorch as one of package nn: nn.Params, nn.StateDict, nn.Train and what builds on them, such as
// optimisers and snapshots, take it, and it is a generator or critic for what asks for those. The tensors are shared: an
// update in place is seen by gotorch.
type Net struct {
	m     Module
	parts []part
}

type part struct {
	name   string
	tensor *torch.Tensor
	buffer bool
}

// Wrap shares the parameters and buffers of m with s, which may be sealed. They keep gotorch's names, such as
// "SequentialModule.Modules[0].Weight", and come sorted, Modules[2] before Modules[10], parameters first. One that m holds
// twice is one tensor with two names.
//
// Call it after m's SetStateDict, which puts other tensors in the place of the module's, and after its To, which changes
// the tensors themselves, and so an optimiser's state would stay behind.
//
// It panics with *torch.Error if m was not initialised.
func Wrap(s *torch.Scope, m Module) *Net {
	n := &Net{m: m}
	caught("gotorch.Wrap", func() {
		n.add(s, m.NamedParameters(), false)
		n.add(s, m.NamedBuffers(), true)
	})
	return n
}

func (n *Net) add(s *torch.Scope, tensors map[string]gotorch.Tensor, buffer bool) {
	for _, name := range slices.SortedFunc(maps.Keys(tensors), natural) {
		t := From(s, tensors[name])
		if t == nil {
			continue
		}
		if i := slices.IndexFunc(n.parts, func(p part) bool { return torch.SameTensor(p.tensor, t) }); i >= 0 {
			t.Free()
			t = n.parts[i].tensor
		}
		n.parts = append(n.parts, part{name, t, buffer})
	}
}

// natural compares names with numbers as numbers.
func natural(a, b string) int {
	for {
		i := strings.IndexAny(a, "0123456789")
		j := strings.IndexAny(b, "0123456789")
		if i < 0 || j < 0 || a[:i] != b[:j] {
			return cmp.Compare(a, b)
		}
		na, nb := digits(a[i:]), digits(b[j:])
		if x, y := number(na), number(nb); x != y {
			return cmp.Compare(x, y)
		}
		a, b = a[i+len(na):], b[j+len(nb):]
	}
}

func digits(s string) string {
	return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
}

func number(s string) uint64 {
	n, _ := strconv.ParseUint(s, 10, 64)
	return n
}

// Children implements nn.Parent: parameters, then buffers, by name.
func (n *Net) Children() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, p := range n.parts {
			var part any = p.tensor
			if p.buffer {
				part = nn.Buffer{Tensor: p.tensor}
			}
			if !yield(p.name, part) {
				return
			}
		}
	}
}

// SetTraining implements nn.Trainable.
func (n *Net) SetTraining(on bool) { n.m.Train(on) }

// Forward calls the module's Forward, which takes and returns one tensor, or as nn.Sequential's does one interface{}. The
// result belongs to the scope of x; what is computed on the way is freed by the next [Step], which each call is by itself
// unless it is inside of one. Modes of package torch hold, e.g. torch.NoGrad.
//
// It panics with *torch.Error on an error of gotorch, and on a Forward of another form.
func (n *Net) Forward(x *torch.Tensor) *torch.Tensor {
	const op = "gotorch.Forward"
	out := torch.ScopeOf(op, x)
	var y *torch.Tensor
	Step(func() { caught(op, func() { y = From(out, n.forward(op, To(x))) }) })
	return y
}

func (n *Net) forward(op string, x gotorch.Tensor) gotorch.Tensor {
	switch m := n.m.(type) {
	case interface {
		Forward(gotorch.Tensor) gotorch.Tensor
	}:
		return m.Forward(x)
	case interface{ Forward(...any) any }:
		if y, ok := m.Forward(x).(gotorch.Tensor); ok {
			return y
		}
	}
	panic(&torch.Error{Op: op, Msg: fmt.Sprintf("got a %T vs a module whose Forward takes and returns one tensor", n.m)})
}
