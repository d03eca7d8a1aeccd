package torch_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

func draw(s *torch.Scope, g *torch.Generator) []float64 { return vals(s.Randn(g, []int64{5})) }

func TestSeed(t *testing.T) {
	s := scope(t)
	seed := func(n int64) {
		if err := torch.Seed(n); err != nil {
			t.Fatal(err)
		}
	}
	seed(7)
	a, b := draw(s, nil), vals(s.Zeros([]int64{3}).Uniform_(0, 1, nil))
	seed(7)
	if !slices.Equal(a, draw(s, nil)) || !slices.Equal(b, vals(s.Zeros([]int64{3}).Uniform_(0, 1, nil))) {
		t.Error("one seed gave different numbers")
	}
	seed(8)
	if slices.Equal(a, draw(s, nil)) {
		t.Error("two seeds gave one sequence")
	}
	// As Python: torch.manual_seed(7); torch.randn(5)
	seed(7)
	near(t, "PyTorch's numbers", draw(s, nil), []float64{-0.146795, 0.786141, 0.946822, -1.114344, 1.690790}, 1e-5)
}

func TestRNGState(t *testing.T) {
	s := scope(t)
	draw(s, nil) // in the middle of a pair of normal numbers
	state, err := s.RNGState(torch.CPU)
	if err != nil {
		t.Fatal(err)
	}
	a := append(draw(s, nil), draw(s, nil)...)
	if err := torch.SetRNGState(torch.CPU, state); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a, append(draw(s, nil), draw(s, nil)...)) {
		t.Error("a restored state gave other numbers")
	}
	says(t, torch.SetRNGState(torch.CPU, s.Zeros([]int64{3}, torch.Options{DType: torch.Uint8})), "torch: SetRNGState: ")
	says(t, torch.SetRNGState(torch.CPU, s.Zeros([]int64{3})), "torch: SetRNGState: ")
}

func TestGenerators(t *testing.T) {
	s := scope(t)
	in := s.Child()
	gen := func(seed int64) *torch.Generator {
		g, err := in.NewGenerator(torch.CPU, seed)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	a, b, c := gen(1), gen(1), gen(2)
	def := func() []float64 {
		if err := torch.Seed(3); err != nil {
			t.Fatal(err)
		}
		return draw(s, nil)
	}
	want := def()
	first := draw(s, a)
	if !slices.Equal(first, draw(s, b)) || slices.Equal(first, draw(s, c)) {
		t.Error("generators with one seed differ, or with two do not")
	}
	state, err := a.State(s)
	if err != nil {
		t.Fatal(err)
	}
	second := draw(s, a)
	if slices.Equal(first, second) {
		t.Error("the generator repeats itself")
	}
	if err := c.SetState(state); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(second, draw(s, c)) {
		t.Error("a restored state gave other numbers")
	}
	if !slices.Equal(want, def()) {
		t.Error("a generator moved the default one")
	}
	says(t, c.SetState(s.Zeros([]int64{3})), "torch: Generator.SetState: ")

	// Many goroutines may draw from the default generator at once.
	var wg sync.WaitGroup
	for range 8 {
		own := s.Child()
		wg.Go(func() {
			for range 50 {
				own.Randn(nil, []int64{10}).Free()
			}
		})
	}
	wg.Wait()

	in.Close()
	e := panics(t, func() { draw(s, a) })
	says(t, e, "generator used after its scope", "was closed")
	says(t, torch.Try(func() { _, _ = a.State(s) }), "torch: Generator.State: generator used after its scope")
}

func TestRuntime(t *testing.T) {
	if err := torch.CheckVersion(); err != nil {
		t.Error(err)
	}
	if v := torch.Version(); strings.Count(v, ".") < 2 {
		t.Errorf("version: got %q", v)
	}
	config, err := torch.Config()
	if err != nil || !strings.Contains(config, "PyTorch built with") {
		t.Errorf("config: got %q, %v", config, err)
	}
	if got := torch.CPUCapability(); got == "" || strings.Contains(got, "\n") {
		t.Errorf("CPU capability: got %q", got)
	}
	if got := torch.LoadTrace(); !strings.Contains(got, "libtorch_cpu") {
		t.Errorf("load trace: got %q", got)
	}
	n := torch.NumThreads()
	if err := torch.SetNumThreads(n); err != nil || torch.NumThreads() != n {
		t.Errorf("threads: got %d, %v", torch.NumThreads(), err)
	}
	says(t, torch.SetNumThreads(0), "torch: SetNumThreads: ")

	s := scope(t)
	if err := torch.SetDeterministic(true); err != nil {
		t.Fatal(err)
	}
	x := s.Ones([]int64{1, 1, 4, 4}).RequiresGrad(true)
	err = torch.Try(func() {
		torch.Grad(x.ReflectionPad2d([]int64{1, 1, 1, 1}).Sum(), []*torch.Tensor{x}, torch.GradOptions{})
	})
	if err != nil { // deterministic on the CPU
		t.Error(err)
	}
	index := torch.FromSlice(s, []int64{1, 1})
	put := func() { torch.Call("aten::put_", s.Zeros([]int64{3}), index, s.Ones([]int64{2}), false) }
	e := panics(t, put)
	if !errors.Is(e, torch.ErrNondeterministic) {
		t.Errorf("got kind %v vs %v", e.Kind, torch.ErrNondeterministic)
	}
	says(t, e, "torch: put_: the operator put_ has no deterministic form (operands: float32[3] cpu, ")
	if err := torch.SetDeterministic(false); err != nil {
		t.Fatal(err)
	}
	put()
}
