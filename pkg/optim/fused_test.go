package optim_test

import (
	"fmt"
	"maps"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

var cpu torch.Device

// adams are the settings that take different ways through the code.
var adams = map[string]struct {
	o         optim.AdamOptions
	decoupled bool
}{
	"Adam":          {optim.AdamOptions{Beta1: 0.9}, false},
	"Adam, Beta1 0": {optim.AdamOptions{Beta2: 0.99}, false},
	"Adam, all":     {optim.AdamOptions{Beta1: 0.5, WeightDecay: 0.1, AMSGrad: true}, false},
	"AdamW":         {optim.AdamOptions{Beta1: 0.9, WeightDecay: 0.1}, true},
	"AdamW, all":    {optim.AdamOptions{Beta1: 0.9, WeightDecay: 0.1, AMSGrad: true}, true},
}

// adam is one of adams that keeps its numbers on the device of p, or with lists one that does so without the kernel.
func adam(name string, s *torch.Scope, p []*torch.Tensor, capturable, lists bool) *optim.Adam {
	c := adams[name]
	c.o.Capturable, c.o.LR = capturable, 1e-2
	a := optim.NewAdam
	if c.decoupled {
		a = optim.NewAdamW
	}
	opt := a(s, p, c.o)
	if lists {
		optim.Unfuse(opt)
	}
	return opt
}

// eachForm runs f for all settings with and without the kernel, where this libtorch has one for the device.
func eachForm(t *testing.T, d torch.Device, f func(t *testing.T, name string, lists bool)) {
	for name := range adams {
		t.Run(name+", lists", func(t *testing.T) { f(t, name, true) })
		t.Run(name+", fused", func(t *testing.T) {
			if !hasKernel(name, d) {
				t.Skipf("skipped: libtorch %s has no fused kernel for %v", torch.Version(), d)
			}
			f(t, name, false)
		})
	}
}

func hasKernel(name string, d torch.Device) bool {
	s := torch.NewScope()
	defer s.Close()
	return optim.IsFused(adam(name, s, []*torch.Tensor{s.Zeros([]int64{1}, torch.Options{Device: d})}, true, false))
}

// mixed are parameters of two types, one not contiguous, in a sealed scope.
func mixed(s *torch.Scope, d torch.Device) []*torch.Tensor {
	own := s.Child()
	l := []*torch.Tensor{wave(own, 0, 2, 3), wave(own, 1, 5), wave(own, 2), wave(own, 3, 4).To(torch.Float64),
		wave(own, 4, 3, 2, 4).Transpose(0, 2), wave(own, 5, 33, 7)}
	for i, x := range l {
		l[i] = x.ToDevice(d).RequiresGrad(true)
	}
	own.Seal()
	return l
}

// wave has numbers of sizes from 0.01 to 2 without a pattern in common with another seed.
func wave(s *torch.Scope, seed int, shape ...int64) *torch.Tensor {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	data := make([]float32, n)
	for k := range data {
		data[k] = float32(0.01 + 2*math.Abs(math.Sin(float64(seed)+0.7*float64(k))))
	}
	return s.FromFloat32s(data, append([]int64{}, shape...)...)
}

// gradsOf are gradients for mixed as networks have them: some absent, and views that are transposed, expanded, or of
// another type.
func gradsOf(s *torch.Scope, step int, d torch.Device) []*torch.Tensor {
	g := []*torch.Tensor{wave(s, step, 3, 2).Transpose(0, 1), wave(s, step+1, 1).Expand(5), wave(s, step+2),
		wave(s, step+3, 4), wave(s, step+4, 4, 2, 3), wave(s, step+5, 33, 7)}
	for i, x := range g {
		g[i] = x.ToDevice(d).MulScalar(1 + 0.1*float64(step)).SubScalar(0.8)
	}
	g[1] = g[1].SumDim([]int64{0}, true).Expand(5)
	if step%3 == 1 {
		g[0] = nil
	}
	if step%4 == 2 {
		g[3] = nil
	}
	return g
}

// requireClose tells that each tensor's error is below tol of its norm.
func requireClose(t *testing.T, want, got []*torch.Tensor, tol float64, what string) {
	t.Helper()
	s := torch.NewScope()
	defer s.Close()
	torch.NoGrad(func() {
		for i := range want {
			w, g := s.Use(want[i]).ToDevice(cpu).To(torch.Float64), s.Use(got[i]).ToDevice(cpu).To(torch.Float64)
			require.LessOrEqual(t, w.Sub(g).Norm().Float64(), tol*w.Norm().Float64(), "%s, parameter %d", what, i)
		}
	})
}

// snapshot are the bits of parameters and state.
func snapshot(p []*torch.Tensor, opt optim.Optimizer) map[string]string {
	m := map[string]string{}
	for i, x := range p {
		m[fmt.Sprint("parameter ", i)] = string(x.RawBytes())
	}
	for name, x := range opt.State() {
		m[name] = string(x.RawBytes())
	}
	return m
}

// follow makes 20 steps with the plain Adam on the CPU and with a capturable one on d.
func follow(t *testing.T, name string, d torch.Device, lists bool, tol float64) {
	s := torch.NewScope()
	defer s.Close()
	p, q := mixed(s, cpu), mixed(s, d)
	want, got := adam(name, s, p, false, false), adam(name, s, q, true, lists)
	require.Equal(t, lists, !optim.IsFused(got))
	for step := range 20 {
		lr := []float64{1e-2, 1e-2, 0, 3e-3}[step/5]
		want.SetLR(lr)
		got.SetLR(lr)
		require.Equal(t, lr, got.LR())
		tmp := s.Child()
		want.Step(gradsOf(tmp, step, cpu))
		got.Step(gradsOf(tmp, step, d))
		tmp.Close()
		requireClose(t, p, q, tol, fmt.Sprint("step ", step))
	}
	state := maps.Collect(got.State())
	require.Len(t, state, len(maps.Collect(want.State())))
	for key, x := range want.State() {
		require.Contains(t, state, key)
		requireClose(t, []*torch.Tensor{x}, []*torch.Tensor{state[key]}, tol, key)
	}
}

// 20 steps of float32 differ by their rounding and by that of the learning rate: 1e-7 each at most.
func TestCapturableFollowsAdam(t *testing.T) {
	eachForm(t, cpu, func(t *testing.T, name string, lists bool) { follow(t, name, cpu, lists, 1e-6) })
}

// A step that is left out changes no bit, whatever the gradients; one that is not is the same as Step, to the bit.
func TestStepUnless(t *testing.T) {
	test := func(t *testing.T, name string, capturable, lists bool) {
		s := torch.NewScope()
		defer s.Close()
		p, q := mixed(s, cpu), mixed(s, cpu)
		a, b := adam(name, s, p, capturable, lists), adam(name, s, q, capturable, lists)
		for step := range 8 {
			g := gradsOf(s, step, cpu)
			bad := gradsOf(s, step, cpu)
			for i, x := range bad {
				if x != nil && i != step%6 {
					bad[i] = x.MulScalar([]float64{math.NaN(), math.Inf(1), 1e30, 0}[step%4])
				}
			}
			before := snapshot(q, b)
			for _, skip := range []float64{1, -3, 2, math.NaN(), math.Inf(1)} {
				b.StepUnless(bad, s.Scalar(skip))
				require.Equal(t, before, snapshot(q, b), "step %d, skip %v", step, skip)
			}
			a.Step(g)
			b.StepUnless(g, s.Scalar(0))
			require.Equal(t, snapshot(p, a), snapshot(q, b), "step %d", step)
			require.NotEqual(t, before, snapshot(q, b))
		}
	}
	eachForm(t, cpu, func(t *testing.T, name string, lists bool) { test(t, name, true, lists) })
	t.Run("not capturable", func(t *testing.T) { test(t, "Adam, all", false, false) })
}

// The sign of zero and NaNs survive too: masks by multiplication would lose them.
func TestStepUnlessKeepsOddNumbers(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	odd := []float32{float32(math.Copysign(0, -1)), float32(math.NaN()), float32(math.Inf(-1)), 1e-45}
	for _, lists := range []bool{false, true} {
		p := []*torch.Tensor{s.FromFloat32s(odd)}
		a := adam("AdamW", s, p, true, lists)
		before := snapshot(p, a)
		a.StepUnless([]*torch.Tensor{s.Ones([]int64{4})}, s.Scalar(1))
		require.Equal(t, before, snapshot(p, a))
	}
}

// A snapshot goes from one kind to the other and the run continues as if nothing had happened.
func TestStateBetweenKinds(t *testing.T) {
	eachForm(t, cpu, func(t *testing.T, name string, lists bool) {
		for _, back := range []bool{false, true} {
			s := torch.NewScope()
			p, q := mixed(s, cpu), mixed(s, cpu)
			from, to := adam(name, s, p, !back, !back && lists), adam(name, s, q, back, back && lists)
			for step := range 6 {
				from.Step(gradsOf(s, step, cpu))
			}
			dict := map[string]*torch.Tensor{}
			for key, x := range from.State() {
				dict[key] = s.Use(x).Clone()
			}
			require.Equal(t, "float32[] cpu", dict["3.step"].String())
			require.Equal(t, 5.0, dict["3.step"].Float64(), "step 2 had no gradient for it")
			torch.NoGrad(func() {
				for i := range p {
					q[i].Copy_(p[i])
				}
			})
			require.NoError(t, to.LoadState(dict))
			require.Equal(t, snapshot(p, from), snapshot(q, to), "loaded")
			for step := 6; step < 20; step++ {
				from.Step(gradsOf(s, step, cpu))
				to.Step(gradsOf(s, step, cpu))
				requireClose(t, p, q, 1e-6, fmt.Sprint("step ", step))
			}
			delete(dict, "0.step")
			before := snapshot(q, to)
			require.Error(t, to.LoadState(dict))
			require.Equal(t, before, snapshot(q, to), "refused")
			s.Close()
		}
	})
}

func TestCapturableKeepsMemoryFlat(t *testing.T) {
	eachForm(t, cpu, func(t *testing.T, name string, lists bool) {
		s := torch.NewScope()
		defer s.Close()
		a := adam(name, s, mixed(s, cpu), true, lists)
		grads, skip := gradsOf(s, 1, cpu), s.Scalar(0)
		a.Step(grads)
		tensors, bytes, own := torch.LiveTensors(), torch.LiveBytes(), s.Len()
		for i := range 50 {
			a.SetLR(float64(i))
			a.Step(grads)
			a.StepUnless(grads, skip)
			for range a.State() {
			}
		}
		require.Equal(t, tensors, torch.LiveTensors())
		require.Equal(t, bytes, torch.LiveBytes())
		require.Equal(t, own, s.Len())
	})
}

func TestCapturableRefuses(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	p := params(s.Child())
	for _, capturable := range []bool{false, true} {
		a := optim.NewAdam(s, p, optim.AdamOptions{Capturable: capturable})
		before := snapshot(p, a)
		good := []*torch.Tensor{numbers(s, 0, 1), nil, numbers(s, 2, 1)}
		for want, f := range map[string]func(){
			"torch: Adam.Step: got 0 gradient(s) vs 3 parameter(s)":        func() { a.Step(nil) },
			"torch: Adam.Step: got 1 gradient(s) vs 3 parameter(s)":        func() { a.StepUnless(good[:1], s.Scalar(1)) },
			"torch: Adam.Step: gradient 0: got shape [4] vs [2 3]":         func() { a.Step([]*torch.Tensor{numbers(s, 1, 1), nil, nil}) },
			"torch: Adam.StepUnless: skip: got float32[1] cpu vs a scalar": func() { a.StepUnless(good, s.Ones([]int64{1})) },
			"torch: Adam.StepUnless: skip: got float32[2] cpu vs a scalar": func() { a.StepUnless(good, s.Ones([]int64{2})) },
		} {
			require.EqualError(t, torch.Try(f), want)
		}
		require.Equal(t, before, snapshot(p, a))
		a.Step([]*torch.Tensor{nil, nil, nil})
		require.Equal(t, before, snapshot(p, a))
	}
	none := optim.NewAdam(s, nil, optim.AdamOptions{Capturable: true})
	none.Step(nil)
	require.Empty(t, maps.Collect(none.State()))
	require.NoError(t, none.LoadState(nil))
}

// Elements that overlap have no place for state of their own: no kernel for them.
func TestCapturableOfExpandedParameter(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	a := optim.NewAdam(s, []*torch.Tensor{s.Ones([]int64{1}).Expand(3)}, optim.AdamOptions{Capturable: true})
	require.False(t, optim.IsFused(a))
}

func TestNonFinite(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	for v, want := range map[float64]float64{0: 0, 3: 0, -1e38: 0, math.Inf(1): 1, math.Inf(-1): 1, math.NaN(): 1} {
		norm := s.Scalar(v)
		live := torch.LiveTensors()
		bad := optim.NonFinite(norm)
		require.Equal(t, live+1, torch.LiveTensors())
		require.Same(t, s, bad.Scope())
		require.Equal(t, "float32[] cpu", bad.String())
		require.Equal(t, want, bad.Float64())
	}
}

// Gradients of several types are scaled too.
func TestClipGradNormTensorOfSeveralTypes(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	g := []*torch.Tensor{s.FromFloat32s([]float32{3}), s.FromFloat64s([]float64{4}), s.FromFloat32s([]float32{0}),
		s.FromFloat32s([]float32{12}).To(torch.BFloat16)}
	require.InDelta(t, 13, optim.ClipGradNormTensor(s, g, 1).Float64(), 1e-6)
	require.InDelta(t, 3./13, g[0].Float64(), 1e-6)
	require.InDelta(t, 4./13, g[1].Float64(), 1e-6)
	require.InDelta(t, 12./13, g[3].Float64(), 1e-2) // bfloat16 has 8 bits
	require.Equal(t, []torch.DType{torch.Float32, torch.Float64, torch.BFloat16}, []torch.DType{g[0].DType(), g[1].DType(), g[3].DType()})
}

// Averages are exact for buffers of several types.
func TestEMACopiesBuffersOfSeveralTypes(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	buffers := []*torch.Tensor{s.FromFloat32s([]float32{1, 2}), s.FromInt64s([]int64{1 << 60}), s.Scalar(3), s.FromInt64s([]int64{7})}
	e := optim.CloneEMA(s, nil, buffers)
	torch.NoGrad(func() { buffers[0].AddScalar_(1); buffers[3].Fill_(9) })
	e.Update(0.5)
	got := e.Buffers()
	require.Equal(t, []float32{2, 3}, got[0].Float32s())
	require.Equal(t, int64(1<<60), got[1].Int64())
	require.Equal(t, int64(9), got[3].Int64())
}

func ExampleAdam_StepUnless() {
	s := torch.NewScope()
	defer s.Close()
	w := s.FromFloat32s([]float32{1, 2}).RequiresGrad(true)
	opt := optim.NewAdam(s, []*torch.Tensor{w}, optim.AdamOptions{LR: 0.5, Beta1: 0.9, Capturable: true})
	for _, g := range [][]float32{{1, -1}, {float32(math.Inf(1)), 0}} {
		grads := []*torch.Tensor{s.FromFloat32s(g)}
		norm := optim.ClipGradNormTensor(s, grads, 1)
		opt.StepUnless(grads, optim.NonFinite(norm)) // the host does not learn whether it was a step
		fmt.Printf("%.2f\n", w.Float32s())
	}
	// Output:
	// [0.50 2.50]
	// [0.50 2.50]
}
