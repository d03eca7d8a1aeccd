package monitor

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	xdraw "golang.org/x/image/draw"
)

// animate writes frames and reads them back.
func animate(t *testing.T, a *Animation) *gif.GIF {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.gif")
	require.NoError(t, a.Write(path))
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	g, err := gif.DecodeAll(f)
	require.NoError(t, err)
	require.Len(t, g.Image, a.Len())
	return g
}

func newAnimation(t *testing.T, fps float64, scale int) *Animation {
	t.Helper()
	a, err := NewAnimation(AnimationOptions{FPS: fps, Scale: scale})
	require.NoError(t, err)
	return a
}

// smooth is a picture [3, h, w] of all reds and greens.
func smooth(h, w int) []byte {
	pix := make([]byte, 3*h*w)
	for y := range h {
		for x := range w {
			pix[y*w+x], pix[h*w+y*w+x], pix[2*h*w+y*w+x] = byte(255*x/(w-1)), byte(255*y/(h-1)), 128
		}
	}
	return pix
}

func TestAnimationIsWhatWasAdded(t *testing.T) {
	a := newAnimation(t, 25, 3)
	pix := pictures(5, 4, 6) // 24 colours each: nothing is lost
	require.NoError(t, a.Add(pix[:3*3*4*6], 3, 4, 6))
	require.NoError(t, a.AddImage(Picture(pix[3*3*4*6:], 4, 6)))
	require.Equal(t, 4, a.Len())
	animate(t, a) // and go on
	require.NoError(t, a.Add(pix[4*3*4*6:], 1, 4, 6))
	g := animate(t, a)
	require.Equal(t, 0, g.LoopCount, "for ever")
	require.Equal(t, []int{4, 4, 4, 4, 4}, g.Delay)
	require.Equal(t, [2]int{18, 12}, [2]int{g.Config.Width, g.Config.Height})
	for i, img := range g.Image {
		require.Equal(t, image.Rect(0, 0, 18, 12), img.Rect)
		for y := range 12 {
			for x := range 18 {
				require.Equal(t, color.RGBA{byte(10 * i), byte(y / 3), byte(x / 3), 255}, img.At(x, y))
			}
		}
	}
}

func TestAnimationOfOneFrameAndOneColour(t *testing.T) {
	for _, scale := range []int{0, 1, 2} {
		a := newAnimation(t, 0, scale)
		require.NoError(t, a.Add(slices.Repeat([]byte{201}, 3*5*7), 1, 5, 7))
		g := animate(t, a)
		require.Equal(t, 0, g.LoopCount)
		require.Equal(t, []int{5}, g.Delay, "20 frames per second")
		require.Equal(t, color.RGBA{201, 201, 201, 255}, g.Image[0].At(3, 2))
		require.Len(t, slices.Compact(g.Image[0].Pix), 1)
	}
	a := newAnimation(t, 1, 1)
	sub := Picture(smooth(8, 8), 8, 8).SubImage(image.Rect(3, 3, 6, 5))
	require.NoError(t, a.AddImage(sub))
	require.NoError(t, a.AddImage(image.NewNRGBA(image.Rect(0, 0, 3, 2))))
	g := animate(t, a)
	require.Equal(t, sub.At(4, 3), g.Image[0].At(1, 0), "a part of a picture")
	require.Equal(t, white, g.Image[1].At(1, 1), "transparent")
}

// Delays are rounded so that the sum stays exact: 60 frames at 24, 30, 50 and 0.01 per second.
func TestAnimationDelays(t *testing.T) {
	for fps, want := range map[float64]int{24: 250, 30: 200, 50: 120, 0.01: 60 * 10000, 7: 857} {
		a := newAnimation(t, fps, 1)
		sum := 0
		for i := range 60 {
			d := a.delay(i)
			require.GreaterOrEqual(t, d, 2, "browsers")
			require.InDelta(t, 100/fps, d, 1)
			sum += d
		}
		require.Equal(t, want, sum, fps)
	}
}

// psnr compares a frame with the picture that it was made of; with block > 1 means over squares of that side, which is what
// an eye sees from afar.
func psnr(got image.Image, want *image.RGBA, block int) float64 {
	sum, n := 0.0, 0.0
	for y := 0; y+block <= want.Rect.Dy(); y += block {
		for x := 0; x+block <= want.Rect.Dx(); x += block {
			var d [3]float64
			for k := range block * block {
				at := image.Pt(x+k%block, y+k/block)
				g, w := color.RGBAModel.Convert(got.At(at.X, at.Y)).(color.RGBA), want.RGBAAt(at.X, at.Y)
				for i, v := range []float64{float64(g.R) - float64(w.R), float64(g.G) - float64(w.G), float64(g.B) - float64(w.B)} {
					d[i] += v / float64(block*block)
				}
			}
			for _, v := range d {
				sum, n = sum+v*v, n+1
			}
		}
	}
	return 10 * math.Log10(255*255*n/sum)
}

