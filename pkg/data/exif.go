package data

import (
	"encoding/binary"
	"image"
	"image/draw"
)

// exifOrientation is the EXIF tag 0x0112 in a segment of a JPEG, 1 to 8, 1 being upright, and whether it is a segment of EXIF.
func exifOrientation(segment []byte) (o int, ok bool) {
	if len(segment) <= 14 || string(segment[:6]) != "Exif\x00\x00" {
		return 1, false
	}
	return tiffOrientation(segment[6:]), true
}

// tiffOrientation is 1 when the tag is not there or makes no sense.
func tiffOrientation(t []byte) int {
	if v := tiffTag(t, 0x0112); v >= 1 && v <= 8 {
		return int(v)
	}
	return 1
}

// tiffTag is the first value of a tag in the first directory of a TIFF; 0 if it is not there. It is read as
// golang.org/x/image/tiff reads it, so that no file says one thing here and another there.
func tiffTag(t []byte, tag uint16) uint32 {
	if len(t) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.LittleEndian
	if string(t[:2]) == "MM" {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(t[4:]))
	if at+2 > int64(len(t)) {
		return 0
	}
	n := int64(order.Uint16(t[at:]))
	for e := at + 2; n > 0 && e+12 <= int64(len(t)); e, n = e+12, n-1 {
		if order.Uint16(t[e:]) == tag {
			return tiffValue(t, t[e:e+12], order)
		}
	}
	return 0
}

// tiffValue is the first value of an entry: in it, or where it points to when there are more than fit into four bytes.
func tiffValue(t, entry []byte, order binary.ByteOrder) uint32 {
	size := map[uint16]int64{1: 1, 3: 2, 4: 4}[order.Uint16(entry[2:])] // byte, short, long
	value := entry[8:]
	if n := int64(order.Uint32(entry[4:])); n == 0 || size == 0 {
		return 0
	} else if n*size > 4 {
		at := int64(order.Uint32(value))
		if at+size > int64(len(t)) {
			return 0
		}
		value = t[at:]
	}
	switch size {
	case 1:
		return uint32(value[0])
	case 2:
		return uint32(order.Uint16(value))
	}
	return order.Uint32(value)
}

// faxed tells whether a TIFF has one of the compressions of fax machines (2, 3, 4), which golang.org/x/image/tiff decodes to
// negatives.
func faxed(file []byte) bool {
	c := tiffTag(file, 0x0103)
	return c >= 2 && c <= 4
}

// tiles is how the pixels of a TIFF are cut up.
type tiles struct {
	n          int64
	pixels     int64 // of one
	compressed bool
}

func tilesOf(file []byte, w, h int) tiles {
	t := tiles{compressed: tiffTag(file, 0x0103) > 1}
	tw, th := int64(tiffTag(file, 0x0142)), int64(tiffTag(file, 0x0143))
	if tw == 0 { // strips
		tw, th = int64(w), int64(h)
		if rows := int64(tiffTag(file, 0x0116)); rows > 0 && rows < th {
			th = rows
		}
	}
	if tw < 1 || th < 1 { // refused by the decoder
		return t
	}
	tw, th = min(tw, 1<<20), min(th, 1<<20) // more than any side
	t.n, t.pixels = ((int64(w)+tw-1)/tw)*((int64(h)+th-1)/th), tw*th
	return t
}

// memory is that of one tile unpacked, up to eight bytes a pixel whatever the picture has, in a buffer that grows.
func (t tiles) memory(file int) int64 {
	n := 24 * min(t.pixels, 4*MaxPixels)
	if !t.compressed {
		n = min(n, 3*int64(file))
	}
	return n
}

// oriented turns and mirrors a picture that was stored with an orientation. Those that are have no alpha.
func oriented(img image.Image, o int) image.Image {
	if o <= 1 || o > 8 {
		return img
	}
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	dw, dh := w, h
	if o >= 5 {
		dw, dh = h, w
	}
	dst := image.NewRGBA(image.Rect(0, 0, dw, dh))
	row := image.NewRGBA(image.Rect(0, 0, w, 1))
	for y := range h {
		draw.Draw(row, row.Rect, img, image.Pt(b.Min.X, b.Min.Y+y), draw.Src)
		for x := range w {
			dx, dy := x, y
			switch o {
			case 2:
				dx = w - 1 - x
			case 3:
				dx, dy = w-1-x, h-1-y
			case 4:
				dy = h - 1 - y
			case 5:
				dx, dy = y, x
			case 6:
				dx, dy = h-1-y, x
			case 7:
				dx, dy = h-1-y, w-1-x
			case 8:
				dx, dy = y, w-1-x
			}
			copy(dst.Pix[4*(dy*dw+dx):][:4], row.Pix[4*x:][:4])
		}
	}
	return dst
}
