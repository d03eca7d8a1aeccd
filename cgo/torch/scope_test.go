package torch_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

func TestResultScope(t *testing.T) {
	outer := scope(t)
	inner := outer.Child()
	innermost := inner.Child()
	a, b, c := vec(outer, 1), vec(inner, 2), vec(innermost, 3)
	for _, test := range []struct {
		name string
		got  *torch.Tensor
		want *torch.Scope
	}{
		{"one operand", a.Neg(), outer},
		{"outer, inner", a.Add(b), inner},
		{"inner, outer", b.Add(a), inner},
		{"three", torch.Where(a.GtScalar(0), c, b), innermost},
		{"list", torch.Cat([]*torch.Tensor{a, c, b}, 0), innermost},
		{"grandparent", c.Mul(a), innermost},
		{"in place", a.Add_(c), outer},
		{"explicit", inner.Call("aten::add.Tensor", c, a), inner},
	} {
		if test.got.Scope() != test.want {
			t.Errorf("%s: got another scope", test.name)
		}
	}
	sibling := outer.Child()
	says(t, panics(t, func() { vec(sibling, 1).Add(b) }), "torch: add.Tensor: operands belong to unrelated scopes")
	// In place there is no result to place, so unrelated scopes do no harm.
	near(t, "in place across scopes", vals(b.Add_(vec(sibling, 1))), []float64{3}, 0)
}

func TestSealed(t *testing.T) {
	s := scope(t)
	model := torch.NewScope()
	defer model.Close()
	w := vec(model, 1, 2)
	model.Seal()

	e := panics(t, func() { w.Mul(w) })
	says(t, e, "w := s.Use(layer.Weight)")
	if !errors.Is(e, torch.ErrSealed) {
		t.Errorf("got kind %v vs ErrSealed", e.Kind)
	}
	if got := w.Mul(vec(s, 2)); got.Scope() != s {
		t.Error("a sealed operand changed the scope of the result")
	}
	near(t, "in place, both sealed", vals(w.Mul_(w)), []float64{1, 4}, 0)
	near(t, "in place, scalar", vals(w.AddScalar_(1)), []float64{2, 5}, 0)
	in := s.Child()
	if got := in.Use(w).Mul(w); got.Scope() != in {
		t.Error("Use: the result is in another scope")
	}
	if x := vec(s, 3).MoveTo(model); x.Scope() != model {
		t.Error("MoveTo: a sealed scope did not take the tensor")
	}
	if model.Len() != 2 {
		t.Errorf("got %d tensors vs 2", model.Len())
	}
	model.Unseal()
	if got := w.Mul(w); got.Scope() != model {
		t.Error("Unseal: the result is in another scope")
	}
	// A child of a sealed scope is an ordinary one.
	model.Seal()
	if in := model.Child(); in.Use(w).Neg().Scope() != in {
		t.Error("a child of a sealed scope refused a result")
	}
}

func TestUseAdoptFree(t *testing.T) {
	s := scope(t)
	in := s.Child()
	x := vec(s, 1, 2)
	y := in.Use(x)
	if !torch.SameTensor(x, y) || torch.SameTensor(x, x.Clone()) || torch.SameTensor(x, x.Detach()) {
		t.Error("SameTensor: got a wrong answer")
	}
	y.AddScalar_(1)
	near(t, "shared elements", vals(x), []float64{2, 3}, 0)

	x.Free()
	x.Free()
	says(t, panics(t, func() { x.Neg() }), "torch: neg: tensor used after Free")
	if x.String() != "freed tensor" {
		t.Errorf("string: got %q", x)
	}
	near(t, "the alias lives on", vals(y), []float64{2, 3}, 0)

	z := s.Adopt(y.MulScalar(2))
	w := y.MulScalar(3).MoveTo(s)
	if s.Adopt(z) != z || z.Scope() != s {
		t.Error("Adopt: within the same scope it is the tensor itself")
	}
	n := s.Len()
	in.Close()
	near(t, "adopted", vals(z), []float64{4, 6}, 0)
	near(t, "moved", vals(w), []float64{6, 9}, 0)
	says(t, panics(t, func() { y.Neg() }), "tensor used after its scope", "was closed: move it out with Adopt, or read it before")
	says(t, panics(t, func() { s.Adopt(y) }), "torch: Adopt: tensor used after its scope")
	says(t, panics(t, func() { in.Adopt(z) }), "torch: Adopt: the scope is closed")
	says(t, panics(t, func() { in.Use(z) }), "torch: Use: the scope is closed")
	y.Free() // harmless
	if s.Len() != n {
		t.Errorf("got %d tensors vs %d", s.Len(), n)
	}

	// A loop that frees early does not grow its scope.
	before := torch.LiveBytes()
	for range 100 {
		z.Neg().Free()
	}
	if s.Len() != n || torch.LiveBytes() != before {
		t.Errorf("got %d tensors vs %d, %d bytes vs %d", s.Len(), n, torch.LiveBytes(), before)
	}
}

