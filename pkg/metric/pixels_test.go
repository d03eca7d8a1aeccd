package metric

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDiversity(t *testing.T) {
	flat := func(h, w int, values ...byte) (pix []byte) {
		for _, v := range values {
			for range 3 * h * w {
				pix = append(pix, v)
			}
		}
		return pix
	}
	// Of flat pictures the distance is that of their values: |0-30|, |0-90| and |30-90| have the mean 60.
	require.InDelta(t, 60, Diversity(flat(40, 24, 0, 30, 90), 3, 40, 24), 1e-9)
	require.Zero(t, Diversity(flat(32, 32, 7, 7, 7, 7), 4, 32, 32))
	require.Zero(t, Diversity(flat(32, 32, 7), 1, 32, 32))
	require.InDelta(t, 5, Diversity(flat(1, 3, 1, 6), 2, 1, 3), 1e-9, "smaller than a thumbnail")

	// Noise of one pixel of 64 x 64 is a 16th in a thumbnail, so the distance of two is sqrt(2) 255/sqrt(12)/4.
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 8*3*64*64)
	for i := range noise {
		noise[i] = byte(r.IntN(256))
	}
	require.InEpsilon(t, math.Sqrt2*255/math.Sqrt(12)/4, Diversity(noise, 8, 64, 64), 0.02)
	// A generator that draws each of its four pictures twice has 24 of 28 pairs that differ.
	half := append(append([]byte(nil), noise[:4*3*64*64]...), noise[:4*3*64*64]...)
	require.InEpsilon(t, 24./28*Diversity(noise[:4*3*64*64], 4, 64, 64), Diversity(half, 8, 64, 64), 1e-9)
}

func TestDetail(t *testing.T) {
	picture := func(n, h, w int, f func(x, y int) float64) []byte {
		pix := make([]byte, 0, n*3*h*w)
		for range 3 * n {
			for y := range h {
				for x := range w {
					pix = append(pix, byte(f(x, y)))
				}
			}
		}
		return pix
	}
	require.Zero(t, Detail(picture(2, 20, 30, func(x, y int) float64 { return float64(3*x + 2*y) }), 2, 20, 30), "a slope stays as it is")
	// Of a chequerboard nothing passes the filter: 100 +- 50 loses 50. Of stripes, likewise.
	require.InDelta(t, 50, Detail(picture(2, 20, 30, func(x, y int) float64 { return float64(50 + 100*((x+y)%2)) }), 2, 20, 30), 1e-9)
	require.InDelta(t, 50, Detail(picture(1, 20, 30, func(x, y int) float64 { return float64(50 + 100*(x%2)) }), 1, 20, 30), 1e-9)
	// A wave of 8 pixels keeps (1 + cos(pi/4))/2 of itself: what is taken away is 0.146 of its RMS. Bytes round that by 0.3.
	wave := picture(1, 24, 64, func(x, y int) float64 { return math.Round(128 + 100*math.Sin(float64(x)*math.Pi/4)) })
	require.InDelta(t, 100/math.Sqrt2*(1-math.Cos(math.Pi/4))/2, Detail(wave, 1, 24, 64), 0.3)
	require.Zero(t, Detail(make([]byte, 3*2*9), 1, 2, 9))
}

func BenchmarkPixels(b *testing.B) {
	pix := make([]byte, 64*3*256*256)
	for i := range pix {
		pix[i] = byte(i * 7919)
	}
	for b.Loop() {
		Diversity(pix, 64, 256, 256)
		Detail(pix, 64, 256, 256)
	}
}
