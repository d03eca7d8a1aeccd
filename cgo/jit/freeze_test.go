package jit_test

import (
	"slices"
	"testing"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

func TestFreeze(t *testing.T) {
	s := scope(t)
	m := net(t, s)
	_, err := m.Freeze(s)
	says(t, err, "jit: defined module: freeze: ", "eval")
	check(t, m.Train(false))
	f, err := m.Freeze(s)
	check(t, err)
	x := s.Randn(nil, []int64{2, 3, 8, 8}).RequiresGrad(true)
	grad := func(m *jit.Module) (y, g *torch.Tensor) {
		y = m.ForwardTensor(x)
		return y, torch.Grad(y.Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0]
	}
	y, g := grad(m)
	fy, fg := grad(f)
	near(t, "value", fy, y.Float32s())
	near(t, "gradient", fg, g.Float32s())
	for what, list := range map[string]func(*torch.Scope) ([]jit.Named, error){"parameters": f.Parameters, "buffers": f.Buffers} {
		if l, err := list(s); err != nil || len(l) != 0 {
			t.Errorf("%s of a frozen module: got %v, %v", what, names(l), err)
		}
	}
	// The frozen one is a copy.
	p, err := m.Parameters(s)
	check(t, err)
	torch.NoGrad(func() { p[1].Tensor.AddScalar_(5) })
	near(t, "copy", f.ForwardTensor(x), y.Float32s())
	// It can be saved and read again, and set to a mode without harm.
	data, err := f.Bytes()
	check(t, err)
	again, err := jit.LoadBytes(s, data, torch.CPU, "frozen")
	check(t, err)
	check(t, again.Train(true))
	near(t, "read again", again.ForwardTensor(x), y.Float32s())
}

func TestClone(t *testing.T) {
	s := scope(t)
	m := net(t, s)
	check(t, m.Train(false))
	x := s.Randn(nil, []int64{1, 3, 8, 8})
	want := m.ForwardTensor(x).Float32s()
	c, err := m.Clone(s)
	check(t, err)
	p, err := m.Parameters(s)
	check(t, err)
	q, err := c.Parameters(s)
	check(t, err)
	torch.NoGrad(func() {
		for _, p := range p {
			p.Tensor.Zero_()
		}
	})
	check(t, m.Train(true))
	near(t, "clone", c.ForwardTensor(x), want)
	if on, err := c.IsTraining(); on || err != nil {
		t.Errorf("mode of the clone: got %v, %v", on, err)
	}
	if !q[0].Tensor.IsGradRequired() {
		t.Error("the clone's parameters require no gradients")
	}
}

func TestTo(t *testing.T) {
	s := scope(t)
	m := net(t, s)
	check(t, m.Train(false))
	x := s.Randn(nil, []int64{1, 3, 8, 8})
	want := m.ForwardTensor(x).Float32s()
	p, err := m.Parameters(s)
	check(t, err)
	check(t, m.To(torch.CPU, torch.Float64))
	b, err := m.Buffers(s)
	check(t, err)
	if p[0].Tensor.DType() != torch.Float64 || !p[0].Tensor.IsGradRequired() || !p[0].Tensor.IsLeaf() {
		t.Errorf("parameter: got %v", p[0].Tensor)
	}
	if b[0].Tensor.DType() != torch.Float64 || b[2].Tensor.DType() != torch.Int64 {
		t.Errorf("buffers: got %v and %v vs float64 and int64", b[0].Tensor, b[2].Tensor)
	}
	near(t, "float64", m.ForwardTensor(x.To(torch.Float64)), want)
	check(t, m.To(torch.CPU, torch.DefaultDType))
	if p[0].Tensor.DType() != torch.Float64 {
		t.Errorf("default: got %v", p[0].Tensor)
	}
	check(t, m.To(torch.CPU, torch.BFloat16))
	if got := m.ForwardTensor(x.To(torch.BFloat16)).DType(); got != torch.BFloat16 {
		t.Errorf("got %s vs bfloat16", got)
	}
	if info, _ := torch.CUDADevices(); info.Count == 0 {
		says(t, m.To(torch.CUDA(0), torch.DefaultDType), "jit: defined module: to: ")
	}
}

func TestWrap(t *testing.T) {
	s := scope(t)
	inner, err := jit.Define(s, []jit.Named{{"w", s.Full([]int64{1}, 2)}}, nil, `
def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
    return x * self.w, x
`)
	check(t, err)
	check(t, inner.Train(false))
	for range 2 { // twice: types of the same name in one place
		w, err := inner.Wrap(s, "def forward(self, x: Tensor) -> Tensor:\n    return self.net.forward(x)[0]\n")
		check(t, err)
		near(t, "wrapped", w.ForwardTensor(s.Full([]int64{2}, 4)), []float32{8, 8})
		if on, err := w.IsTraining(); on || err != nil {
			t.Errorf("mode: got %v, %v", on, err)
		}
		p, err := w.Parameters(s)
		check(t, err)
		if !slices.Equal(names(p), []string{"net.w"}) {
			t.Errorf("parameters: got %v", names(p))
		}
		f, err := w.Freeze(s)
		check(t, err)
		near(t, "frozen", f.ForwardTensor(s.Full([]int64{2}, 4)), []float32{8, 8})
	}
	_, err = inner.Wrap(s, "def forward(self, x: Tensor) -> Tensor:\n    return self.net.forward(x)\n")
	says(t, err, "jit: defined module: wrap: ")
}

// What a wrapper does not use is not run once it is frozen, even what would fail.
func TestWrapDropsWhatIsNotUsed(t *testing.T) {
	s := scope(t)
	inner, err := jit.Define(s, nil, nil, "def forward(self, x: Tensor):\n    return x * 2., x @ x\n")
	check(t, err)
	check(t, inner.Train(false))
	w, err := inner.Wrap(s, "def forward(self, x: Tensor) -> Tensor:\n    return self.net.forward(x)[0]\n")
	check(t, err)
	x := s.Ones([]int64{2, 3}) // x @ x fails for this shape
	_, err = w.Forward(x)
	says(t, err, "jit: defined module: forward: ", "mat1 and mat2")
	f, err := w.Freeze(s)
	check(t, err)
	near(t, "frozen", f.ForwardTensor(x), []float32{2, 2, 2, 2, 2, 2})
}