// The picture of all reds and greens has its best 256 colours on a lattice of 16 by 16, steps of 15.9 from 0 to 255: the mean
// squared error is 15.9²/12 in two channels of three, 36.6 dB. Dithering trades 3 dB of that for means that are right.
func TestAnimationColours(t *testing.T) {
	want := Picture(smooth(128, 128), 128, 128)
	plain, dithered := newAnimation(t, 10, 2), newAnimation(t, 10, 1)
	require.NoError(t, plain.AddImage(want))
	require.NoError(t, dithered.AddImage(want))
	big := animate(t, plain).Image[0]
	small := image.NewRGBA(want.Rect)
	xdraw.NearestNeighbor.Scale(small, small.Rect, big, big.Rect, draw.Src, nil)
	require.InDelta(t, 36.6, psnr(small, want, 1), 0.3)
	got := animate(t, dithered).Image[0]
	require.Greater(t, psnr(got, want, 1), 33.0)
	require.Greater(t, psnr(got, want, 4), psnr(small, want, 4)+3, "no steps")
}

// Generated pictures, those of the README: half a decibel less than was measured, and far more than with the palette of the
// standard library, which image/gif takes by itself.
func TestAnimationOfGeneratedPictures(t *testing.T) {
	file, err := os.ReadFile(filepath.Join("..", "..", "docs", "demo.png"))
	require.NoError(t, err)
	whole, err := png.Decode(bytes.NewReader(file))
	require.NoError(t, err)
	a := newAnimation(t, 10, 2)
	var want []*image.RGBA
	for i := range 6 { // of the first row, where each pixel is a square of two by two
		one := image.NewRGBA(image.Rect(0, 0, 32, 32))
		xdraw.NearestNeighbor.Scale(one, one.Rect, whole, image.Rect(0, 0, 64, 64).Add(image.Pt(2+i*66, 2)), draw.Src, nil)
		want = append(want, one)
		require.NoError(t, a.AddImage(one))
	}
	for i, img := range animate(t, a).Image {
		small := image.NewRGBA(want[i].Rect)
		xdraw.NearestNeighbor.Scale(small, small.Rect, img, img.Rect, draw.Src, nil)
		require.Greater(t, psnr(small, want[i], 1), 38.2)
		plan9 := image.NewPaletted(small.Rect, palette.Plan9)
		draw.Draw(plan9, plan9.Rect, want[i], image.Point{}, draw.Src)
		require.Less(t, psnr(plan9, want[i], 1), 28.0)
	}
}

// photo is like a photograph [3, side, side]: soft light, an edge, grain.
func photo(side int) []byte {
	r := rand.New(rand.NewPCG(1, 1))
	pix := make([]byte, 3*side*side)
	for i := range side * side {
		x, y := float64(i%side)/float64(side), float64(i/side)/float64(side)
		edge := 0.0
		if math.Hypot(x-0.4, y-0.5) < 0.25 {
			edge = 60
		}
		grain := 6 * r.NormFloat64()
		for c := range 3 {
			k := float64(c)
			v := 110 + 60*math.Sin(5*x+2*y+k) + 30*math.Cos(11*y-3*x*(k+1)) + edge*(1-0.35*k) + grain
			pix[c*side*side+i] = byte(max(0, min(255, v)))
		}
	}
	return pix
}

// Indices are those of image/draw without dithering, and with it as near to the picture within a tenth of a decibel, pixel
// by pixel and from afar.
func TestQuantiseIsThatOfTheStandardLibrary(t *testing.T) {
	for name, img := range map[string]*image.RGBA{"photo": Picture(photo(200), 200, 200), "smooth": Picture(smooth(150, 150), 150, 150)} {
		got := quantise(img, false)
		want := image.NewPaletted(img.Rect, got.Palette)
		draw.Draw(want, want.Rect, img, image.Point{}, draw.Src)
		require.Equal(t, want.Pix, got.Pix, name)
		got = quantise(img, true)
		draw.FloydSteinberg.Draw(want, want.Rect, img, image.Point{})
		for _, block := range []int{1, 4} {
			require.InDelta(t, psnr(want, img, block), psnr(got, img, block), 0.1, "%s, squares of %d", name, block)
		}
	}
}

func BenchmarkAnimation(b *testing.B) {
	pix := photo(512)
	for scale, name := range map[int]string{1: "dithered", 2: "enlarged"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				a, err := NewAnimation(AnimationOptions{Scale: scale})
				require.NoError(b, err)
				require.NoError(b, a.Add(pix, 1, 512, 512))
			}
		})
	}
}

// The same frame is written alike each time: what stands still does not flicker.
func TestAnimationDoesNotFlicker(t *testing.T) {
	a := newAnimation(t, 10, 1)
	pix := smooth(64, 64)
	require.NoError(t, a.Add(slices.Concat(pix, pix, pix), 3, 64, 64))
	g := animate(t, a)
	for _, img := range g.Image[1:] {
		require.Equal(t, g.Image[0].Pix, img.Pix)
		require.Equal(t, g.Image[0].Palette, img.Palette)
	}
}

