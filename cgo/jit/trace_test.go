package jit_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// sameNumbers tells whether two tensors differ by rounding at most.
func sameNumbers(a, b *torch.Tensor) bool { return a.Sub(b).Abs().Max().Float64() < 1e-5 }

// linear is x W' + b, and a second method with two results.
func linear(s *torch.Scope, w, b *torch.Tensor) (*jit.Module, error) {
	return jit.Trace(s, []jit.Named{{Name: "a.0.weight", Tensor: w}, {Name: "a.0.bias", Tensor: b}}, []jit.Named{{Name: "a.b1.count", Tensor: s.Scalar(7)}},
		jit.Method{Name: "forward", Args: []jit.Named{{Name: "x", Tensor: s.Ones([]int64{2, 3})}}, Run: func(in []*torch.Tensor) []*torch.Tensor {
			return []*torch.Tensor{in[0].MatMul(in[0].Scope().Use(w).Transpose(0, 1)).Add(b)}
		}},
		jit.Method{Name: "both", Args: []jit.Named{{Name: "x", Tensor: s.Ones([]int64{1})}, {Name: "y", Tensor: s.Ones([]int64{1})}}, Run: func(in []*torch.Tensor) []*torch.Tensor {
			return []*torch.Tensor{in[0].Add(in[1]), in[0].Mul(in[1])}
		}})
}

// The module computes what the code does, of other values and another number of them, by the parameters that it shares; saved
// and loaded it is the same.
func TestTrace(t *testing.T) {
	s := scope(t)
	w, b := s.Randn(nil, []int64{4, 3}).RequiresGrad(true), s.Randn(nil, []int64{4})
	m, err := linear(s, w, b)
	check(t, err)
	archive, err := m.Bytes()
	check(t, err)
	loaded, err := jit.LoadBytes(s, archive, torch.CPU, "linear.pt")
	check(t, err)
	x := s.Randn(nil, []int64{5, 3})
	want := x.MatMul(w.Detach().Transpose(0, 1)).Add(b)
	for _, n := range []*jit.Module{m, loaded} {
		if got := n.ForwardTensor(x); !sameNumbers(got, want) {
			t.Errorf("got %v vs %v", got.Float32s(), want.Float32s())
		}
		params, err := n.Parameters(s)
		check(t, err)
		buffers, err := n.Buffers(s)
		check(t, err)
		var names []string
		for _, p := range append(params, buffers...) {
			names = append(names, p.Name)
		}
		if got := strings.Join(names, " "); got != "a.0.weight a.0.bias a.b1.count" {
			t.Errorf("got the tensors %s", got)
		}
		if !params[0].Tensor.IsLeaf() || !params[0].Tensor.IsGradRequired() {
			t.Error("a parameter lost its gradient")
		}
		out, err := n.Call("both", s.Scalar(2), s.Scalar(3))
		check(t, err)
		r := out.(jit.Tuple)
		if r[0].(*torch.Tensor).Float64() != 5 || r[1].(*torch.Tensor).Float64() != 6 {
			t.Errorf("got %v", out)
		}
		if training, err := n.IsTraining(); training || err != nil {
			t.Errorf("got training %v, %v", training, err)
		}
	}
	torch.NoGrad(func() { w.Zero_() })
	if got := m.ForwardTensor(x); !sameNumbers(got, s.Zeros([]int64{5, 4}).Add(b)) {
		t.Error("the traced module does not share its parameters")
	}
	// The gradient arrives at them.
	g := torch.Grad(m.ForwardTensor(x).Sum(), []*torch.Tensor{w}, torch.GradOptions{})[0]
	if !sameNumbers(g, x.SumDim([]int64{0}, true).Expand(4, 3)) {
		t.Errorf("got the gradient %v", g.Float32s())
	}
}

