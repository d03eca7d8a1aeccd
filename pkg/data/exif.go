package data

import (
	"encoding/binary"
	"image"
	"image/draw"
)

// orientation is the EXIF tag 0x0112 of a JPEG file, 1 to 8; 1, upright, when there is none or it makes no sense.
func orientation(file []byte) int {
	if len(file) < 4 || file[0] != 0xff || file[1] != 0xd8 {
		return 1
	}
	for p := 2; p+4 <= len(file) && file[p] == 0xff; {
		marker, size := file[p+1], int(binary.BigEndian.Uint16(file[p+2:]))
		if marker == 0xda || size < 2 || p+2+size > len(file) { // pixels begin, or nonsense
			return 1
		}
		if seg := file[p+4 : p+2+size]; marker == 0xe1 && len(seg) > 14 && string(seg[:6]) == "Exif\x00\x00" {
			return tiffOrientation(seg[6:])
		}
		p += 2 + size
	}
	return 1
}

func tiffOrientation(t []byte) int {
	if v := tiffTag(t, 0x0112); v >= 1 && v <= 8 {
		return v
	}
	return 1
}

// tiffTag is the value of a tag of two bytes in the first directory of a TIFF; 0 if it is not there.
func tiffTag(t []byte, tag uint16) int {
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
			return int(order.Uint16(t[e+8:]))
		}
	}
	return 0
}

// faxed tells whether a TIFF has one of the compressions of fax machines (2, 3, 4), which golang.org/x/image/tiff decodes to
// negatives.
func faxed(file []byte) bool {
	c := tiffTag(file, 0x0103)
	return c >= 2 && c <= 4
}

// oriented turns and mirrors a picture that was stored with an orientation.
func oriented(img image.Image, o int) image.Image {
	if o <= 1 || o > 8 {
		return img
	}
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	src := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.Draw(src, src.Bounds(), img, b.Min, draw.Src)
	dw, dh := w, h
	if o >= 5 {
		dw, dh = h, w
	}
	dst := image.NewNRGBA(image.Rect(0, 0, dw, dh))
	for y := range dh {
		for x := range dw {
			sx, sy := x, y
			switch o {
			case 2:
				sx = w - 1 - x
			case 3:
				sx, sy = w-1-x, h-1-y
			case 4:
				sy = h - 1 - y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, h-1-x
			case 7:
				sx, sy = w-1-y, h-1-x
			case 8:
				sx, sy = w-1-y, x
			}
			copy(dst.Pix[dst.PixOffset(x, y):][:4], src.Pix[src.PixOffset(sx, sy):][:4])
		}
	}
	return dst
}