func TestClose(t *testing.T) {
	before, bytes := torch.LiveTensors(), torch.LiveBytes()
	s := torch.NewScope()
	in := s.Child()
	x, y := s.Ones([]int64{1000}), in.Ones([]int64{1000})
	order := ""
	s.OnClose(func() { order += "a" })
	s.OnClose(func() { order += "b" })
	in.OnClose(func() { order += "c" })
	if got := torch.LiveBytes() - bytes; got != 8000 {
		t.Errorf("got %d bytes vs 8000", got)
	}
	s.Close()
	s.Close()
	in.Close()
	if torch.LiveTensors() != before || torch.LiveBytes() != bytes {
		t.Errorf("got %d tensors, %d bytes vs %d, %d", torch.LiveTensors(), torch.LiveBytes(), before, bytes)
	}
	if order != "cba" {
		t.Errorf("closers: got the order %q vs cba", order)
	}
	for _, x := range []*torch.Tensor{x, y} {
		e := panics(t, func() { x.Add(x) })
		says(t, e, "torch: add.Tensor: tensor used after its scope")
		if !errors.Is(e, torch.ErrClosed) {
			t.Errorf("got kind %v vs ErrClosed", e.Kind)
		}
		if invariants && !strings.Contains(e.Error(), "scope_test.go:") {
			t.Errorf("got %q without the place where the scope was made", e)
		}
	}
	for name, f := range map[string]func(){
		"Child":       func() { s.Child() },
		"Call":        func() { s.Zeros([]int64{1}) },
		"FromSlice":   func() { s.FromFloat32s(nil) },
		"OnClose":     func() { s.OnClose(nil) },
		"GradOf":      func() { s.GradOf(x) },
		"RNGState":    func() { _, _ = s.RNGState(torch.CPU) },
		"FromBytes":   func() { _, _ = s.FromBytes(nil, torch.Uint8, torch.CPU, 0) },
		"NewGenerato": func() { _, _ = s.NewGenerator(torch.CPU, 0) },
	} {
		says(t, panics(t, f), "torch: "+name, "the scope is closed")
	}
}

// Children that are closed are forgotten by their parent.
func TestManyChildren(t *testing.T) {
	s := scope(t)
	x := vec(s, 1)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				in := s.Child()
				in.Use(x).Neg()
				in.Close()
			}
		})
	}
	wg.Wait()
	open := []*torch.Scope{s.Child(), s.Child().Child()}
	for _, c := range open {
		c.Use(x)
	}
}

