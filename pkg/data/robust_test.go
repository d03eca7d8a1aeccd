package data

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func rgbOf(w, h int, at func(x, y int) [3]uint8) *RGB {
	p := NewRGB(w, h)
	for y := range h {
		for x := range w {
			c := at(x, y)
			copy(p.row(y)[3*x:], c[:])
		}
	}
	return p
}

func flat(v uint8) func(x, y int) [3]uint8 {
	return func(x, y int) [3]uint8 { return [3]uint8{v, v, v} }
}

func demoRGB(t *testing.T, i, size int) *RGB {
	t.Helper()
	img, err := NewDemo(size, false).Image(i)
	require.NoError(t, err)
	return ToRGB(img)
}

// meanSquare is the mean squared difference of two pictures.
func meanSquare(a, b *RGB) float64 {
	var sum float64
	for i, v := range a.Pix {
		d := float64(v) - float64(b.Pix[i])
		sum += d * d
	}
	return sum / float64(len(a.Pix))
}

func testRNG() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// Every kind keeps size and source, leaves a flat picture flat but for its noise, and does more at a higher strength.
func TestDegradationsKeepAndChange(t *testing.T) {
	p := demoRGB(t, 3, 48)
	before := bytes.Clone(p.Pix)
	for _, kind := range Degradations {
		t.Run(kind.String(), func(t *testing.T) {
			last := 0.0
			for _, strength := range []float64{0, 0.5, 1} {
				q := kind.Apply(p, strength, testRNG())
				require.Equal(t, p.Bounds(), q.Bounds())
				e := meanSquare(p, q)
				require.Greater(t, e, last, "strength %g", strength)
				last = e
			}
			require.Equal(t, before, p.Pix, "the source is left alone")
			for _, size := range []image.Point{{1, 1}, {3, 5}, {17, 2}} {
				q := kind.Apply(rgbOf(size.X, size.Y, flat(77)), 1, testRNG())
				require.Equal(t, size, q.Bounds().Max)
				if kind != DegradeNoise {
					// JPEG rounds twice on the way to YCbCr and back: one level each.
					require.LessOrEqual(t, meanSquare(rgbOf(size.X, size.Y, flat(77)), q), 4.0)
				}
			}
			require.NotEmpty(t, kind.Setting(0.5))
		})
	}
	require.Panics(t, func() { Degradation(9).Apply(p, 1, testRNG()) })
}

// A Gaussian spreads a point with its variance along each axis. Bytes are rounded, so the point is taken from a strong
// contrast and the tolerance is 5 %.
func TestBlurHasItsVariance(t *testing.T) {
	const n, at = 33, 16
	p := rgbOf(n, n, func(x, y int) [3]uint8 {
		if x == at {
			return [3]uint8{255, 255, 255}
		}
		return [3]uint8{}
	})
	q := DegradeBlur.Apply(p, 1, nil) // sigma 1.7
	var sum, second float64
	for x := range n {
		v := float64(q.row(at)[3*x])
		sum += v
		second += v * float64((x-at)*(x-at))
	}
	require.InDelta(t, 255, sum, 4)
	require.InEpsilon(t, 1.7*1.7, second/sum, 0.05)
}

// 8 of 255 at half strength; the mean of 12,288 values has a standard error of 0.07, the deviation's is 0.05.
func TestNoiseHasItsDeviation(t *testing.T) {
	p := rgbOf(64, 64, flat(128))
	q := DegradeNoise.Apply(p, 0.5, testRNG())
	require.InDelta(t, 8, math.Sqrt(meanSquare(p, q)), 0.3)
	require.Equal(t, q, DegradeNoise.Apply(p, 0.5, testRNG()), "the same numbers, the same noise")
}

func TestJPEGIsTheLibrarys(t *testing.T) {
	require.Equal(t, 95, JPEGQuality(0))
	require.Equal(t, 30, JPEGQuality(1))
	p := demoRGB(t, 5, 40)
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, p, &jpeg.Options{Quality: 30}))
	want, err := DecodeRGB(b.Bytes())
	require.NoError(t, err)
	require.Equal(t, want.Pix, DegradeJPEG.Apply(p, 1, nil).Pix)
}

func TestResizeLosesDetailOnly(t *testing.T) {
	board := rgbOf(32, 32, func(x, y int) [3]uint8 { v := uint8(255 * ((x + y) % 2)); return [3]uint8{v, v, v} })
	q := DegradeScale.Apply(board, 1, nil)
	grey := rgbOf(32, 32, flat(128))
	require.Less(t, meanSquare(q, grey), 0.05*meanSquare(board, grey), "a checkerboard is gone")
	ramp := rgbOf(32, 32, func(x, y int) [3]uint8 { return [3]uint8{uint8(8 * x), uint8(8 * y), 0} })
	require.Less(t, meanSquare(ramp, DegradeScale.Apply(ramp, 1, nil)), 30.0, "a ramp stays but at its ends")
}

func apply(a *Augment, p image.Image, r int, rng *rand.Rand) []byte {
	dst := make([]byte, 3*r*r)
	a.Apply(dst, p, r, rng)
	return dst
}

