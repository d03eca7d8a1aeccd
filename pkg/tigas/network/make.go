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

// New builds a fast-mode network in s with initial values drawn from g (nil: the default generator), in training mode.
func New(s *torch.Scope, g *torch.Generator, a Arch, d torch.Device) (*Net, error) {
	specs, source, err := a.Fast(true)
	if err != nil {
		return nil, err
	}
	n := &Net{Arch: a}
	o := torch.Options{Device: d}
	for _, sp := range specs {
		t := s.Zeros(sp.Shape, o)
		switch sp.Init {
		case Ones:
			t.Fill_(1)
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
	n.Module, err = define(s, n.Params, n.Buffers, source)
	return n, err
}

// Export returns the network in s as it is to be used: in evaluation mode by its very text, nothing requiring gradients.
// It shares the tensors of n.
func (n *Net) Export(s *torch.Scope) (*jit.Module, error) {
	_, source, err := n.Arch.Fast(false)
	if err != nil {
		return nil, err
	}
	var params []jit.Named
	for _, p := range n.Params {
		params = append(params, jit.Named{Name: p.Name, Tensor: s.Use(p.Tensor).Detach()})
	}
	m, err := define(s, params, n.Buffers, source)
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

func define(s *torch.Scope, params, buffers []jit.Named, source string) (*jit.Module, error) {
	flat := func(l []jit.Named) []jit.Named {
		out := make([]jit.Named, len(l))
		for i, p := range l {
			out[i] = jit.Named{Name: attr(p.Name), Tensor: p.Tensor}
		}
		return out
	}
	return jit.Define(s, flat(params), flat(buffers), source)
}