func TestScoped(t *testing.T) {
	s := scope(t)
	x := vec(s, 1, 2)
	before := torch.LiveTensors()
	check := func(what string) {
		t.Helper()
		if n := torch.LiveTensors(); n != before {
			t.Errorf("%s: got %d live tensors vs %d", what, n, before)
		}
	}
	err := s.Scoped(func(in *torch.Scope) error {
		in.Use(x).Neg()
		return errors.New("mine")
	})
	if err == nil || err.Error() != "mine" {
		t.Errorf("got %v", err)
	}
	check("error")
	err = s.Scoped(func(in *torch.Scope) error {
		in.Use(x).MatMul(in.Ones([]int64{3}))
		return nil
	})
	says(t, err, "torch: matmul: ", "float64[2] cpu, float32[3] cpu")
	if _, ok := errors.AsType[*torch.Error](err); !ok {
		t.Errorf("got %T vs *torch.Error", err)
	}
	check("torch panic")
	func() {
		defer func() {
			if r := recover(); r != "other" {
				t.Errorf("got panic %v vs other", r)
			}
		}()
		_ = s.Scoped(func(in *torch.Scope) error {
			in.Use(x).Neg()
			panic("other")
		})
	}()
	check("other panic")
	done := make(chan bool)
	go func() {
		defer close(done)
		_ = torch.Scoped(func(in *torch.Scope) error {
			in.Use(x).Neg()
			runtime.Goexit()
			return nil
		})
	}()
	<-done
	check("Goexit")
	func() {
		defer func() { _ = recover() }()
		_ = torch.Scoped(func(in *torch.Scope) error {
			in.Ones([]int64{1})
			var none []int
			_ = none[3]
			return nil
		})
		t.Error("a run-time error was swallowed")
	}()
	check("run-time error")
}

func TestTry(t *testing.T) {
	if err := torch.Try(func() {}); err != nil {
		t.Errorf("got %v", err)
	}
	s := scope(t)
	v, err := torch.Try1(func() int64 { return vec(s, 1, 2).Numel() })
	if v != 2 || err != nil {
		t.Errorf("got %v, %v", v, err)
	}
	v, err = torch.Try1(func() int64 { return vec(s, 1, 2).Int64() })
	if v != 0 || err == nil || err.Error() != "torch: Int64: got 2 elements vs 1" {
		t.Errorf("got %v, %v", v, err)
	}
	defer func() {
		if r := recover(); r != "other" {
			t.Errorf("got panic %v vs other", r)
		}
	}()
	_ = torch.Try(func() { panic("other") })
}

// collect runs the garbage collector until done, as cleanups run some time after it.
func collect(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the garbage collector did not find the lost scopes")
		}
		runtime.GC()
		torch.NewScope().Close() // frees what was found
	}
}

//go:noinline
func lose() {
	s := torch.NewScope()
	s.Ones([]int64{1000}).Neg()
	if _, err := s.NewGenerator(torch.CPU, 1); err != nil {
		panic(err)
	}
	c := s.Child()
	c.Use(c.Ones([]int64{10})).Neg()
	c.Child().Ones([]int64{3})
	torch.NewScope() // empty: not counted
}

// Lost scopes are freed, with the scopes inside them, and counted.
func TestLostScopes(t *testing.T) {
	tensors, bytes, leaked := torch.LiveTensors(), torch.LiveBytes(), torch.LeakedScopes()
	for range 5 {
		lose()
	}
	if torch.LiveTensors() == tensors {
		t.Fatal("nothing was lost")
	}
	collect(t, func() bool { return torch.LiveTensors() == tensors })
	// Five, and up to two inside each that the garbage collector may have found first.
	if got := torch.LeakedScopes() - leaked; got < 5 || got > 15 {
		t.Errorf("got %d leaked scopes vs 5 to 15", got)
	}
	if torch.LiveBytes() != bytes {
		t.Errorf("got %d bytes vs %d", torch.LiveBytes(), bytes)
	}
	// A scope that is closed is no leak.
	leaked = torch.LeakedScopes()
	for range 100 {
		s := torch.NewScope()
		s.Ones([]int64{1})
		s.Close()
	}
	for range 3 {
		runtime.GC()
	}
	if got := torch.LeakedScopes() - leaked; got != 0 {
		t.Errorf("got %d leaked scopes vs 0", got)
	}
}

//go:noinline
func loseChildren(s *torch.Scope, n int) {
	for range n {
		s.Child().Ones([]int64{1000})
	}
}

