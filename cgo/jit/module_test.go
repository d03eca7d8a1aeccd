package jit_test

import (
	"strings"
	"testing"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// A copy is trained by itself: its gradients are its own, and the original gets none.
func TestCloneTrains(t *testing.T) {
	s := scope(t)
	m, err := jit.Define(s, []jit.Named{{Name: "w", Tensor: torch.FromSlice(s, []float64{3}).RequiresGrad(true)}},
		[]jit.Named{{Name: "b", Tensor: torch.FromSlice(s, []float64{1})}}, "def forward(self, x: Tensor) -> Tensor:\n    return (x * self.w + self.b).sum()\n")
	check(t, err)
	for name, in := range map[string]func(func()){"recorded": func(f func()) { f() }, "not recorded": torch.NoGrad} {
		var c *jit.Module
		in(func() {
			c, err = m.Clone(s)
			check(t, err)
		})
		out, err := c.Forward(torch.FromSlice(s, []float64{5}))
		check(t, err)
		torch.Backward(out.(*torch.Tensor), torch.GradOptions{})
		p, err := c.Parameters(s)
		check(t, err)
		b, err := c.Buffers(s)
		check(t, err)
		if !p[0].Tensor.IsGradRequired() || b[0].Tensor.IsGradRequired() {
			t.Errorf("%s: requires_grad got lost", name)
		}
		if g := s.GradOf(p[0].Tensor); g == nil || g.Float64() != 5 {
			t.Errorf("%s: the copy's gradient is %v vs 5", name, g)
		}
		original, err := m.Parameters(s)
		check(t, err)
		if g := s.GradOf(original[0].Tensor); g != nil {
			t.Errorf("%s: the original has the gradient %v", name, g.Float64())
		}
		p[0].Tensor.RequiresGrad(false) // possible for leaves only
	}
}

// Parameters that are one memory are that after a conversion too.
func TestToKeepsTies(t *testing.T) {
	s := scope(t)
	w := torch.FromSlice(s, []float32{1})
	m, err := jit.Define(s, []jit.Named{{Name: "a", Tensor: w}, {Name: "b", Tensor: w.Reshape(1)}, {Name: "c", Tensor: w.Clone()}}, nil,
		"def forward(self, x: Tensor) -> Tensor:\n    self.a.add_(1.)\n    return self.b + 10. * self.c + x\n")
	check(t, err)
	check(t, m.To(torch.CPU, torch.Float64))
	torch.NoGrad(func() {
		out, err := m.Forward(torch.FromSlice(s, []float64{0}))
		check(t, err)
		if y := out.(*torch.Tensor); y.Float64() != 12 || y.DType() != torch.Float64 {
			t.Errorf("got %v vs 2 + 10", y)
		}
	})
}

func TestOps(t *testing.T) {
	s := scope(t)
	inner, err := jit.Define(s, nil, nil, "def forward(self, x: Tensor) -> Tensor:\n    if bool(x.sum() > 0):\n        x = x.detach()\n    return x\n")
	check(t, err)
	m, err := inner.Wrap(s, "def forward(self, x: Tensor) -> Tensor:\n    return self.net.forward(x).neg()\n")
	check(t, err)
	ops, err := m.Ops("forward")
	check(t, err)
	for _, want := range []string{"aten::detach", "aten::neg", "prim::If"} {
		if !strings.Contains(strings.Join(ops, " "), want) {
			t.Errorf("got %v without %s", ops, want)
		}
	}
	if _, err = m.Ops("backward"); err == nil {
		t.Error("a method that is not there has operators")
	}
}
