package optim_test

import (
	"fmt"
	"maps"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

// eachScaler runs f with libtorch's kernels, where it has them for the device, and without, on the CPU and on a GPU.
func eachScaler(t *testing.T, f func(t *testing.T, d torch.Device, make func(s *torch.Scope, o optim.GradScalerOptions) *optim.GradScaler)) {
	for _, device := range []string{"cpu", "cuda"} {
		for _, kernels := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, kernels %v", device, kernels), func(t *testing.T) {
				d := cpu
				if device == "cuda" {
					d = needCUDA(t)
				}
				if s := torch.NewScope(); kernels {
					defer s.Close()
					if !optim.HasKernels(optim.NewGradScaler(s, d, optim.GradScalerOptions{})) {
						require.Equal(t, "cpu", device, "CUDA has had them for long")
						t.Skipf("skipped: libtorch %s has no kernels for %v", torch.Version(), d)
					}
				}
				f(t, d, func(s *torch.Scope, o optim.GradScalerOptions) *optim.GradScaler {
					g := optim.NewGradScaler(s, d, o)
					if !kernels {
						optim.WithoutKernels(g)
					}
					return g
				})
			})
		}
	}
}

// scalerState are scale and growth tracker.
func scalerState(g *optim.GradScaler) [2]float64 {
	m := maps.Collect(g.State())
	return [2]float64{m["scale"].Float64(), m["growth_tracker"].Float64()}
}

// The scale doubles after so many good updates in a row, halves at one that is left out, and stays otherwise; the count begins
// anew at both. It does not grow to infinity.
func TestGradScalerUpdate(t *testing.T) {
	eachScaler(t, func(t *testing.T, d torch.Device, make func(*torch.Scope, optim.GradScalerOptions) *optim.GradScaler) {
		s := torch.NewScope()
		defer s.Close()
		there := torch.Options{Device: d}
		g := make(s, optim.GradScalerOptions{Interval: 3})
		require.Equal(t, [2]float64{65536, 0}, scalerState(g))
		for i, c := range []struct{ skip, scale, tracker float64 }{
			{0, 65536, 1}, {0, 65536, 2}, {0, 131072, 0}, {0, 131072, 1}, {1, 65536, 0}, {1, 32768, 0}, {0, 32768, 1},
			{math.NaN(), 16384, 0}, {0, 16384, 1}, {0, 16384, 2}, {1, 8192, 0}, {0, 8192, 1}, {0, 8192, 2}, {0, 16384, 0},
		} {
			g.Update(s.Scalar(c.skip, there))
			require.Equal(t, [2]float64{c.scale, c.tracker}, scalerState(g), "update %d", i)
		}
		odd := make(s, optim.GradScalerOptions{Scale: 10, Growth: 1.1, Backoff: 0.3, Interval: 1})
		odd.Update(s.Scalar(0, there))
		require.Equal(t, float64(float32(10*1.1)), scalerState(odd)[0])
		odd.Update(s.Scalar(1, there))
		require.Equal(t, float64(float32(float64(float32(10*1.1))*0.3)), scalerState(odd)[0])
		large := make(s, optim.GradScalerOptions{Scale: math.Ldexp(1, 127), Interval: 1})
		if !optim.HasKernels(large) { // the kernel of old ones does
			large.Update(s.Scalar(0, there))
			require.Equal(t, [2]float64{math.Ldexp(1, 127), 0}, scalerState(large))
		}
		require.EqualError(t, torch.Try(func() { g.Update(s.Ones([]int64{1})) }),
			"torch: GradScaler.Update: skip: got float32[1] cpu vs a scalar")
	})
}

// Gradients are divided by the scale in place, each in its type; views and gaps are no matter.
func TestGradScalerUnscale(t *testing.T) {
	eachScaler(t, func(t *testing.T, d torch.Device, make func(*torch.Scope, optim.GradScalerOptions) *optim.GradScaler) {
		s := torch.NewScope()
		defer s.Close()
		g := make(s, optim.GradScalerOptions{Scale: 1024})
		grads := append(gradsOf(s, 1, d), wave(s, 9, 4).ToDevice(d).To(torch.BFloat16), s.Zeros([]int64{0}, torch.Options{Device: d}))
		grads[5] = s.Use(grads[5]).MulScalar(1e30) // the sum of squares overflows
		require.Nil(t, grads[0])
		var want []*torch.Tensor
		for _, x := range grads {
			if x == nil {
				want = append(want, nil)
			} else {
				want = append(want, x.MulScalar(1./1024))
			}
		}
		before := append([]*torch.Tensor{}, grads...)
		skip := g.Unscale(grads, s)
		require.Equal(t, "float32[] "+d.String(), skip.String())
		require.Same(t, s, skip.Scope())
		require.Zero(t, skip.Float64())
		for i, x := range grads {
			if i == 1 {
				require.NotSame(t, before[i], x, "an expanded one")
			} else {
				require.Same(t, before[i], x)
			}
			if x != nil {
				require.Equal(t, want[i].DType(), x.DType())
				require.True(t, want[i].Eq(x).All().Bool(), "gradient %d", i)
			}
		}
		require.Equal(t, [2]float64{1024, 0}, scalerState(g))
	})
}

