package torch

import (
	"runtime"
	"slices"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
)

// RequiresGrad marks a leaf tensor as one that gradients are wanted for, or not, and returns t.
// It panics if t has no floating-point elements, and when recording is to be switched off for a t that is not a leaf:
// that is what [Tensor.Detach] is for.
func (t *Tensor) RequiresGrad(on bool) *Tensor {
	err := ctorch.SetRequiresGrad(t.handle("RequiresGrad"), on)
	runtime.KeepAlive(t)
	must("RequiresGrad", err)
	return t
}

// IsGradRequired tells whether gradients flow to or through t.
func (t *Tensor) IsGradRequired() bool { return t.info("IsGradRequired").RequiresGrad != 0 }

// GradOptions are the switches of [Grad] and [Backward]. The zero value is PyTorch's default.
type GradOptions struct {
	CreateGraph bool    // the gradients can be differentiated again: gradient penalties need it
	RetainGraph bool    // keep the graph for another call; implied by CreateGraph
	AllowUnused bool    // Grad only: an input that the output does not depend on gets nil instead of a panic
	Output      *Tensor // gradient with respect to the output, of its shape; nil means 1, for a scalar output
}

// Grad returns the gradients of output (a scalar, unless options.Output is given) with respect to each input. Nothing is
// accumulated anywhere, and only the parts of the graph that lead to the inputs are computed: the gradient for a
// generator's parameters does not pay for those of the critic it went through. The results join output's scope.
//
// It panics if output does not require grad, if an input is unused and AllowUnused is not set, or if the graph was
// freed by an earlier call.
func Grad(output *Tensor, inputs []*Tensor, o GradOptions) []*Tensor {
	const op = "Grad"
	out := []ctorch.Handle{output.handle(op)}
	in := join(nil, output.scope)
	if in == nil {
		panicf(op, ErrSealed, "output belongs to a sealed scope: bring it into a working scope with Use")
	}
	if len(inputs) == 0 {
		return nil // libtorch would take no inputs for all leaves, and accumulate
	}
	hs, err := ctorch.Grad(out, o.seeds(op, output), handlesOf(op, inputs), o.RetainGraph || o.CreateGraph,
		o.CreateGraph, o.AllowUnused)
	runtime.KeepAlive(inputs)
	runtime.KeepAlive(output)
	runtime.KeepAlive(o)
	must(op, err)
	grads := make([]*Tensor, len(hs))
	seen := make(map[ctorch.Handle]bool, len(hs))
	for i, h := range hs {
		if h == 0 {
			continue
		}
		if grads[i] = in.adopt(h); seen[h] { // of both operands of a sum: what scales one in place must not scale the other
			grads[i] = in.Call("aten::clone", grads[i])
		}
		seen[h] = true
	}
	return grads
}

// Backward adds the gradients of output to the Grad of every leaf that requires one, as PyTorch's backward does.
// Custom loops may prefer [Grad], which computes only what is asked for and leaves nothing behind: with CreateGraph each
// leaf's gradient holds the graph and the graph the leaf, until [ZeroGrad], and no scope can free them.
func Backward(output *Tensor, o GradOptions) {
	const op = "Backward"
	out := []ctorch.Handle{output.handle(op)}
	err := ctorch.Backward(out, o.seeds(op, output), nil, o.RetainGraph || o.CreateGraph, o.CreateGraph)
	runtime.KeepAlive(output)
	runtime.KeepAlive(o)
	must(op, err)
}

// seeds are the gradients to begin with. libtorch sums one of another shape down to the output's and so multiplies it.
func (o GradOptions) seeds(op string, output *Tensor) []ctorch.Handle {
	if o.Output == nil {
		return nil
	}
	if got, want := o.Output.Shape(), output.Shape(); !slices.Equal(got, want) {
		panicf(op, nil, "got a gradient %v for the output %v", got, want)
	}
	return []ctorch.Handle{o.Output.handle(op)}
}

// GradOf returns the gradient that [Backward] accumulated in t, as a tensor of s; nil if there is none.
func (s *Scope) GradOf(t *Tensor) *Tensor {
	s.check("GradOf")
	h, err := ctorch.GradOf(t.handle("GradOf"))
	runtime.KeepAlive(t)
	must("GradOf", err)
	if h == 0 {
		return nil
	}
	return s.adopt(h)
}

// ZeroGrad drops the accumulated gradients, as PyTorch's zero_grad(set_to_none=True).
func ZeroGrad(ts ...*Tensor) {
	must("ZeroGrad", ctorch.SetGrad(handlesOf("ZeroGrad", ts), nil))
	runtime.KeepAlive(ts)
}

func handlesOf(op string, ts []*Tensor) []ctorch.Handle {
	if ts == nil {
		return nil
	}
	hs := make([]ctorch.Handle, len(ts))
	for i, t := range ts {
		hs[i] = t.handle(op)
	}
	return hs
}
