package monitor

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

// pictures makes n pictures of one colour each: R = 10*i, G = y, B = x.
func pictures(n, h, w int) []byte {
	var pix []byte
	for i := range n {
		for c := range 3 {
			for y := range h {
				for x := range w {
					pix = append(pix, byte([]int{10 * i, y, x}[c]))
				}
			}
		}
	}
	return pix
}

var white = color.RGBA{255, 255, 255, 255}

func TestGridPixelsAreExact(t *testing.T) {
	const n, h, w, columns, margin = 5, 3, 256, 2, 2 // 2*256 is wide enough: no enlargement
	img := Grid(pictures(n, h, w), n, h, w, columns)
	if got, want := img.Rect, image.Rect(0, 0, columns*(w+margin)+margin, 3*(h+margin)+margin); got != want {
		t.Fatalf("size: got %v, want %v", got, want)
	}
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			cx, px := (x-margin)/(w+margin), (x-margin)%(w+margin)
			cy, py := (y-margin)/(h+margin), (y-margin)%(h+margin)
			want := white
			if i := cy*columns + cx; x >= margin && y >= margin && px < w && py < h && i < n {
				want = color.RGBA{byte(10 * i), byte(py), byte(px), 255}
			}
			if got := img.RGBAAt(x, y); got != want {
				t.Fatalf("pixel %d,%d: got %v, want %v", x, y, got, want)
			}
		}
	}
}

// Pictures that come in parts make the file that they make at once. A canvas for more of them is cut off below.
func TestCanvas(t *testing.T) {
	dir := t.TempDir()
	for _, g := range []struct{ room, n, part, h, w, columns int }{{5, 5, 2, 3, 256, 2}, {7, 7, 7, 8, 8, 0}, {9, 4, 3, 8, 5, 2}, {64, 64, 10, 32, 32, 0}} {
		pix := pictures(g.n, g.h, g.w)
		want, got := filepath.Join(dir, "want.png"), filepath.Join(dir, "got.png")
		if err := WriteGrid(want, pix, g.n, g.h, g.w, g.columns); err != nil {
			t.Fatal(err)
		}
		c, err := NewCanvas(g.room, g.h, g.w, g.columns)
		if err != nil {
			t.Fatal(err)
		}
		for part := range slices.Chunk(pix, g.part*3*g.h*g.w) {
			c.Add(part)
		}
		if err = c.Write(got); err != nil {
			t.Fatal(err)
		}
		a, err := os.ReadFile(want)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(got)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%v: got another file", g)
		}
	}
	c, err := NewCanvas(1, 8, 8, 1)
	if err != nil {
		t.Fatal(err)
	}
	c.Add(pictures(1, 8, 8))
	if err = c.Write(filepath.Join(dir, "none", "a.png")); err == nil {
		t.Error("written into a folder that is not there")
	}
}