func TestTraceErrors(t *testing.T) {
	s := scope(t)
	before := torch.LiveTensors()
	one := []jit.Named{{Name: "x", Tensor: s.Ones([]int64{1})}}
	run := func(in []*torch.Tensor) []*torch.Tensor { return in }
	tensor := func(names ...string) (l []jit.Named) {
		for _, n := range names {
			l = append(l, jit.Named{Name: n, Tensor: one[0].Tensor})
		}
		return l
	}
	for _, c := range []struct {
		params []jit.Named
		method jit.Method
		want   string
	}{
		{tensor("a b"), jit.Method{Name: "forward", Args: one, Run: run}, `got the tensor "a b"`},
		{tensor("a..b"), jit.Method{Name: "forward", Args: one, Run: run}, `got the tensor "a..b"`},
		{tensor("a.class"), jit.Method{Name: "forward", Args: one, Run: run}, `got the tensor "a.class"`},
		{tensor("a", "a"), jit.Method{Name: "forward", Args: one, Run: run}, `the tensor "a" and something else`},
		{tensor("a", "a.w"), jit.Method{Name: "forward", Args: one, Run: run}, `got the tensor "a.w" in "a"`},
		{tensor("a.b.w", "a_b.w"), jit.Method{Name: "forward", Args: one, Run: run}, `got the modules "a.b" and "a_b"`},
		{tensor("forward"), jit.Method{Name: "forward", Args: one, Run: run}, `the tensor "forward" and something else`},
		{tensor("training"), jit.Method{Name: "forward", Args: one, Run: run}, `the tensor "training" and something else`},
		{nil, jit.Method{Name: "for ward", Args: one, Run: run}, `got the name "for ward"`},
		{nil, jit.Method{Name: "forward", Args: append(one, one...), Run: run}, `got the name "x"`},
		{nil, jit.Method{Name: "forward", Args: one, Run: func([]*torch.Tensor) []*torch.Tensor { return nil }}, "got no results"},
		{nil, jit.Method{Name: "forward", Args: one, Run: func(in []*torch.Tensor) []*torch.Tensor {
			return []*torch.Tensor{in[0].MatMul(in[0].Reshape(1, 1, 1).Expand(5, 7, 3))}
		}}, "jit: trace forward: torch: "},
	} {
		_, err := jit.Trace(s, c.params, nil, c.method)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	inside := func(in []*torch.Tensor) []*torch.Tensor {
		_, err := jit.Trace(s, nil, nil, jit.Method{Name: "forward", Args: one, Run: run}) // is none of the outer one's business
		check(t, err)
		return []*torch.Tensor{in[0].AddScalar(1)}
	}
	m, err := jit.Trace(s, nil, nil, jit.Method{Name: "forward", Args: one, Run: inside})
	check(t, err)
	if got := m.ForwardTensor(s.Scalar(1)).Float64(); got != 2 {
		t.Errorf("the outer trace: got %v", got)
	}
	func() {
		defer func() {
			if r := recover(); r != "a bug" {
				t.Errorf("got the panic %v", r)
			}
		}()
		_, _ = jit.Trace(s, nil, nil, jit.Method{Name: "forward", Args: one, Run: func([]*torch.Tensor) []*torch.Tensor { panic("a bug") }})
	}()
	left := make(chan bool)
	go func() {
		defer close(left)
		_, _ = jit.Trace(s, nil, nil, jit.Method{Name: "forward", Args: one, Run: func(in []*torch.Tensor) []*torch.Tensor {
			runtime.Goexit() // as FailNow does
			return in
		}})
		left <- true
	}()
	if <-left {
		t.Error("Goexit was lost")
	}
	// After an error nothing is traced on this thread any more, and nothing is left.
	_, err = linear(s.Child(), s.Ones([]int64{2, 3}), s.Ones([]int64{2}))
	check(t, err)
	var e *torch.Error
	_, err = jit.Trace(s, nil, nil, jit.Method{Name: "forward", Args: one, Run: func(in []*torch.Tensor) []*torch.Tensor {
		panic(&torch.Error{Op: "test", Kind: torch.ErrOutOfMemory, Msg: "planted"})
	}})
	if !errors.As(err, &e) || !errors.Is(err, torch.ErrOutOfMemory) {
		t.Errorf("got %v", err)
	}
	if torch.LiveTensors() < before {
		t.Error("too many tensors were freed")
	}
}

// Methods in source text stand beside traced ones: here they choose by the mode.
func TestAddToTrace(t *testing.T) {
	s := scope(t)
	x := []jit.Named{{Name: "x", Tensor: s.Scalar(0)}}
	plus := func(v float64) func([]*torch.Tensor) []*torch.Tensor {
		return func(in []*torch.Tensor) []*torch.Tensor { return []*torch.Tensor{in[0].AddScalar(v)} }
	}
	m, err := jit.Trace(s, nil, nil, jit.Method{Name: "train1", Args: x, Run: plus(1)}, jit.Method{Name: "eval1", Args: x, Run: plus(2)})
	check(t, err)
	check(t, m.Add("def forward(self, x: Tensor) -> Tensor:\n    if self.training:\n        return self.train1(x)\n    return self.eval1(x)\n"))
	for on, want := range map[bool]float64{false: 2, true: 1} {
		check(t, m.Train(on))
		if got := m.ForwardTensor(s.Scalar(0)).Float64(); got != want {
			t.Errorf("training %v: got %v vs %v", on, got, want)
		}
	}
	if err := m.Add("def broken(self, x: Tensor) -> Tensor:\n    return y\n"); err == nil || !strings.Contains(err.Error(), "undefined value y") {
		t.Errorf("got %v", err)
	}
}
