package monitor

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/png"
)

// gridKey names the text chunk that says how a grid is laid out, so that its pictures can be taken out again: a score of
// the grid as a whole would mean nothing.
const gridKey = "tigas-train grid"

// pngHead is the length of a PNG's signature and its first chunk, the header.
const pngHead = 8 + 12 + 13

// WriteGrid writes [Grid] to a PNG file, under a temporary name first. [GridPictures] reads the pictures back.
func WriteGrid(path string, pix []byte, n, h, w, columns int) error {
	c := newCanvas(layOut(n, h, w, columns))
	c.Add(pix[:n*3*h*w])
	return c.Write(path)
}

// GridPictures returns the pictures in a grid that [WriteGrid] wrote, at the size that they had, or nil for any other file.
func GridPictures(file []byte) []image.Image {
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
	if n < 1 || h < 1 || w < 1 || n > 1<<20 || h > 1<<14 || w > 1<<14 || int64(n)*int64(h)*int64(w) > 1<<28 {
		return nil
	}
	l := layOut(n, h, w, columns)
	got, err := png.DecodeConfig(bytes.NewReader(file))
	if err != nil || image.Pt(got.Width, got.Height) != l.bounds().Max {
		return nil // someone scaled or cut it
	}
	img, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		return nil
	}
	out := make([]image.Image, n)
	for i := range out {
		one := image.NewRGBA(image.Rect(0, 0, w, h))
		at := l.cell(i)
		for y := range h {
			for x := range w {
				one.Set(x, y, img.At(at.X+x*l.scale, at.Y+y*l.scale))
			}
		}
		out[i] = one
	}
	return out
}
