package trainers

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

func diffGenerator(t *testing.T, s *torch.Scope, seed int64) *torch.Generator {
	g, err := s.NewGenerator(torch.CPU, seed)
	require.NoError(t, err)
	return g
}

func TestParseDiffAugment(t *testing.T) {
	for text, want := range map[string]DiffAugmentPolicy{
		"": nil, " ": nil, "color": {"color"}, "cutout, color,translation": {"cutout", "color", "translation"},
	} {
		p, err := ParseDiffAugment(text)
		require.NoError(t, err)
		require.Equal(t, want, p)
		again, err := ParseDiffAugment(p.String())
		require.NoError(t, err)
		require.Equal(t, p, again)
	}
	for text, want := range map[string]string{
		"color,flip":   `trainers: diffaugment: got "flip" vs color, translation, cutout`,
		"color,":       `trainers: diffaugment: got "" vs color, translation, cutout`,
		"color, color": `trainers: diffaugment: got "color" twice vs once`,
	} {
		_, err := ParseDiffAugment(text)
		require.EqualError(t, err, want)
	}
	s := scope(t)
	for name, f := range map[string]func(){
		"unknown": func() { DiffAugmentPolicy{"x"}.Apply(s.Ones([]int64{1, 3, 8, 8}), nil) },
		"small":   func() { DiffAugmentPolicy{}.Apply(s.Ones([]int64{1, 3, 8, 7}), nil) },
		"three":   func() { DiffAugmentPolicy{}.Apply(s.Ones([]int64{3, 8, 8}), nil) },
		"bytes":   func() { DiffAugmentPolicy{}.Apply(s.Ones([]int64{1, 3, 8, 8}, torch.Options{DType: torch.Uint8}), nil) },
	} {
		var e *torch.Error
		require.ErrorAs(t, torch.Try(f), &e, name)
	}
	x := s.Ones([]int64{2, 3, 8, 8})
	require.Same(t, x, DiffAugmentPolicy(nil).Apply(x, nil))
}

// Every image is found again as itself moved by whole pixels, with zeros where nothing is left; all distances occur.
func TestTranslationMovesPixels(t *testing.T) {
	for _, size := range [][2]int64{{8, 8}, {12, 20}, {32, 32}} {
		s := scope(t)
		const n = 200
		h, w := size[0], size[1]
		by, bx := (h+4)/8, (w+4)/8
		x := s.Rand(diffGenerator(t, s, 1), []int64{n, 2, h, w}).AddScalar(0.5) // no zeros of its own
		y := DiffAugmentPolicy{"translation"}.Apply(x, diffGenerator(t, s, 2))
		require.Equal(t, x.Shape(), y.Shape())
		a, b := torch.Slice[float32](x), torch.Slice[float32](y)
		moved := func(i, dy, dx int64) bool {
			for c := range int64(2) {
				for r := range h {
					for k := range w {
						want := float32(0)
						if from, at := r+dy, k+dx; from >= 0 && from < h && at >= 0 && at < w {
							want = a[((i*2+c)*h+from)*w+at]
						}
						if b[((i*2+c)*h+r)*w+k] != want {
							return false
						}
					}
				}
			}
			return true
		}
		seenY, seenX := map[int64]bool{}, map[int64]bool{}
		for i := range int64(n) {
			found := 0
			for dy := -by; dy <= by; dy++ {
				for dx := -bx; dx <= bx; dx++ {
					if moved(i, dy, dx) {
						found++
						seenY[dy], seenX[dx] = true, true
					}
				}
			}
			require.Equal(t, 1, found, "image %d of %v is itself moved by one distance", i, size)
		}
		require.Len(t, seenY, int(2*by+1))
		require.Len(t, seenX, int(2*bx+1))
	}
}

// The zeros of each image are a rectangle of half the sides around a middle, cut at the border; nothing else changes.
func TestCutoutIsARectangle(t *testing.T) {
	for _, size := range [][2]int64{{8, 8}, {9, 14}, {32, 32}} {
		s := scope(t)
		const n = 500
		h, w := size[0], size[1]
		x := s.Rand(diffGenerator(t, s, 1), []int64{n, 2, h, w}).AddScalar(0.5)
		y := DiffAugmentPolicy{"cutout"}.Apply(x, diffGenerator(t, s, 2))
		a, b := torch.Slice[float32](x), torch.Slice[float32](y)
		middles := map[[2]int64]bool{}
		for i := range n {
			at := func(c, r, k int64) int64 { return ((int64(i)*2+c)*h+r)*w + k }
			top, left, bottom, right := h, w, int64(-1), int64(-1)
			for r := range h {
				for k := range w {
					if b[at(0, r, k)] == 0 {
						top, left, bottom, right = min(top, r), min(left, k), max(bottom, r), max(right, k)
					}
				}
			}
			for c := range int64(2) {
				for r := range h {
					for k := range w {
						want := a[at(c, r, k)]
						if r >= top && r <= bottom && k >= left && k <= right {
							want = 0
						}
						require.Equal(t, want, b[at(c, r, k)])
					}
				}
			}
			// Whole away from the border, else at the border.
			for _, side := range [][3]int64{{top, bottom, h}, {left, right, w}} {
				length, full := side[1]-side[0]+1, (side[2]+1)/2
				require.LessOrEqual(t, length, full)
				require.True(t, length == full || side[0] == 0 || side[1] == side[2]-1, "%v of %d", side, full)
				require.GreaterOrEqual(t, length, full/2)
			}
			middles[[2]int64{top + bottom, left + right}] = true
		}
		require.Greater(t, len(middles), 20)
	}
}

