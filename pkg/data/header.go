package data

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"

	"golang.org/x/image/tiff"
)

// What no picture may exceed. Each limit is far above what cameras, scanners and programs write, and each has a file of a few
// kilobytes that takes gigabytes or minutes without it.
const (
	// maxSide is the longest side, which is also that of JPEG. Scaling keeps every row of one direction: a line of 1 x 64 M
	// pixels would need 50 GB.
	maxSide = 1<<16 - 1
	// maxScans is how often a progressive JPEG may go over all its pixels at the largest size; smaller ones may more often.
	// Encoders write at most 18 scans; one of no new pixels takes ten bytes, and a sixth of a second. Others, which have at most
	// four, may a quarter of that.
	maxScans = 32
	// maxTiles is how many pieces a TIFF may be cut into. Compressed ones cost 20 microseconds each, whatever their size.
	maxTiles = 1 << 17
)

// header is what a picture says of itself before its pixels are decoded.
type header struct {
	kind   string // as image.RegisterFormat names it
	w, h   int
	turned int   // the EXIF orientation of a JPEG or TIFF, 1 for others
	memory int64 // about the most bytes that decoding has at a time, with what is made of them before scaling
}

// inspect refuses what is no picture, and what would take too much memory or time. maxPixels is [MaxPixels] but in tests.
func inspect(file []byte, maxPixels int64) (*header, error) {
	c, kind, err := configOf(file)
	if err != nil {
		return nil, fmt.Errorf("data: decode: %w", err)
	}
	h := &header{kind: kind, w: c.Width, h: c.Height, turned: 1}
	tooLarge := func(format string, args ...any) error {
		return fmt.Errorf("data: decode: %w: %s", ErrTooLarge, fmt.Sprintf(format, args...))
	}
	switch pixels := int64(c.Width) * int64(c.Height); {
	case c.Width < 1 || c.Height < 1:
		return nil, fmt.Errorf("data: decode: got a picture of %d x %d", c.Width, c.Height)
	case c.Width > maxSide || c.Height > maxSide:
		return nil, tooLarge("%d x %d vs at most %d on a side", c.Width, c.Height, maxSide)
	case pixels > maxPixels:
		return nil, tooLarge("%d x %d vs at most %d megapixels", c.Width, c.Height, maxPixels>>20)
	}
	switch kind {
	case "jpeg":
		j := frameOf(file)
		most := maxScans * maxPixels / j.pixels(c.Width, c.Height)
		if !j.progressive {
			most = max(most/4, 4)
		}
		if int64(j.scans) > most {
			return nil, tooLarge("a JPEG of %d x %d in %d scans vs at most %d", c.Width, c.Height, j.scans, most)
		}
		h.turned = j.turned
		h.memory = j.memory(c.Width, c.Height)
	case "tiff":
		if faxed(file) {
			return nil, errors.New("data: decode: got a TIFF with fax compression, which is not supported")
		}
		t := tilesOf(file, c.Width, c.Height)
		if t.n > maxTiles {
			return nil, tooLarge("a TIFF of %d x %d in %d tiles vs at most %d", c.Width, c.Height, t.n, maxTiles)
		}
		h.turned = tiffOrientation(file)
		h.memory = h.plainMemory(file, c.ColorModel) + t.memory(len(file))
	default:
		h.memory = h.plainMemory(file, c.ColorModel)
	}
	return h, nil
}

// configOf is image.DecodeConfig. Through that the decoder of TIFF, which may read anywhere, would see a stream and no file,
// and keep what it read of it: 10 MB at a time.
func configOf(file []byte) (image.Config, string, error) {
	if bytes.HasPrefix(file, []byte("II*\x00")) || bytes.HasPrefix(file, []byte("MM\x00*")) {
		c, err := tiff.DecodeConfig(bytes.NewReader(file))
		return c, "tiff", err
	}
	return image.DecodeConfig(bytes.NewReader(file))
}

// plainMemory is that of formats whose decoders hold the picture and little else.
func (h *header) plainMemory(file []byte, model color.Model) int64 {
	n := int64(4) // a pixel
	codes := int64(0)
	_, palette := model.(color.Palette)
	grey := false
	switch {
	case palette:
		n = 1
	case model == color.GrayModel:
		n, grey = 1, true
	case model == color.Gray16Model:
		n, grey = 2, true
	case model == color.RGBA64Model, model == color.NRGBA64Model:
		n = 8
	}
	switch h.kind {
	case "png":
		if grey { // with a transparent one it has four channels
			n *= 4
		}
		if len(file) > pngInterlace && file[pngInterlace] != 0 { // in seven parts, which are put together
			n *= 2
		}
	case "gif":
		n = 2 // lines in another order are put in order
	case "webp":
		switch n = 2; model {
		case color.YCbCrModel:
		case color.NYCbCrAModel:
			n += 10 // alpha is a lossless picture by itself
			codes = min(256*int64(len(file)), 128<<20)
		default:
			n = 10 // indices, colours, and what tells how each part is coded
			codes = min(256*int64(len(file)), 128<<20)
		}
	case "tiff":
		if h.turned > 1 {
			n += 8
		}
	}
	n += 4                                       // RGB or NRGBA, whichever is scaled
	return n*int64(h.w+15)*int64(h.h+15) + codes // of whole blocks
}

// pngInterlace is where a PNG says whether it is interlaced: its first chunk has a fixed place.
const pngInterlace = 28