func TestAugmentNoneIsWhatScoringShows(t *testing.T) {
	none, err := ParseAugment("none")
	require.NoError(t, err)
	p := demoRGB(t, 1, 50).crop(image.Rect(3, 0, 44, 50))
	want := make([]byte, 3*32*32)
	p.Stretch(want, 32)
	require.Equal(t, want, apply(none, p, 32, testRNG()))
	mirror(want, 32)
	require.Equal(t, want, apply(&Augment{Mirror: 1}, p, 32, testRNG()), "mirrored exactly")
	_, err = ParseAugment("much")
	require.ErrorContains(t, err, `"much" vs none, light or strong`)
}

// Parts lie inside, are as large as they should be and hardly out of shape; at the border of the picture they are cut off.
func TestAugmentParts(t *testing.T) {
	a := &Augment{Crop: 1, MinArea: 0.5, Aspect: 1.25}
	b := image.Rect(0, 0, 200, 100)
	rng := testRNG()
	least, seen := 1.0, map[image.Point]bool{}
	for range 2000 {
		r := a.part(b, rng)
		require.True(t, r.In(b))
		area := float64(r.Dx()*r.Dy()) / (200 * 100)
		least = min(least, area)
		aspect := float64(r.Dx()) / float64(r.Dy()) / 2
		require.True(t, aspect < 1.27 && aspect > 1/1.27, "aspect %g", aspect) // rounding to pixels
		seen[r.Min] = true
	}
	require.InDelta(t, 0.5, least, 0.06)
	require.Greater(t, len(seen), 500)
	require.Equal(t, image.Rect(0, 0, 1, 1), a.part(image.Rect(0, 0, 1, 1), rng))

	ramp := rgbOf(100, 100, func(x, y int) [3]uint8 { return [3]uint8{uint8(2 * x), uint8(2 * y), 9} })
	pix := apply(a, ramp, 16, testRNG())
	span := int(pix[15]) - int(pix[0])
	require.Less(t, span, 186, "a part of the ramp") // all of it spans 187
	require.Greater(t, span, 110)
	for _, v := range pix[2*16*16:] {
		require.EqualValues(t, 9, v)
	}
}

// Any picture at any size: nothing panics, every byte is written.
func TestAugmentTakesAnything(t *testing.T) {
	strong, err := ParseAugment("strong")
	require.NoError(t, err)
	strong.Degrade = [degradations]float64{0.5, 0.5, 0.5, 0.5}
	for _, size := range []image.Point{{1, 1}, {2, 90}, {33, 47}, {120, 3}} {
		img := image.NewNRGBA(image.Rect(5, 5, 5+size.X, 5+size.Y))
		for i := range img.Pix {
			img.Pix[i] = 200
		}
		img.Set(5, 5, color.NRGBA{1, 2, 3, 0})
		for k := range 40 {
			dst := apply(strong, img, 24, rand.New(rand.NewPCG(uint64(k), 0)))
			mean := 0
			for _, v := range dst {
				mean += int(v)
			}
			if size.X*size.Y > 1 {
				require.Greater(t, mean/len(dst), 60)
			}
		}
	}
}

// The stream is a function of seed and position, whatever the number of workers.
func TestAugmentedStreamIsReproducible(t *testing.T) {
	strong, err := ParseAugment("strong")
	require.NoError(t, err)
	stream := func(workers int, seed uint64, from int64, n int) (out []byte) {
		l, err := NewLoader(AsScored(Range(NewDemo(40, false), 0, 30)), LoaderOptions{Batch: 8, Seed: seed, Workers: workers,
			Transform: Transform{Resolution: 20, Augment: strong}})
		require.NoError(t, err)
		l.Restore(State{Position: from})
		for b, err := range l.Batches(context.Background()) {
			require.NoError(t, err)
			if out = append(out, b.Pixels...); len(out) == n*len(b.Pixels) {
				break
			}
		}
		return out
	}
	want := stream(1, 4, 0, 10)
	require.Equal(t, want, stream(5, 4, 0, 10))
	require.Equal(t, want, stream(3, 4, 0, 10))
	require.Equal(t, want[len(want)*3/10:], stream(2, 4, 24, 7), "any position is reached at once")
	require.NotEqual(t, want, stream(1, 5, 0, 10))
	size := 3 * 20 * 20
	require.NotEqual(t, want[:size], want[30*size:31*size], "a picture that comes again looks different")
}

// A loader without augmentation keeps what it has decoded, and draws nothing.
func TestLoaderWithAugmentNone(t *testing.T) {
	none, err := ParseAugment("none")
	require.NoError(t, err)
	set := NewDemo(20, false)
	l, err := NewLoader(set, LoaderOptions{Batch: 3, Transform: Transform{Resolution: 16, Augment: none}})
	require.NoError(t, err)
	for b, err := range l.Batches(context.Background()) {
		require.NoError(t, err)
		want := make([]byte, 3*16*16)
		require.NoError(t, l.image(l.index(0), func(img image.Image) { ToRGB(img).Resize(16, 16).Stretch(want, 16) }))
		require.Equal(t, want, b.Pixels[:len(want)])
		break
	}
}
