package monitor

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
)

// Grid lays n pictures out in rows, with a margin of two pixels: pix is [n, 3, h, w] RGB. columns 0 chooses a grid as
// square as possible. Small pictures are enlarged by a whole factor, so that the grid is 512 pixels wide at least.
func Grid(pix []byte, n, h, w, columns int) *image.RGBA {
	if columns <= 0 {
		columns = int(math.Ceil(math.Sqrt(float64(n))))
	}
	columns = max(1, min(columns, n))
	rows := (n + columns - 1) / columns
	const margin = 2
	scale := max(1, (511+columns*w)/(columns*w))
	cw, ch := w*scale+margin, h*scale+margin
	img := image.NewRGBA(image.Rect(0, 0, columns*cw+margin, rows*ch+margin))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	for i := range n {
		x0, y0 := i%columns*cw+margin, i/columns*ch+margin
		p := pix[i*3*h*w:]
		for y := range h * scale {
			for x := range w * scale {
				k := y/scale*w + x/scale
				img.SetRGBA(x0+x, y0+y, color.RGBA{p[k], p[h*w+k], p[2*h*w+k], 255})
			}
		}
	}
	return img
}

// Picture is one picture [3, h, w] RGB.
func Picture(pix []byte, h, w int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for k := range h * w {
		copy(img.Pix[4*k:], []byte{pix[k], pix[h*w+k], pix[2*h*w+k], 255})
	}
	return img
}

// WritePNG writes a picture under a temporary name first, so that a full disk leaves no half a picture.
func WritePNG(path string, img image.Image) error {
	return WriteFile(path, func(w io.Writer) error { return png.Encode(w, img) })
}

// WriteFile calls write for a temporary file beside path and renames it when everything went well.
func WriteFile(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("monitor: %w", err)
	}
	err = write(f)
	if e := f.Chmod(0o644); err == nil {
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("monitor: write %s: %w", path, err)
	}
	return nil
}
