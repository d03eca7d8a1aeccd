package tigas

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// random are images [n, c, h, w] of bytes in [0, 1].
func random(s *torch.Scope, n, c, h, w int64) *torch.Tensor {
	r := rand.New(rand.NewPCG(uint64(h), uint64(w)))
	v := make([]float32, n*c*h*w)
	for i := range v {
		v[i] = float32(r.IntN(256)) / 255
	}
	return s.FromFloat32s(v, n, c, h, w)
}

func TestBlur(t *testing.T) {
	require.NoError(t, torch.Scoped(func(s *torch.Scope) error {
		x := random(s, 2, 3, 5, 7)
		got, v := Blur(x).Float32s(), x.Float32s()
		at := func(plane, y, x int) float64 { // mirrored without the border itself
			if y < 0 {
				y = -y
			}
			if y > 4 {
				y = 8 - y
			}
			if x < 0 {
				x = -x
			}
			if x > 6 {
				x = 12 - x
			}
			return float64(v[plane*35+y*7+x])
		}
		for i := range got {
			plane, y, x := i/35, i/7%5, i%7
			want := 0.0
			for dy, a := range []float64{1, 2, 1} {
				for dx, b := range []float64{1, 2, 1} {
					want += a * b / 16 * at(plane, y+dy-1, x+dx-1)
				}
			}
			require.InDelta(t, want, got[i], 1e-6)
		}
		return nil
	}))
}

// Compress is compared with the sum of the standard as it is written down, in float64, block by block.
func TestCompress(t *testing.T) {
	require.NoError(t, torch.Scoped(func(s *torch.Scope) error {
		for _, quality := range []int{20, 75} {
			const h, w = 11, 16 // the lower blocks go on below the border
			x := random(s, 1, 2, h, w)
			got, v := Compress(x, quality).Float32s(), x.Float32s()
			steps := jpegSteps(quality)
			for plane := range 2 {
				at := func(y, x int) float64 { return 255*float64(v[plane*h*w+min(y, h-1)*w+x]) - 128 }
				for by := 0; by < h; by += 8 {
					for bx := 0; bx < w; bx += 8 {
						for y := by; y < min(h, by+8); y++ {
							for x := bx; x < bx+8; x++ {
								want := (naive(at, by, bx, y-by, x-bx, steps) + 128) / 255
								require.InDelta(t, math.Min(1, math.Max(0, want)), got[plane*h*w+y*w+x], 1e-4)
							}
						}
					}
				}
			}
		}
		// At the highest quality every step is 1: a coefficient is off by a half at most, and in the mean square by 1/12.
		x := random(s, 4, 3, 32, 32)
		require.InEpsilon(t, 1/math.Sqrt(12), 255*math.Sqrt(Compress(x, 100).Sub(x).Square().Mean().Float64()), 0.1)
		lost := func(quality int) float64 { return Compress(x, quality).Sub(x).Square().Mean().Float64() }
		require.Greater(t, lost(10), 2*lost(75))
		return nil
	}))
}

// naive is one value of a block after its coefficients were rounded.
func naive(at func(y, x int) float64, by, bx, y, x int, steps []float32) (sum float64) {
	c := func(u int) float64 {
		if u == 0 {
			return math.Sqrt(1. / 8)
		}
		return math.Sqrt(2. / 8)
	}
	wave := func(u, x int) float64 { return c(u) * math.Cos(math.Pi*float64(u)*(float64(x)+0.5)/8) }
	for v := range 8 {
		for u := range 8 {
			coefficient := 0.0
			for py := range 8 {
				for px := range 8 {
					coefficient += at(by+py, bx+px) * wave(v, py) * wave(u, px)
				}
			}
			step := float64(steps[8*v+u])
			sum += math.RoundToEven(coefficient/step) * step * wave(v, y) * wave(u, x)
		}
	}
	return sum
}