// One number that is not finite is found, in whichever gradient and of whichever type.
func TestGradScalerFinds(t *testing.T) {
	eachScaler(t, func(t *testing.T, d torch.Device, make func(*torch.Scope, optim.GradScalerOptions) *optim.GradScaler) {
		s := torch.NewScope()
		defer s.Close()
		g := make(s, optim.GradScalerOptions{})
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			for at, dtype := range []torch.DType{torch.Float32, torch.Float64, torch.Float16, torch.BFloat16} {
				if dtype == torch.Float16 && !d.IsCUDA() {
					continue // old ones have no arithmetic for it
				}
				grads := []*torch.Tensor{nil, wave(s, 0, 7).ToDevice(d), wave(s, 1, 2, 3).ToDevice(d).To(torch.Float64), wave(s, 2, 33).ToDevice(d).To(dtype)}
				x := wave(s, at, 33).ToDevice(d).To(dtype)
				x.Narrow(0, 17, 1).Fill_(bad)
				grads[3] = x
				require.Equal(t, 1.0, g.Unscale(grads, s).Float64(), "%v in %s", bad, dtype)
				require.Equal(t, wave(s, 0, 7).MulScalar(1./65536).Float32s(), grads[1].ToDevice(cpu).Float32s())
			}
		}
		require.Zero(t, g.Unscale(nil, s).Float64())
		require.Zero(t, g.Unscale([]*torch.Tensor{nil, nil}, s).Float64())
	})
}

// With libtorch's kernels and without, the numbers are the same, to the bit.
func TestGradScalerKernelsAndLists(t *testing.T) {
	eachScaler(t, func(t *testing.T, d torch.Device, make func(*torch.Scope, optim.GradScalerOptions) *optim.GradScaler) {
		s := torch.NewScope()
		defer s.Close()
		o := optim.GradScalerOptions{Scale: 1000, Growth: 1.7, Backoff: 0.3, Interval: 2}
		a, b := make(s, o), make(s, o)
		optim.WithoutKernels(b)
		for step := range 12 {
			p, q := gradsOf(s, step, d), gradsOf(s, step, d)
			if step%5 == 3 {
				p[4].Narrow(0, 1, 1).Fill_(math.Inf(1))
				q[4].Narrow(0, 1, 1).Fill_(math.Inf(1))
			}
			bad, same := a.Unscale(p, s), b.Unscale(q, s)
			require.Equal(t, bad.Float64(), same.Float64())
			for i := range p {
				if p[i] != nil {
					require.Equal(t, p[i].Contiguous().RawBytes(), q[i].Contiguous().RawBytes(), "step %d, gradient %d", step, i)
				}
			}
			a.Update(bad)
			b.Update(same)
			require.Equal(t, scalerState(a), scalerState(b), "step %d", step)
		}
	})
}

