package jit_test

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

func TestClosed(t *testing.T) {
	s := scope(t)
	in := s.Child()
	m := net(t, in)
	outer, err := m.Wrap(s, "def forward(self, x: Tensor) -> Tensor:\n    return self.net.forward(x)\n")
	check(t, err)
	data, err := m.Bytes()
	check(t, err)
	in.Close()
	x := s.Randn(nil, []int64{1, 3, 8, 8})
	outer.ForwardTensor(x) // has its own hold on the tensors
	for name, f := range map[string]func(){
		"forward":    func() { _, _ = m.Forward(x) },
		"freeze":     func() { _, _ = m.Freeze(s) },
		"parameters": func() { _, _ = m.Parameters(s) },
		"train":      func() { _ = m.Train(true) },
		"bytes":      func() { _, _ = m.Bytes() },
	} {
		err := torch.Try(f)
		says(t, err, "torch: jit: defined module: module used after its scope was closed")
		if !errors.Is(err, torch.ErrClosed) {
			t.Errorf("%s: got %v vs ErrClosed", name, err)
		}
	}
	for name, f := range map[string]func(){
		"load":       func() { _, _ = jit.LoadBytes(in, data, torch.CPU, "") },
		"define":     func() { _, _ = jit.Define(in, nil, nil, "") },
		"wrap":       func() { _, _ = outer.Wrap(in, "") },
		"freeze":     func() { _, _ = outer.Freeze(in) },
		"clone":      func() { _, _ = outer.Clone(in) },
		"parameters": func() { _, _ = outer.Parameters(in) },
	} {
		err := torch.Try(f)
		if says(t, err, "torch: jit: the scope is closed"); !errors.Is(err, torch.ErrClosed) {
			t.Errorf("%s: got %v vs ErrClosed", name, err)
		}
	}
}

func TestConcurrentForward(t *testing.T) {
	s := scope(t)
	m := net(t, s)
	check(t, m.Train(false))
	f, err := m.Freeze(s)
	check(t, err)
	x := s.Randn(nil, []int64{2, 3, 8, 8})
	want := m.ForwardTensor(x).Float32s()
	gx := s.Use(x).Clone().RequiresGrad(true)
	g := torch.Grad(m.ForwardTensor(gx).Sum(), []*torch.Tensor{gx}, torch.GradOptions{})[0].Float32s()
	// The frozen module was never called: the first calls come together.
	var wg sync.WaitGroup
	for i := range 8 {
		in := s.Child()
		wg.Go(func() {
			for range 40 {
				err := in.Scoped(func(c *torch.Scope) error {
					if i%2 == 0 {
						torch.NoGrad(func() { near(t, "value", f.ForwardTensor(c.Use(x)), want) })
						return nil
					}
					x := c.Use(x).Clone().RequiresGrad(true)
					near(t, "gradient", torch.Grad(f.ForwardTensor(x).Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0], g)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func rss(t *testing.T) int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc")
	}
	n := int64(0)
	for _, c := range strings.Fields(string(text))[1] {
		n = 10*n + int64(c-'0')
	}
	return n * int64(os.Getpagesize())
}

// Two thousand scores with their gradients: the memory of the process stays flat.
func TestLoopMemory(t *testing.T) {
	s := scope(t)
	m := net(t, s)
	check(t, m.Train(false))
	f, err := m.Freeze(s)
	check(t, err)
	x := s.Randn(nil, []int64{2, 3, 16, 16})
	step := func() {
		check(t, s.Scoped(func(c *torch.Scope) error {
			x := c.Use(x).Clone().RequiresGrad(true)
			torch.Grad(f.ForwardTensor(x).Sum(), []*torch.Tensor{x}, torch.GradOptions{})
			return nil
		}))
	}
	for range 50 {
		step()
	}
	before, tensors := rss(t), torch.LiveTensors()
	for range 2000 {
		step()
	}
	if grown := rss(t) - before; grown > 24<<20 {
		t.Errorf("got %d MiB more after 2000 steps vs at most 24", grown>>20)
	}
	if n := torch.LiveTensors(); n != tensors {
		t.Errorf("got %d live tensors vs %d", n, tensors)
	}
}

// Modules are freed with their scope: a megabyte each, a hundred times.
func TestModulesAreFreed(t *testing.T) {
	cycle := func() {
		check(t, torch.Scoped(func(s *torch.Scope) error {
			m, err := jit.Define(s, []jit.Named{{"w", s.Ones([]int64{1 << 18})}}, nil, "def forward(self, x: Tensor) -> Tensor:\n    return x * self.w\n")
			check(t, err)
			check(t, m.Train(false))
			c, err := m.Clone(s)
			check(t, err)
			_, err = c.Freeze(s)
			return err
		}))
	}
	for range 10 {
		cycle()
	}
	before, tensors := rss(t), torch.LiveTensors()
	for range 100 {
		cycle()
	}
	if grown := rss(t) - before; grown > 48<<20 {
		t.Errorf("got %d MiB more after 100 modules vs at most 48", grown>>20)
	}
	if n := torch.LiveTensors(); n != tensors {
		t.Errorf("got %d live tensors vs %d", n, tensors)
	}
}

//go:noinline
func lose(t *testing.T) {
	s := torch.NewScope()
	m := net(t, s)
	check(t, m.Train(false))
	_, err := m.Freeze(s)
	check(t, err)
}

// A module in a lost scope is found by the garbage collector.
func TestLostModule(t *testing.T) {
	leaked := torch.LeakedScopes()
	lose(t)
	for deadline := time.Now().Add(10 * time.Second); torch.LeakedScopes() == leaked; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the garbage collector did not find the scope")
		}
		runtime.GC()
		torch.NewScope().Close() // frees what was found
	}
}