// A grid takes four bytes a pixel, and its file little more on the way to the disk; one that is too large takes nothing.
func TestCanvasMemory(t *testing.T) {
	const n, side = 4, 512
	pix := make([]byte, 3*side*side)
	noise := rand.NewChaCha8([32]byte{}) // hard to compress
	path := filepath.Join(t.TempDir(), "grid.png")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c, err := NewCanvas(n, side, side, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		noise.Read(pix)
		c.Add(pix)
	}
	if err = c.Write(path); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	most := uint64(4*len(pix)/3*n) * 3 / 2
	if got := after.TotalAlloc - before.TotalAlloc; got > most {
		t.Errorf("took %d bytes vs at most %d", got, most)
	}
	if info, err := os.Stat(path); err != nil || info.Size() < n*side*side {
		t.Errorf("got %v, %v: the file compresses so well that this test tests nothing", info.Size(), err)
	}
	const want = "monitor: grid of 4032 pictures of 256x256: got 268451584 pixels vs at most 268435456"
	if _, err := NewCanvas(4032, 256, 256, 0); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestGridEnlargesSmallPictures(t *testing.T) {
	img := Grid(pictures(4, 32, 32), 4, 32, 32, 0) // 2x2, 8 times enlarged
	if got, want := img.Rect, image.Rect(0, 0, 2*(256+2)+2, 2*(256+2)+2); got != want {
		t.Fatalf("size: got %v, want %v", got, want)
	}
	for _, p := range []image.Point{{0, 0}, {7, 7}, {8, 0}, {255, 255}, {100, 33}} {
		want := color.RGBA{30, byte(p.Y / 8), byte(p.X / 8), 255}
		if got := img.RGBAAt(2+258+p.X, 2+258+p.Y); got != want {
			t.Errorf("last picture at %v: got %v, want %v", p, got, want)
		}
	}
}

// reds returns the red value of the first pixel of each cell in a one-row grid.
func reds(img *image.RGBA, n, cell int) []byte {
	var r []byte
	for i := range n {
		r = append(r, img.RGBAAt(2+i*(cell+2), 2).R)
	}
	return r
}

func TestGridWithScores(t *testing.T) {
	const n, h, w = 4, 128, 128
	pix, scores := pictures(n, h, w), []float64{0.5, nan, 0.9, 0.5}
	for sorted, want := range map[bool]string{false: "\x00\x0a\x14\x1e", true: "\x14\x00\x1e\x0a"} {
		img, err := GridWithScores(pix, n, h, w, n, scores, sorted)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := img.Rect, image.Rect(0, 0, n*(w+2)+2, h+14+2+2); got != want {
			t.Fatalf("size: got %v, want %v", got, want)
		}
		if got := string(reds(img, n, w)); got != want {
			t.Errorf("sorted %v: got order %x, want %x", sorted, got, want)
		}
		// Pictures are whole, and every caption has ink that stays in its strip.
		for i := range n {
			ink := 0
			for y := 2 + h; y < 2+h+14; y++ {
				for x := range w {
					if img.RGBAAt(2+i*(w+2)+x, y) != white {
						ink++
					}
				}
			}
			if ink < 20 {
				t.Errorf("caption %d has %d dark pixels", i, ink)
			}
			if got := img.RGBAAt(2+i*(w+2)+w-1, 2+h-1); got.G != h-1 || got.B != w-1 {
				t.Errorf("picture %d: last pixel is %v", i, got)
			}
		}
		for x := range img.Rect.Dx() {
			if img.RGBAAt(x, img.Rect.Dy()-1) != white || img.RGBAAt(x, 0) != white {
				t.Fatalf("margin has ink at %d", x)
			}
		}
	}
	// Tiny pictures in a wide grid are enlarged until a caption fits.
	img, err := GridWithScores(pictures(64, 8, 8), 64, 8, 8, 64, make([]float64, 64), true)
	if err != nil || img.Rect.Dx() != 64*(32+2)+2 {
		t.Errorf("got %v, %v", img.Rect, err)
	}
	for name, f := range map[string]func() (*image.RGBA, error){
		"no pictures": func() (*image.RGBA, error) { return GridWithScores(nil, 0, 8, 8, 0, nil, false) },
		"too short":   func() (*image.RGBA, error) { return GridWithScores(pix[1:], n, h, w, 0, scores, false) },
		"scores":      func() (*image.RGBA, error) { return GridWithScores(pix, n, h, w, 0, scores[1:], false) },
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestWritePNG(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.png")
	if err := WritePNG(path, Picture(pictures(1, 4, 5), 4, 5)); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil || img.Bounds() != image.Rect(0, 0, 5, 4) {
		t.Fatalf("got %v, %v", img, err)
	}
	if r, g, b, _ := img.At(4, 3).RGBA(); r != 0 || g != 3*257 || b != 4*257 {
		t.Errorf("got %d %d %d", r, g, b)
	}
	failed := errors.New("disk is full")
	before, _ := os.ReadFile(path)
	err = WriteFile(path, func(w io.Writer) error {
		io.WriteString(w, "half")
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("got error %v", err)
	}
	after, _ := os.ReadFile(path)
	if entries, _ := os.ReadDir(dir); len(entries) != 1 || string(after) != string(before) {
		t.Errorf("a failed write left %v", entries)
	}
}
