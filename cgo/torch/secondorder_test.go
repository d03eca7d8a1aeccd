package torch_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// The convolutions for gradients of gradients are libtorch's: values, gradients, and gradients of these up to the third order,
// of everything that they depend on.
func TestConvolutionsOfSecondOrder(t *testing.T) {
	type shape struct {
		x, w                               []int64
		transposed, bias                   bool
		stride, pad, out, dilation, groups int64
	}
	for _, c := range []shape{
		{x: []int64{2, 3, 6, 7}, w: []int64{4, 3, 3, 3}, bias: true, stride: 1, pad: 1, dilation: 1, groups: 1},
		{x: []int64{2, 3, 7, 8}, w: []int64{4, 3, 3, 3}, stride: 2, pad: 1, dilation: 1, groups: 1},
		{x: []int64{2, 4, 8, 7}, w: []int64{6, 2, 3, 2}, bias: true, stride: 3, pad: 0, dilation: 2, groups: 2},
		{x: []int64{1, 3, 5, 5}, w: []int64{2, 3, 1, 1}, stride: 1, dilation: 1, groups: 1},
		{x: []int64{2, 3, 4, 5}, w: []int64{3, 4, 4, 4}, transposed: true, bias: true, stride: 2, pad: 1, dilation: 1, groups: 1},
		{x: []int64{2, 4, 4, 5}, w: []int64{4, 3, 3, 3}, transposed: true, stride: 2, pad: 1, out: 1, dilation: 1, groups: 2},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			g, err := s.NewGenerator(torch.CPU, 3)
			require.NoError(t, err)
			f64 := torch.Options{DType: torch.Float64}
			x, w := s.Randn(g, c.x, f64).RequiresGrad(true), s.Randn(g, c.w, f64).RequiresGrad(true)
			inputs := []*torch.Tensor{x, w}
			var b *torch.Tensor
			if c.bias {
				n := c.w[0]
				if c.transposed {
					n = c.w[1] * c.groups
				}
				b = s.Randn(g, []int64{n}, f64).RequiresGrad(true)
				inputs = append(inputs, b)
			}
			run := func(name string) (all []*torch.Tensor) {
				two := func(v int64) []int64 { return []int64{v, v} }
				var y *torch.Tensor
				if c.transposed {
					y = torch.Call(name+"::conv_transpose2d"+map[string]string{"aten": ".input"}[name], x, w, b, two(c.stride), two(c.pad), two(c.out), c.groups, two(c.dilation))
				} else {
					y = torch.Call(name+"::conv2d", x, w, b, two(c.stride), two(c.pad), two(c.dilation), c.groups)
				}
				all = append(all, y)
				loss := y.Tanh().Square().Sum()
				orders := 3
				if c.out > 0 {
					orders = 1 // libtorch 1.13 cannot: "output_padding is not supported for non-transposed convolutions"
				}
				for order := range orders {
					grads := torch.Grad(loss, inputs, torch.GradOptions{CreateGraph: order < orders-1, AllowUnused: true})
					loss = s.Scalar(0, f64)
					for _, g := range grads {
						if g != nil {
							all = append(all, g)
							loss = loss.Add(g.Sin().Sum())
						}
					}
				}
				return all
			}
			want, got := run("aten"), run("tigas")
			if c.out > 0 { // finite differences are in the place of the second order
				h := func(dx float64) float64 {
					y := torch.Call("tigas::conv_transpose2d", x.Detach().AddScalar(dx).RequiresGrad(true), w, nil, []int64{2, 2}, []int64{1, 1}, []int64{1, 1}, c.groups, []int64{1, 1})
					return y.Tanh().Sum().Float64()
				}
				leaf := x.Detach().RequiresGrad(true)
				y := torch.Call("tigas::conv_transpose2d", leaf, w, nil, []int64{2, 2}, []int64{1, 1}, []int64{1, 1}, c.groups, []int64{1, 1})
				first := torch.Grad(y.Tanh().Sum(), []*torch.Tensor{leaf}, torch.GradOptions{CreateGraph: true})[0]
				second := torch.Grad(first.Sum(), []*torch.Tensor{leaf}, torch.GradOptions{})[0].Sum().Float64()
				const e = 1e-3
				require.InEpsilon(t, second, (h(e)-2*h(0)+h(-e))/(e*e), 1e-4)
			}
			require.Len(t, got, len(want))
			require.GreaterOrEqual(t, len(want), 3)
			for i := range want {
				require.Equal(t, want[i].Shape(), got[i].Shape())
				require.LessOrEqual(t, got[i].Sub(want[i]).Norm().Float64(), 1e-10*(1+want[i].Norm().Float64()), "result %d", i)
			}
		})
	}
}

// The region changes convolutions on CUDA and nothing else.
func TestSecondOrderOnCUDA(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	penalty := func(d torch.Device, region func(func())) (y, second *torch.Tensor) {
		x := s.Ones([]int64{2, 3, 8, 8}, torch.Options{Device: d}).MulScalar(0.5).RequiresGrad(true)
		w := s.Ones([]int64{4, 3, 3, 3}, torch.Options{Device: d}).MulScalar(0.1).RequiresGrad(true)
		region(func() { y = x.Conv2d(w, nil, torch.ConvOptions{Padding: 1}).Tanh() })
		g := torch.Grad(y.Sum(), []*torch.Tensor{x}, torch.GradOptions{CreateGraph: true})[0]
		return y, torch.Grad(g.Square().Sum(), []*torch.Tensor{w}, torch.GradOptions{})[0]
	}
	plain := func(f func()) { f() }
	y, second := penalty(torch.CPU, plain)
	y2, second2 := penalty(torch.CPU, torch.SecondOrder)
	require.Equal(t, y.RawBytes(), y2.RawBytes())
	require.Equal(t, second.RawBytes(), second2.RawBytes())
	if len(cuda.Devices()) == 0 {
		t.Skip("skipped: no CUDA")
	}
	on, onSecond := penalty(torch.CUDA(0), torch.SecondOrder)
	// TF32 may round factors to 10 bits.
	require.InEpsilon(t, y.Sum().Float64(), on.Sum().Float64(), 1e-3)
	require.InEpsilon(t, second.Sum().Float64(), onSecond.Sum().Float64(), 5e-3)
}

// The gradients of both operands of a sum are one tensor in libtorch. Here they are two: who scales one in place, as clipping does,
// does not scale the other.
func TestGradientsAreSeparate(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	a, b := s.Ones([]int64{3}).RequiresGrad(true), s.Ones([]int64{3}).RequiresGrad(true)
	g := torch.Grad(a.Add(b).MulScalar(6).Sum(), []*torch.Tensor{a, b}, torch.GradOptions{})
	torch.NoGrad(func() { g[0].MulScalar_(0.5) })
	require.Equal(t, []float32{3, 3, 3}, g[0].Float32s())
	require.Equal(t, []float32{6, 6, 6}, g[1].Float32s())
}
