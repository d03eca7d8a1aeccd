package monitor

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"

	"github.com/tigas-train/tigas-train/cgo/atomicfile"
)

// Grid lays n pictures out in rows, with a margin of two pixels: pix is [n, 3, h, w] RGB. columns 0 chooses a grid as
// square as possible. Small pictures are enlarged by a whole factor, so that the grid is 512 pixels wide at least.
func Grid(pix []byte, n, h, w, columns int) *image.RGBA {
	l := layOut(n, h, w, columns)
	img := image.NewRGBA(l.bounds())
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	for i := range n {
		at := l.cell(i)
		p := pix[i*3*h*w:]
		for y := range h * l.scale {
			for x := range w * l.scale {
				k := y/l.scale*w + x/l.scale
				img.SetRGBA(at.X+x, at.Y+y, color.RGBA{p[k], p[h*w+k], p[2*h*w+k], 255})
			}
		}
	}
	return img
}

// layout is where the pictures of a grid are.
type layout struct {
	n, h, w, columns int
	scale            int // pixels of the grid for each one of a picture
}

const gridMargin = 2

func layOut(n, h, w, columns int) layout {
	if columns <= 0 {
		columns = Columns(n)
	}
	columns = max(1, min(columns, n))
	return layout{n, h, w, columns, max(1, (511+columns*w)/(columns*w))}
}

// cell is the upper left corner of picture i.
func (l layout) cell(i int) image.Point {
	return image.Pt(i%l.columns*(l.w*l.scale+gridMargin)+gridMargin, i/l.columns*(l.h*l.scale+gridMargin)+gridMargin)
}

func (l layout) bounds() image.Rectangle {
	rows := (l.n + l.columns - 1) / l.columns
	return image.Rect(0, 0, l.columns*(l.w*l.scale+gridMargin)+gridMargin, rows*(l.h*l.scale+gridMargin)+gridMargin)
}

// Picture is one picture [3, h, w] RGB.
func Picture(pix []byte, h, w int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for k := range h * w {
		copy(img.Pix[4*k:], []byte{pix[k], pix[h*w+k], pix[2*h*w+k], 255})
	}
	return img
}

// WritePNG writes a picture in one step: a full disk leaves no half a picture.
func WritePNG(path string, img image.Image) error {
	return WriteFile(path, func(w io.Writer) error { return png.Encode(w, img) })
}

// WriteFile puts what write writes at path in one step, see [atomicfile.Write]. The error names the path.
func WriteFile(path string, write func(io.Writer) error) error {
	if err := atomicfile.Write(path, func(f *os.File) error { return write(f) }); err != nil {
		return fmt.Errorf("monitor: write %s: %w", path, err)
	}
	return nil
}