// Brightness, saturation and contrast are found again from their definitions.
func TestColorAugmentation(t *testing.T) {
	s := scope(t)
	const n = 400
	x := s.Rand(diffGenerator(t, s, 1), []int64{n, 3, 8, 8}, double).MulScalar(2).SubScalar(1)
	y := DiffAugmentPolicy{"color"}.Apply(x, diffGenerator(t, s, 2))
	all := []int64{1, 2, 3}
	grey := func(x *torch.Tensor) *torch.Tensor { return x.MeanDim([]int64{1}, true) }
	ratio := func(a, b *torch.Tensor) []float64 { // of two images that are multiples of each other
		return torch.Slice[float64](a.Mul(b).SumDim(all, false).Div(b.Square().SumDim(all, false)))
	}
	brightness := torch.Slice[float64](y.Sub(x).MeanDim(all, false))
	contrast := ratio(grey(y).Sub(y.MeanDim(all, true)), grey(x).Sub(x.MeanDim(all, true)))
	both := ratio(y.Sub(grey(y)), x.Sub(grey(x)))
	xs, ys := torch.Slice[float64](x), torch.Slice[float64](y)
	var low, high [3]float64
	for i := range n {
		v := [3]float64{brightness[i], both[i] / contrast[i], contrast[i]}
		for k := range v {
			low[k], high[k] = min(low[k], v[k]), max(high[k], v[k])
			if i == 0 {
				low[k], high[k] = v[k], v[k]
			}
		}
		// The first pixel's red by the three formulas.
		at := func(a []float64, c, p int) float64 { return a[(i*3+c)*64+p] }
		mean, pixel := 0.0, (at(xs, 0, 0)+at(xs, 1, 0)+at(xs, 2, 0))/3+v[0]
		for k := range 192 {
			mean += (xs[i*192+k] + v[0]) / 192
		}
		saturated := (at(xs, 0, 0)+v[0]-pixel)*v[1] + pixel
		require.InDelta(t, (saturated-mean)*v[2]+mean, at(ys, 0, 0), 1e-10)
	}
	// The extremes of 400 uniform numbers lie within 3 % of the range's ends but for one run in 10⁵; the seed is fixed.
	for k, r := range [][2]float64{{-0.5, 0.5}, {0, 2}, {0.5, 1.5}} {
		d := 0.03 * (r[1] - r[0])
		require.True(t, low[k] >= r[0]-1e-9 && low[k] < r[0]+d && high[k] <= r[1]+1e-9 && high[k] > r[1]-d,
			"%d: got %v to %v vs %v", k, low[k], high[k], r)
	}
}

func TestDiffAugmentIsAFunctionOfItsGenerator(t *testing.T) {
	s := scope(t)
	p := DiffAugmentPolicy{"color", "translation", "cutout"}
	x := s.Randn(diffGenerator(t, s, 1), []int64{4, 3, 16, 16})
	apart := func(a, b *torch.Tensor) float64 { return a.Sub(b).Abs().Max().Float64() }
	a := p.Apply(x, diffGenerator(t, s, 7))
	require.Zero(t, apart(a, p.Apply(x, diffGenerator(t, s, 7))))
	require.Positive(t, apart(a, p.Apply(x, diffGenerator(t, s, 8))))
	same := p.Apply(x.Narrow(0, 0, 1).Expand(4, 3, 16, 16), diffGenerator(t, s, 7))
	require.Positive(t, apart(same.Narrow(0, 0, 1), same.Narrow(0, 1, 1)), "each image in its own way")

	step := func() {
		require.NoError(t, s.Scoped(func(s *torch.Scope) error { p.Apply(s.Use(x), nil); return nil }))
	}
	step()
	tensors := torch.LiveTensors()
	step()
	require.Equal(t, tensors, torch.LiveTensors())
}

// First and second derivatives: a generator's gradient, and R1 of a discriminator behind the augmentation.
func TestDiffAugmentFiniteDifferences(t *testing.T) {
	s := scope(t)
	p := DiffAugmentPolicy{"color", "translation", "cutout"}
	x := s.Randn(diffGenerator(t, s, 1), []int64{2, 3, 8, 9}, double)
	weights := s.Randn(diffGenerator(t, s, 2), x.Shape(), double)
	differences(t, s, []*torch.Tensor{x}, func(x []*torch.Tensor) *torch.Tensor {
		return p.Apply(x[0], diffGenerator(t, s, 3)).Sin().Mul(weights).Sum()
	})
	differences(t, s, []*torch.Tensor{weights}, func(w []*torch.Tensor) *torch.Tensor {
		return R1Penalty(func(x *torch.Tensor) *torch.Tensor {
			return p.Apply(x, diffGenerator(t, s, 3)).Mul(w[0]).Tanh().Flatten(1).SumDim([]int64{1}, false)
		}, x, 2)
	})
}
