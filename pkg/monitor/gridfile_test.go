package monitor

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

func TestSavedGridHasThePicturesThatWereWritten(t *testing.T) {
	for _, g := range []struct{ n, h, w, columns int }{{5, 3, 256, 2}, {7, 8, 8, 0}, {1, 32, 32, 0}, {64, 32, 32, 8}, {3, 2, 300, 9}} {
		pix := pictures(g.n, g.h, g.w)
		path := filepath.Join(t.TempDir(), "grid.png")
		if err := WriteGrid(path, pix, g.n, g.h, g.w, g.columns); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := png.Decode(bytes.NewReader(file)) // checks the checksum of every chunk
		if err != nil {
			t.Fatalf("%v: no PNG: %v", g, err)
		}
		got := ReadGrid(file, whole)
		if got == nil || got.Len() != g.n {
			t.Fatalf("%v: got %v", g, got)
		}
		size := 3 * g.h * g.w
		for i := range g.n {
			img := got.Picture(i)
			want := Picture(pix[i*size:], g.h, g.w)
			for y := range g.h {
				for x := range g.w {
					if img.At(x, y) != want.At(x, y) {
						t.Fatalf("%v: picture %d at %d,%d: got %v, want %v", g, i, x, y, img.At(x, y), want.At(x, y))
					}
				}
			}
		}
	}
}

// A picture that is no grid, was scaled since, or lies about itself has no pictures in it, and nothing panics.
func TestReadGridOfOtherFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "grid.png")
	if err := WriteGrid(path, pictures(4, 8, 8), 4, 8, 8, 2); err != nil {
		t.Fatal(err)
	}
	grid, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer
	if err = png.Encode(&plain, Picture(pictures(1, 64, 64), 64, 64)); err != nil {
		t.Fatal(err)
	}
	decode := func(b []byte) image.Image {
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	whole := decode(grid)
	files := map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "plain": plain.Bytes(),
		"huge":       bytes.Replace(grid, []byte("n=4 h=8"), []byte("n=9 h=9"), 1),
		"no numbers": bytes.Replace(grid, []byte("n=4"), []byte("n=x"), 1),
		"zero":       bytes.Replace(grid, []byte("n=4"), []byte("n=0"), 1),
	}
	for k := range pngHead + 40 { // before the end of the chunk
		files["cut"] = grid[:k]
		for name, f := range files {
			if got := ReadGrid(f, whole); got != nil {
				t.Fatalf("%s: got %d pictures", name, got.Len())
			}
		}
	}
	if ReadGrid(grid, decode(plain.Bytes())) != nil {
		t.Fatal("a picture of another size has pictures")
	}
	if got := ReadGrid(grid, whole); got == nil || got.Len() != 4 {
		t.Fatal("the grid itself has no pictures: this test tests nothing")
	}
}

// FuzzReadGrid wants of any file, with a picture of any size, none or the pictures of a grid that is as large as the picture.
func FuzzReadGrid(f *testing.F) {
	dir := f.TempDir()
	for _, g := range []struct{ n, h, w, columns int }{{5, 3, 256, 2}, {7, 8, 8, 0}, {1, 2, 600, 0}} {
		path := filepath.Join(dir, "grid.png")
		if err := WriteGrid(path, pictures(g.n, g.h, g.w), g.n, g.h, g.w, g.columns); err != nil {
			f.Fatal(err)
		}
		file, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		size := layOut(g.n, g.h, g.w, g.columns).bounds().Max
		f.Add(file[:pngHead+80], uint16(size.X), uint16(size.Y))
		f.Add(bytes.Replace(file[:pngHead+80], []byte("n="), []byte("n=9999999"), 1), uint16(size.X), uint16(size.Y))
	}
	f.Fuzz(func(t *testing.T, file []byte, w, h uint16) {
		whole := image.NewGray(image.Rect(0, 0, int(w)%4096, int(h)%4096))
		g := ReadGrid(file, whole)
		if g == nil {
			return
		}
		if n := g.Len() * g.h * g.w; g.Len() < 1 || n > len(whole.Pix) {
			t.Fatalf("%d pictures of %dx%d in %v", g.Len(), g.w, g.h, whole.Rect)
		}
		for _, i := range []int{0, g.Len() - 1} {
			at := g.cell(i)
			if cell := image.Rect(0, 0, g.w*g.scale, g.h*g.scale).Add(at); !cell.In(whole.Rect) {
				t.Fatalf("picture %d of %d is at %v in %v", i, g.Len(), cell, whole.Rect)
			}
			if size := g.Picture(i).Rect.Max; size != image.Pt(g.w, g.h) {
				t.Fatalf("picture of %v vs %dx%d", size, g.w, g.h)
			}
		}
	})
}
