package models

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

var f64 = torch.Options{DType: torch.Float64}

// styleScope gives a scope and a builder of float64 layers, seeded.
func styleScope(t *testing.T) (*torch.Scope, nn.Builder) {
	s := torch.NewScope()
	t.Cleanup(s.Close)
	g, err := s.NewGenerator(torch.CPU, 1)
	require.NoError(t, err)
	return s, nn.Builder{Scope: s, Generator: g, DType: torch.Float64}
}

func near(t *testing.T, want, got *torch.Tensor, tolerance float64) {
	t.Helper()
	require.Equal(t, want.Shape(), got.Shape())
	require.LessOrEqual(t, want.Sub(got).Abs().Max().Float64(), tolerance*max(1, want.Abs().Max().Float64()))
}

// The paper's form: weights of every image's own, a group per image. 1e-12: float64 sums of 50 products in another order.
func TestModulationIsTheGroupedConvolution(t *testing.T) {
	s, b := styleScope(t)
	const n, in, out, size = 3, 5, 4, 6
	x := s.Randn(b.Generator, []int64{n, in, size, size}, f64).RequiresGrad(true)
	style := s.Randn(b.Generator, []int64{n, in}, f64).RequiresGrad(true)
	weight := s.Randn(b.Generator, []int64{out, in, 3, 3}, f64).RequiresGrad(true)
	f := newResampler(b)

	each := weight.Unsqueeze(0).Mul(style.Reshape(n, 1, in, 1, 1))
	norm := each.Square().SumDim([]int64{2, 3, 4}, true).AddScalar(1e-8).Sqrt()
	each = each.Div(norm)
	same := x.Reshape(1, n*in, size, size).Conv2d(each.Reshape(n*out, in, 3, 3), nil, torch.ConvOptions{Padding: 1, Groups: n})
	double := x.Reshape(1, n*in, size, size).ConvTranspose2d(
		each.Transpose(1, 2).Reshape(n*in, out, 3, 3), nil, torch.ConvOptions{Stride: 2, Groups: n})
	double = f.blur4(double.Reshape(n, out, 2*size+1, 2*size+1), 1)

	scale := demodulation(weight, style)
	near(t, norm.Reshape(n, out).Pow(-1), scale, 1e-12)
	scale = scale.Unsqueeze(2).Unsqueeze(3)
	for _, c := range []struct{ want, got *torch.Tensor }{
		{same.Reshape(n, out, size, size), modulated(x, weight, style, nil).Mul(scale)},
		{double, modulated(x, weight, style, f).Mul(scale)},
	} {
		near(t, c.want, c.got, 1e-12)
		cotangent := s.Randn(b.Generator, c.want.Shape(), f64)
		leaves := []*torch.Tensor{x, style, weight}
		keep := torch.GradOptions{Output: cotangent, RetainGraph: true}
		want, got := torch.Grad(c.want, leaves, keep), torch.Grad(c.got, leaves, keep)
		for i := range want {
			near(t, want[i], got[i], 1e-12)
		}
	}

	rgb := newStyleRGB(b, StyleConfig{StyleDim: 2}, in)
	b.Normal(rgb.Bias, 0, 1)
	w := s.Randn(b.Generator, []int64{n, 2}, f64)
	each = rgb.Weight.Unsqueeze(0).Mul(rgb.Affine.times(w, 1/math.Sqrt(in)).Reshape(n, 1, in, 1, 1))
	want := x.Reshape(1, n*in, size, size).Conv2d(each.Reshape(n*3, in, 1, 1), nil, torch.ConvOptions{Groups: n})
	near(t, want.Reshape(n, 3, size, size).Add(rgb.Bias.Reshape(3, 1, 1)), rgb.forward(x, w), 1e-12)
}