// Steps of a scaled loss are those of the loss. One that overflows leaves the weights as they are, bit for bit.
func TestGradScalerSteps(t *testing.T) {
	eachScaler(t, func(t *testing.T, d torch.Device, make func(*torch.Scope, optim.GradScalerOptions) *optim.GradScaler) {
		s := torch.NewScope()
		defer s.Close()
		own := func() []*torch.Tensor {
			return []*torch.Tensor{wave(s, 1, 3, 5).ToDevice(d).RequiresGrad(true), wave(s, 2, 5).ToDevice(d).RequiresGrad(true)}
		}
		loss := func(s *torch.Scope, p []*torch.Tensor, factor float64) *torch.Tensor {
			return s.Use(p[0]).MatMul(s.Use(p[1]).Unsqueeze(1)).Square().Mean().MulScalar(factor)
		}
		p, q := own(), own()
		o := optim.AdamOptions{LR: 1e-2, Beta1: 0.9, Capturable: true}
		plain, opt := optim.NewAdam(s, p, o), optim.NewAdam(s, q, o)
		g := make(s, optim.GradScalerOptions{Interval: 3})
		var live []int64
		for range 8 {
			require.NoError(t, s.Scoped(func(s *torch.Scope) error {
				plain.Step(torch.Grad(loss(s, p, 1), p, torch.GradOptions{}))
				scaled := g.Scale(loss(s, q, 1))
				require.Same(t, s, scaled.Scope())
				grads := torch.Grad(scaled, q, torch.GradOptions{})
				skip := g.Unscale(grads, s)
				opt.StepUnless(grads, skip)
				g.Update(skip)
				return nil
			}))
			live = append(live, torch.LiveTensors())
		}
		require.Equal(t, live[1], live[7], "live tensors %v", live)
		requireClose(t, p, q, 1e-7, "steps")
		require.Equal(t, [2]float64{262144, 2}, scalerState(g))
		before := snapshot(q, opt)
		require.NoError(t, s.Scoped(func(s *torch.Scope) error {
			grads := torch.Grad(g.Scale(loss(s, q, 1e36)), q, torch.GradOptions{})
			skip := g.Unscale(grads, s)
			opt.StepUnless(grads, skip)
			g.Update(skip)
			return nil
		}))
		require.Equal(t, before, snapshot(q, opt))
		require.Equal(t, [2]float64{131072, 0}, scalerState(g))
	})
}

// State goes from one to another; what does not fit changes nothing.
func TestGradScalerState(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	a := optim.NewGradScaler(s, cpu, optim.GradScalerOptions{})
	a.Update(s.Scalar(1))
	a.Update(s.Scalar(0))
	saved := map[string]*torch.Tensor{}
	for name, x := range a.State() {
		saved[name] = s.Use(x).Clone()
	}
	require.Equal(t, "float32[] cpu", saved["scale"].String())
	require.Equal(t, "int32[] cpu", saved["growth_tracker"].String())
	b := optim.NewGradScaler(s, cpu, optim.GradScalerOptions{})
	require.NoError(t, b.LoadState(saved))
	require.Equal(t, [2]float64{32768, 1}, scalerState(b))
	require.Equal(t, 32768.0, b.Value(s).Float64())
	for range a.State() {
		break
	}
	delete(saved, "scale")
	saved["other"] = s.Scalar(1)
	require.EqualError(t, b.LoadState(saved), "optim: load: the saved state does not fit: 1 missing (scale), 1 unexpected (other)")
	require.Equal(t, [2]float64{32768, 1}, scalerState(b))
	for _, o := range []optim.GradScalerOptions{{Scale: -1}, {Scale: math.Inf(1)}, {Growth: 0.5}, {Backoff: 1}, {Backoff: math.NaN()}, {Interval: -1}} {
		require.Error(t, torch.Try(func() { optim.NewGradScaler(s, cpu, o) }), "%+v", o)
	}
}

// A captured step, replayed with other gradients, scales as one without a graph.
func TestCapturedGradScaler(t *testing.T) {
	d := needCUDA(t)
	s := torch.NewScope()
	defer s.Close()
	o := optim.GradScalerOptions{Interval: 2}
	want, got := optim.NewGradScaler(s, d, o), optim.NewGradScaler(s, d, o)
	x := wave(s, 1, 5).ToDevice(d)
	stream, err := cuda.NewStream(d)
	require.NoError(t, err)
	var grad, skip *torch.Tensor
	one := s.Child()
	graph, err := cuda.Capture(s, stream, cuda.CaptureOptions{}, func() {
		l := []*torch.Tensor{got.Scale(one.Use(x))}
		skip = got.Unscale(l, one)
		got.Update(skip)
		grad = l[0]
	})
	require.NoError(t, err)
	require.Equal(t, [2]float64{65536, 0}, scalerState(got), "to capture is not to do")
	for step := range 9 {
		factor := 1.0
		if step%4 == 3 {
			factor = 1e38
		}
		cuda.On(stream, func() { x.Copy_(wave(s, step, 5).ToDevice(d).MulScalar(factor)) })
		require.NoError(t, graph.Replay())
		require.NoError(t, stream.Synchronize())
		l := []*torch.Tensor{want.Scale(s.Use(x))}
		bad := want.Unscale(l, s)
		want.Update(bad)
		require.Equal(t, bad.Float64(), skip.Float64(), "step %d", step)
		require.Equal(t, l[0].RawBytes(), grad.RawBytes(), "step %d", step)
		require.Equal(t, scalerState(want), scalerState(got), "step %d", step)
	}
}