// A child that is lost is freed while its parent lives, and the parent's own tensors are not.
func TestLostChildren(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	x := vec(s, 1, 2)
	tensors, leaked := torch.LiveTensors(), torch.LeakedScopes()
	loseChildren(s, 20)
	collect(t, func() bool { return torch.LiveTensors() == tensors })
	if got := torch.LeakedScopes() - leaked; got != 20 {
		t.Errorf("got %d leaked scopes vs 20", got)
	}
	if got := x.Sum().Float64(); got != 3 {
		t.Errorf("got %v vs 3", got)
	}
}

// A parent may be closed while its lost children are being freed on another goroutine: each is freed once.
func TestLostChildrenOfClosedParents(t *testing.T) {
	tensors := torch.LiveTensors()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				s := torch.NewScope()
				loseChildren(s, 4)
				runtime.GC()
				s.Close()
			}
		})
	}
	wg.Wait()
	collect(t, func() bool { return torch.LiveTensors() == tensors })
}

// A tensor that is in use keeps its scope.
func TestTensorKeepsScope(t *testing.T) {
	before := torch.LiveTensors()
	x := func() *torch.Tensor { return torch.NewScope().Child().Ones([]int64{4}) }()
	for range 3 {
		runtime.GC()
		time.Sleep(time.Millisecond)
		torch.NewScope().Close()
	}
	if got := x.Sum().Float64(); got != 4 {
		t.Errorf("got %v vs 4", got)
	}
	x.Scope().Close()
	collect(t, func() bool { return torch.LiveTensors() == before })
}

func rss(t *testing.T) int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc")
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// The loop that takes gigabytes where tensors wait for the garbage collector: 4 MiB live at a time.
func TestLoopMemory(t *testing.T) {
	step := func(s *torch.Scope) error {
		if x := s.Ones([]int64{1024, 1024}); x.Bytes() != 4<<20 {
			t.Errorf("got %d bytes", x.Bytes())
		}
		return nil
	}
	if err := torch.Scoped(step); err != nil {
		t.Fatal(err)
	}
	before := rss(t)
	for range 1000 {
		if err := torch.Scoped(step); err != nil {
			t.Fatal(err)
		}
	}
	if grown := rss(t) - before; grown > 64<<20 {
		t.Errorf("got %d MiB more after 1000 steps vs at most 64", grown>>20)
	}
}

// An accumulator in a long-lived scope: Go memory stays flat too.
func TestLongScope(t *testing.T) {
	s := scope(t)
	other := s.Child()
	x := vec(s, 1)
	step := func() {
		y := x.AddScalar(1)
		x.Free()
		x = other.Adopt(y).MoveTo(s)
	}
	for range 100 {
		step()
	}
	if x.Float64() != 101 || s.Len() != 1 || other.Len() != 0 {
		t.Errorf("got %v, %d and %d tensors", x.Float64(), s.Len(), other.Len())
	}
	// 24 bytes for a Tensor, and no slot.
	const n = 10000
	var a, b runtime.MemStats
	runtime.ReadMemStats(&a)
	for range n {
		step()
	}
	runtime.ReadMemStats(&b)
	if got := (b.TotalAlloc - a.TotalAlloc) / n; got > 30 {
		t.Errorf("got %d bytes of Go memory for each step vs at most 30", got)
	}
}

// Tensors come and go in any order; every handle is freed once.
func TestFreeOrder(t *testing.T) {
	s := scope(t)
	before := torch.LiveTensors()
	rng := rand.New(rand.NewPCG(1, 2))
	var open []*torch.Tensor
	for range 3000 {
		if k := len(open); k > 0 && rng.IntN(2) == 0 {
			i := rng.IntN(k)
			open[i].Free()
			open[i] = open[k-1]
			open = open[:k-1]
		} else {
			open = append(open, s.Scalar(float64(k)))
		}
		if s.Len() != len(open) || torch.LiveTensors()-before != int64(len(open)) {
			t.Fatalf("got %d in the scope, %d live vs %d", s.Len(), torch.LiveTensors()-before, len(open))
		}
	}
}