// 600 frames of 128x128 are 9.8 MB as indices and 118 MB as floats; compressed they are not much more than their palettes.
func TestAnimationMemory(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	a := newAnimation(t, 50, 8)
	pix := smooth(16, 16)
	for i := range 600 {
		pix[0] = byte(i)
		require.NoError(t, a.Add(pix, 1, 16, 16))
	}
	grown := heap() - before
	require.Less(t, grown, int64(600*16*1024/2))
	g := animate(t, a)
	require.Len(t, g.Image, 600)
	require.Equal(t, byte(599%256), color.RGBAModel.Convert(g.Image[599].At(0, 0)).(color.RGBA).R)
}

func TestAnimationErrors(t *testing.T) {
	for _, fps := range []float64{-1, 50.1, 100, 0.001, math.NaN(), math.Inf(1)} {
		_, err := NewAnimation(AnimationOptions{FPS: fps})
		require.EqualError(t, err, fmt.Sprintf("monitor: animation: frames per second: got %v vs 0.01 to 50", fps))
	}
	_, err := NewAnimation(AnimationOptions{Scale: -2})
	require.EqualError(t, err, "monitor: animation: scale: got -2 vs a whole factor from 1")

	dir := t.TempDir()
	a := newAnimation(t, 10, 300)
	require.EqualError(t, a.Write("a.gif"), "monitor: write a.gif: got no frames vs 1 or more")
	require.EqualError(t, a.Add(nil, 0, 8, 8), "monitor: animation: add: got 0 bytes vs 0 frames of 3x8x8")
	require.EqualError(t, a.Add(make([]byte, 191), 1, 8, 8), "monitor: animation: add: got 191 bytes vs 1 frames of 3x8x8")
	require.EqualError(t, a.AddImage(image.NewRGBA(image.Rectangle{})),
		"monitor: animation: frame 0: got 0x0 pixels vs 1 to 218 a side at scale 300")
	require.EqualError(t, a.AddImage(image.NewRGBA(image.Rect(0, 0, 219, 1))),
		"monitor: animation: frame 0: got 219x1 pixels vs 1 to 218 a side at scale 300")
	a = newAnimation(t, 10, 1)
	require.NoError(t, a.Add(pictures(2, 3, 4), 2, 3, 4))
	require.EqualError(t, a.Add(pictures(1, 4, 3), 1, 4, 3),
		"monitor: animation: frame 2: got 3x4 pixels vs 4x3, the size of those before")
	require.Equal(t, 2, a.Len())
	require.EqualError(t, a.Write("a.png"), `monitor: write a.png: got a name ending in ".png" vs .gif`)
	none := filepath.Join(dir, "none", "a.gif")
	require.EqualError(t, a.Write(none), "monitor: write "+none+": open: no such file or directory")
	// A folder stands where the file should be: nothing is left beside it.
	path := filepath.Join(dir, "a.gif")
	require.NoError(t, os.Mkdir(path, 0o755))
	require.EqualError(t, a.Write(path), "monitor: write "+path+": not a regular file")
	l, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, l, 1)
	require.NoError(t, os.Remove(path))
	require.NoError(t, a.Write(path))
	l, err = os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, l, 1)
}

// A picture of few colours keeps them, however close they are; more become 256.
func TestChoosePalette(t *testing.T) {
	few := image.NewRGBA(image.Rect(0, 0, 16, 16))
	for i := range 256 {
		few.SetRGBA(i%16, i/16, color.RGBA{byte(i), 100, 101, 255})
	}
	p := choosePalette(few)
	require.Len(t, p, 256)
	for i := range 256 {
		require.Contains(t, p, color.Color(color.RGBA{byte(i), 100, 101, 255}))
	}
	// 128 x 128 colours: more than are counted one by one.
	require.Len(t, choosePalette(Picture(smooth(128, 128), 128, 128)), 256)
	// Two colours of which one is rare: it is not lost among the steps of the other.
	rare := Picture(smooth(128, 128), 128, 128)
	rare.SetRGBA(64, 64, color.RGBA{255, 255, 255, 255})
	got := choosePalette(rare).Convert(white).(color.RGBA)
	require.Greater(t, got.B, uint8(200))
}

// Pictures come as trainers.Pixels and [Grid] take and give them: some frames at once, or one grid as a frame.
func ExampleAnimation() {
	dir, err := os.MkdirTemp("", "animation")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	a, err := NewAnimation(AnimationOptions{FPS: 25, Scale: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range 6 {
		pix := make([]byte, 10*3*32*32) // ten frames of one brightness
		for k := range pix {
			pix[k] = byte(40 * i)
		}
		if err = a.Add(pix, 10, 32, 32); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(a.Len(), a.Write(filepath.Join(dir, "walk.gif")))
	fmt.Println(a.Write(filepath.Join("nowhere", "walk.gif")))
	// Output:
	// 60 <nil>
	// monitor: write nowhere/walk.gif: open: no such file or directory
}
