package monitor

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"os"

	"github.com/tigas-train/tigas-train/cgo/atomicfile"
)

// Grid lays n pictures out in rows, with a margin of two pixels: pix is [n, 3, h, w] RGB. columns 0 chooses a grid as
// square as possible. Small pictures are enlarged by a whole factor, so that the grid is 512 pixels wide at least.
func Grid(pix []byte, n, h, w, columns int) *image.RGBA {
	c := newCanvas(layOut(n, h, w, columns))
	c.Add(pix[:n*3*h*w])
	return c.img
}

// MostGridPixels is the size of the largest [Canvas]: one GiB.
const MostGridPixels = 1 << 28

// Canvas is a [Grid] that pictures are drawn into as they come: it takes the memory of the grid, and not that of the pictures
// too.
type Canvas struct {
	layout
	img  *image.RGBA
	next int // the number of the next picture
}

// NewCanvas makes a white grid for n pictures. It fails if that has more than [MostGridPixels].
func NewCanvas(n, h, w, columns int) (*Canvas, error) {
	l := layOut(n, h, w, columns)
	if size := l.bounds().Max; size.X*size.Y > MostGridPixels {
		return nil, fmt.Errorf("monitor: grid of %d pictures of %dx%d: got %d pixels vs at most %d", n, w, h,
			size.X*size.Y, MostGridPixels)
	}
	return newCanvas(l), nil
}

func newCanvas(l layout) *Canvas {
	c := &Canvas{layout: l, img: image.NewRGBA(l.bounds())}
	for i := range c.img.Pix {
		c.img.Pix[i] = 255
	}
	return c
}

// Add draws the next pictures, [K, 3, h, w] RGB. It panics when there are more than the canvas has places.
func (c *Canvas) Add(pix []byte) {
	for size := 3 * c.h * c.w; len(pix) >= size; pix = pix[size:] {
		at := c.cell(c.next)
		for y := range c.h {
			row := c.img.Pix[c.img.PixOffset(at.X, at.Y+y*c.scale):][:4*c.w*c.scale]
			for x := range c.w {
				k := y*c.w + x
				for s := range c.scale {
					to := row[4*(x*c.scale+s):]
					to[0], to[1], to[2] = pix[k], pix[c.h*c.w+k], pix[2*c.h*c.w+k]
				}
			}
			for s := 1; s < c.scale; s++ {
				copy(c.img.Pix[c.img.PixOffset(at.X, at.Y+y*c.scale+s):], row)
			}
		}
		c.next++
	}
}

// Write writes the rows so far to a PNG file in one step, see [WriteFile]; [ReadGrid] reads their pictures back, if
// there is a whole row. The file is encoded as it is written.
func (c *Canvas) Write(path string) error {
	l := c.layout
	l.n = c.next
	text := fmt.Appendf(nil, "tEXt%s\x00n=%d h=%d w=%d columns=%d", gridKey, l.n, l.h, l.w, l.columns)
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(text)-4))
	chunk = binary.BigEndian.AppendUint32(append(chunk, text...), crc32.ChecksumIEEE(text))
	return WriteFile(path, func(w io.Writer) error {
		r, encoded := io.Pipe()
		done := make(chan struct{})
		defer func() {
			r.Close() // ends the encoder where the file cannot be written
			<-done
		}()
		go func() {
			defer close(done)
			encoded.CloseWithError(png.Encode(encoded, c.img.SubImage(l.bounds())))
		}()
		_, err := io.Copy(w, io.MultiReader(io.LimitReader(r, pngHead), bytes.NewReader(chunk), r))
		return err
	})
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
