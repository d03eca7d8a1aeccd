package monitor

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
)

// gridKey names the text chunk that says how a grid is laid out, so that its pictures can be taken out again: a score of
// the grid as a whole would mean nothing.
const gridKey = "tigas-train grid"

// pngHead is the length of a PNG's signature and its first chunk, the header.
const pngHead = 8 + 12 + 13

// WriteGrid writes [Grid] to a PNG file, under a temporary name first. [ReadGrid] reads the pictures back.
func WriteGrid(path string, pix []byte, n, h, w, columns int) error {
	c := newCanvas(layOut(n, h, w, columns))
	c.Add(pix[:n*3*h*w])
	return c.Write(path)
}

// SavedGrid is a grid that [WriteGrid] or [Canvas.Write] wrote, read back.
type SavedGrid struct {
	layout
	img image.Image
}

// ReadGrid finds out whether a picture file holds a grid: img is what the file was decoded to. It returns nil for any other
// picture, one that was scaled or cut since among them. Nothing is decoded or copied.
func ReadGrid(file []byte, img image.Image) *SavedGrid {
	if len(file) < pngHead+8 || string(file[1:4]) != "PNG" || string(file[pngHead+4:pngHead+8]) != "tEXt" {
		return nil
	}
	size := int64(binary.BigEndian.Uint32(file[pngHead:]))
	if size > 200 || size > int64(len(file)-pngHead-8) {
		return nil
	}
	text, ok := bytes.CutPrefix(file[pngHead+8:pngHead+8+int(size)], []byte(gridKey+"\x00"))
	var n, h, w, columns int
	if _, err := fmt.Sscanf(string(text), "n=%d h=%d w=%d columns=%d", &n, &h, &w, &columns); err != nil || !ok {
		return nil
	}
	// None is larger than the whole, which keeps the sums below from running over.
	most := img.Bounds().Dx() * img.Bounds().Dy()
	if n < 1 || h < 1 || w < 1 || n > most || h > most || w > most {
		return nil
	}
	l := layOut(n, h, w, columns)
	if l.bounds() != img.Bounds() {
		return nil
	}
	return &SavedGrid{l, img}
}

// Len is how many pictures there are.
func (g *SavedGrid) Len() int { return g.n }

// Picture is a copy of picture i, at the size that it had before it was enlarged.
func (g *SavedGrid) Picture(i int) *image.RGBA {
	one := image.NewRGBA(image.Rect(0, 0, g.w, g.h))
	at := g.cell(i)
	for y := range g.h {
		for x := range g.w {
			one.Set(x, y, g.img.At(at.X+x*g.scale, at.Y+y*g.scale))
		}
	}
	return one
}
