package network

import (
	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Net is a network that can be trained: its module shares the tensors of Params and Buffers.
type Net struct {
	Arch    Arch
	Module  *jit.Module
	Params  []jit.Named // names as in PyTorch's state dict
	Buffers []jit.Named
}

// New builds a network in s with initial values drawn from g (nil: the default generator), in training mode.
func New(s *torch.Scope, g *torch.Generator, a Arch, d torch.Device) (*Net, error) {
	text, err := a.Write(Options{Training: true})
	if err != nil {
		return nil, err
	}
	n := &Net{Arch: a}
	o := torch.Options{Device: d}
	for _, sp := range text.Specs {
		t := s.Zeros(sp.Shape, o)
		switch sp.Init {
		case Ones:
			t.Fill_(1)
		case AboutThird:
			t.Normal_(1./3, 0.1, g)
		case Counter:
			t.Free()
			t = s.Zeros(sp.Shape, torch.Options{DType: torch.Int64, Device: d})
		case KaimingOut, Normal002:
			t.Normal_(0, sp.Std(), g)
		}
		if sp.Buffer {
			n.Buffers = append(n.Buffers, jit.Named{Name: sp.Name, Tensor: t})
		} else {
			n.Params = append(n.Params, jit.Named{Name: sp.Name, Tensor: t.RequiresGrad(true)})
		}
	}
	n.Module, err = Define(s, n.Params, n.Buffers, text)
	return n, err
}

// Export returns the network in s as it is to be used: in evaluation mode by its very text, nothing requiring gradients.
// It shares the tensors of n.
func (n *Net) Export(s *torch.Scope) (*jit.Module, error) {
	text, err := n.Arch.Write(Options{})
	if err != nil {
		return nil, err
	}
	var params []jit.Named
	for _, p := range n.Params {
		params = append(params, jit.Named{Name: p.Name, Tensor: s.Use(p.Tensor).Detach()})
	}
	m, err := Define(s, params, n.Buffers, text)
	if err != nil {
		return nil, err
	}
	return m, m.Train(false)
}

// Logit returns the values [N, 1] before the sigmoid for images [N, 3, H, W] in [0, 1]. It panics on other shapes.
func (n *Net) Logit(x *torch.Tensor) *torch.Tensor {
	out, err := n.Module.Call("logit", x)
	if err != nil {
		panic(&torch.Error{Op: "network.Logit", Msg: err.Error()})
	}
	return out.(*torch.Tensor)
}

// Heads returns both heads from one pass for images [N, 3, H, W] in [0, 1]: the values [N, 1] before the sigmoid of the score,
// and the logits [N, 2] of generated and real. It panics on other shapes.
func (n *Net) Heads(x *torch.Tensor) (logit, logits *torch.Tensor) {
	out, err := n.Module.Call("heads", x)
	if err != nil {
		panic(&torch.Error{Op: "network.Heads", Msg: err.Error()})
	}
	t := out.(jit.Tuple)
	return t[0].(*torch.Tensor), t[1].(*torch.Tensor)
}

// Define makes a module in s from a network's text and its tensors, which must have the names and shapes of the text's
// specs. The module shares them and is in training mode.
func Define(s *torch.Scope, params, buffers []jit.Named, text *Text) (*jit.Module, error) {
	flat := func(l []jit.Named) []jit.Named {
		out := make([]jit.Named, len(l))
		for i, p := range l {
			out[i] = jit.Named{Name: attr(p.Name), Tensor: p.Tensor}
		}
		return out
	}
	return jit.Define(s, flat(params), flat(buffers), text.Source)
}