// One row of pixels a, b, c, d by hand: borders are zeros.
func TestResampling(t *testing.T) {
	s, b := styleScope(t)
	f := newResampler(b)
	row := func(x *torch.Tensor) []float64 { return torch.Slice[float64](x.MeanDim([]int64{0, 1, 2}, false)) }
	x := s.FromFloat64s([]float64{1, 2, 3, 4}, 1, 1, 1, 4).Expand(1, 2, 4, 4)
	// The filter across has 7/8 of its sum inside the image at its edge and all of it inside.
	at := func(y *torch.Tensor, i int64) []float64 { return row(y.Narrow(2, i, 1)) }
	require.InDeltaSlice(t, []float64{(3*1 + 3*2 + 3) / 8., (2 + 3*3 + 3*4) / 8.}, at(f.half(x).DivScalar(7./8), 0), 1e-12)
	require.InDeltaSlice(t, []float64{3 * 1 / 4., (3*1 + 2) / 4., (1 + 3*2) / 4., (3*2 + 3) / 4.,
		(2 + 3*3) / 4., (3*3 + 4) / 4., (3 + 3*4) / 4., 3 * 4 / 4.}, at(f.double(x), 3), 1e-12)
	near(t, x.Resize(8, 8, false).Narrow(2, 1, 6).Narrow(3, 1, 6), f.double(x).Narrow(2, 1, 6).Narrow(3, 1, 6), 1e-12)
	require.InDelta(t, 4, f.blur4(x.OnesLike(), 0).Max().Float64(), 1e-12)

	y := s.Randn(b.Generator, []int64{2, 3, 6, 6}, f64)
	// double is four times the transpose of half: <half(y), z> = <y, double(z)> / 4.
	z := s.Randn(b.Generator, []int64{2, 3, 3, 3}, f64)
	require.InDelta(t, f.half(y).Mul(z).Sum().Float64(), f.double(z).Mul(y).Sum().Float64()/4, 1e-12)
}

// A GPU's way gives the same: values, gradients, and gradients of these.
func TestResamplingByProducts(t *testing.T) {
	s, b := styleScope(t)
	f := newResampler(b)
	defer func(was func(*torch.Tensor) bool) { products = was }(products)
	for name, op := range map[string]func(x *torch.Tensor) *torch.Tensor{
		"blur4, 0": func(x *torch.Tensor) *torch.Tensor { return f.blur4(x, 0) },
		"blur4, 1": func(x *torch.Tensor) *torch.Tensor { return f.blur4(x, 1) },
		"blur, 2":  func(x *torch.Tensor) *torch.Tensor { return f.blur(x, 2) },
		"half":     f.half, "double": f.double,
	} {
		t.Run(name, func(t *testing.T) {
			x := s.Randn(b.Generator, []int64{2, 3, 6, 8}, f64).RequiresGrad(true)
			var weights *torch.Tensor
			all := func(multiplied bool, x *torch.Tensor) (y, first, second *torch.Tensor) {
				products = func(*torch.Tensor) bool { return multiplied }
				y = op(x)
				if weights == nil {
					weights = s.Randn(b.Generator, y.Shape(), f64).RequiresGrad(true)
				}
				first = torch.Grad(y.Mul(weights).Mul(y).Sum(), []*torch.Tensor{x}, torch.GradOptions{CreateGraph: true})[0]
				second = torch.Grad(first.Square().Sum(), []*torch.Tensor{weights}, torch.GradOptions{})[0]
				return y, first, second
			}
			y, first, second := all(false, x)
			last := torch.Call("aten::contiguous", x.Detach(), 2).RequiresGrad(true) // channels last
			for _, x := range []*torch.Tensor{x, last} {
				py, pfirst, psecond := all(true, x)
				near(t, y, py, 1e-12)
				near(t, first, pfirst, 1e-12)
				near(t, second, psecond, 1e-11)
			}
			require.Equal(t, int64(1), func() int64 { y, _, _ := all(true, last); return y.Strides()[1] }(), "the layout is kept")
		})
	}
}

func TestEqualisedLearningRate(t *testing.T) {
	s, b := styleScope(t)
	l := newStyleLinear(b, 4, 2, 0.01, 0)
	require.InDelta(t, 100, l.Weight.Std(true).Float64(), 100) // eight numbers of deviation 1/0.01
	b.Constant(l.Weight, 1)
	b.Constant(l.Bias, 2)
	x := s.FromFloat64s([]float64{1, 2, 3, -1}, 1, 4)
	// 0.01/sqrt(4) * 5 + 0.01 * 2
	require.InDelta(t, 0.045, l.times(x, 1).Max().Float64(), 1e-15)
	require.InDelta(t, 0.045*math.Sqrt2, l.activated(x).Max().Float64(), 1e-15)
	require.InDelta(t, -0.2*0.005*math.Sqrt2, l.activated(x.MulScalar(-1)).Max().Float64(), 1e-15)
	require.InDelta(t, 1, newStyleLinear(b, 4, 2, 1, 1).Bias.Min().Float64(), 0)

	c := newPlainConv(b, 2, 1, 3)
	b.Constant(c.Weight, 1)
	b.Constant(c.Bias, 3)
	y := c.times(s.Ones([]int64{1, 2, 3, 3}, f64), 2, torch.ConvOptions{})
	require.InDelta(t, 2*(18/math.Sqrt(18)+3), y.Float64(), 1e-14)
}

