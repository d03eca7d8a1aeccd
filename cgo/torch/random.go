package torch

import (
	"runtime"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
)

// Seed seeds the default generator of every device, which all random operations use that are not given their own.
func Seed(seed int64) error { return wrapError("Seed", ctorch.Seed(seed)) }

// RNGState returns the state of the default generator of a device, a tensor of bytes in s.
func (s *Scope) RNGState(d Device) (*Tensor, error) {
	s.check("RNGState")
	h, err := ctorch.RNGState(d.code())
	if err != nil {
		return nil, wrapError("RNGState", err)
	}
	return s.adopt(h), nil
}

// SetRNGState restores what [Scope.RNGState] returned.
func SetRNGState(d Device, state *Tensor) error {
	defer runtime.KeepAlive(state)
	return wrapError("SetRNGState", ctorch.SetRNGState(d.code(), state.handle("SetRNGState")))
}

// Generator is a source of random numbers of its own, which nothing else advances. It belongs to a scope.
type Generator struct {
	h     ctorch.Handle
	scope *Scope
}

// NewGenerator returns a generator for tensors on d, seeded.
func (s *Scope) NewGenerator(d Device, seed int64) (*Generator, error) {
	s.check("NewGenerator")
	h, err := ctorch.NewGenerator(d.code(), seed)
	if err != nil {
		return nil, wrapError("NewGenerator", err)
	}
	s.own.generators = append(s.own.generators, h)
	return &Generator{h: h, scope: s}, nil
}

func (g *Generator) handle(op string) ctorch.Handle {
	if g.scope.own.closed {
		panicf(op, ErrClosed, "generator used after its scope%s was closed", g.scope.origin())
	}
	return g.h
}

// State returns the generator's state, a tensor of bytes in s.
func (g *Generator) State(s *Scope) (*Tensor, error) {
	s.check("Generator.State")
	h, err := ctorch.GeneratorState(g.handle("Generator.State"))
	runtime.KeepAlive(g)
	if err != nil {
		return nil, wrapError("Generator.State", err)
	}
	return s.adopt(h), nil
}

// SetState restores what [Generator.State] returned.
func (g *Generator) SetState(state *Tensor) error {
	const op = "Generator.SetState"
	defer runtime.KeepAlive(g)
	defer runtime.KeepAlive(state)
	return wrapError(op, ctorch.SetGeneratorState(g.handle(op), state.handle(op)))
}
