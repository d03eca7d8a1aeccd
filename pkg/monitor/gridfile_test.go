package monitor

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

func TestGridPicturesAreThoseThatWereWritten(t *testing.T) {
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
		if _, err = png.Decode(bytes.NewReader(file)); err != nil { // checks the checksum of every chunk
			t.Fatalf("%v: no PNG: %v", g, err)
		}
		got := GridPictures(file)
		if len(got) != g.n {
			t.Fatalf("%v: got %d pictures", g, len(got))
		}
		size := 3 * g.h * g.w
		for i, img := range got {
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
func TestGridPicturesOfOtherFiles(t *testing.T) {
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
	files := map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "plain": plain.Bytes(),
		"another size": append(append(bytes.Clone(plain.Bytes()[:pngHead]), grid[pngHead:pngHead+70]...), plain.Bytes()[pngHead:]...),
		"huge":         bytes.Replace(grid, []byte("n=4 h=8"), []byte("n=9 h=9"), 1),
		"no numbers":   bytes.Replace(grid, []byte("n=4"), []byte("n=x"), 1),
		"zero":         bytes.Replace(grid, []byte("n=4"), []byte("n=0"), 1),
	}
	for k := range 120 {
		files["cut"] = grid[:k]
		for name, f := range files {
			if got := GridPictures(f); got != nil {
				t.Fatalf("%s: got %d pictures", name, len(got))
			}
		}
	}
	if len(GridPictures(grid)) != 4 {
		t.Fatal("the grid itself has no pictures: this test tests nothing")
	}
}