// Wide layers at their start: the second moment is 1 before the activation, and 2 * (1 + 0.2²) / 2 = 1.04 after it. Means
// of about 10⁵ correlated numbers: 5 %.
func TestInitialLayersKeepTheirInputsVariance(t *testing.T) {
	s, b := styleScope(t)
	moment := func(x *torch.Tensor) float64 { return x.Square().Mean().Float64() }
	randn := func(shape ...int64) *torch.Tensor { return s.Randn(b.Generator, shape, f64) }

	require.InEpsilon(t, 1.04, moment(newStyleLinear(b, 256, 256, 0.01, 0).activated(randn(256, 256))), 0.05)
	c := newPlainConv(b, 64, 64, 3)
	require.InEpsilon(t, 1.04, moment(c.activated(randn(4, 64, 18, 18), styleGain, torch.ConvOptions{})), 0.05)

	config := StyleConfig{StyleDim: 64}
	inside := func(x *torch.Tensor) *torch.Tensor { return x.Narrow(2, 1, 16).Narrow(3, 1, 16) } // without zeros around
	l := newStyleConv(b, config, 64, 64, 18, nil)
	require.InEpsilon(t, 1.04, moment(inside(l.forward(randn(4, 64, 18, 18), randn(4, 64), StyleNoise{}))), 0.05)
	rgb := newStyleRGB(b, config, 64) // styles have second moment 1 + 1
	require.InEpsilon(t, 2, moment(rgb.forward(randn(16, 64, 18, 18), randn(16, 64))), 0.25)
}

// Through all layers of a small network the features stay of the order of 1. The filter before or after a change of size
// takes up to ((1+9)/16)² = 0.39 of the variance of features that are as rough as at the start, five times over.
func TestInitialNetworksNeitherVanishNorGrow(t *testing.T) {
	s, b := styleScope(t)
	g, d, err := NewStyleGAN2(b, DemoStyleConfig(64))
	require.NoError(t, err)
	order := func(name string, x *torch.Tensor) {
		v := x.Square().Mean().Float64()
		require.True(t, v > 0.05 && v < 5, "%s: got second moment %v", name, v)
	}
	torch.NoGrad(func() {
		w := g.Mapping.Forward(s.Randn(b.Generator, []int64{16, 64}, f64))
		order("w", w)
		x := g.Synthesis.Blocks[0].Const.Unsqueeze(0)
		for _, k := range g.Synthesis.Blocks {
			if k.Conv0 != nil {
				x = k.Conv0.forward(x, w, StyleNoise{})
				order("conv0", x)
			}
			x = k.Conv1.forward(x, w, StyleNoise{})
			order("conv1", x)
		}
		x = s.Randn(b.Generator, []int64{16, 3, 64, 64}, f64)
		for _, k := range d.Blocks {
			x = k.forward(x)
			order("discriminator", x)
		}
		order("logits", d.Final.forward(x))
	})
}

// The values of research notes and the definition: the deviation over a group, with biased variance.
func TestMinibatchDeviation(t *testing.T) {
	s, b := styleScope(t)
	dev := func(group int64, x ...float64) []float64 {
		return torch.Slice[float64](minibatchDeviation(s.FromFloat64s(x, int64(len(x)), 1, 1, 1), group).Reshape(-1))
	}
	require.InDeltaSlice(t, []float64{1.000000005, 1.000000005}, dev(4, 1, 3), 1e-12)
	require.InDeltaSlice(t, []float64{1, 1e-4, 1, 1e-4}, dev(2, 1, 5, 3, 5), 1e-8) // images 0 and 2, 1 and 3
	require.InDeltaSlice(t, []float64{math.Sqrt(8. / 3), 1e-4, math.Sqrt(8. / 3), 1e-4, math.Sqrt(8. / 3), 1e-4},
		dev(4, 1, 7, 3, 7, 5, 7), 1e-8) // 4 does not divide 6, 3 does
	require.InDeltaSlice(t, []float64{1e-4, 1e-4, 1e-4, 1e-4, 1e-4}, dev(4, 1, 2, 3, 4, 5), 1e-12) // only 1 divides 5

	// The mean over channels and pixels, the same number at every pixel.
	x := s.Randn(b.Generator, []int64{4, 3, 2, 2}, f64)
	got := minibatchDeviation(x, 4)
	require.Equal(t, []int64{4, 1, 2, 2}, got.Shape())
	want := x.VarDim([]int64{0}, false, false).AddScalar(1e-8).Sqrt().Mean().Float64()
	require.InDelta(t, want, got.Min().Float64(), 1e-12)
	require.InDelta(t, want, got.Max().Float64(), 1e-12)
}
