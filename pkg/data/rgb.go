package data

import (
	"fmt"
	"image"
	"image/color"
)

// RGB is a picture of 8-bit RGB without alpha, three bytes a pixel, row by row: what Pillow's convert("RGB") makes. It
// is an [image.Image].
type RGB struct {
	Pix  []byte // 3*W*H
	W, H int
}

// NewRGB returns a black picture.
func NewRGB(w, h int) *RGB { return &RGB{make([]byte, 3*w*h), w, h} }

// ColorModel is that of an opaque picture.
func (p *RGB) ColorModel() color.Model { return color.RGBAModel }

// Bounds begins at (0, 0).
func (p *RGB) Bounds() image.Rectangle { return image.Rect(0, 0, p.W, p.H) }

// At is one pixel; transparent outside of the picture.
func (p *RGB) At(x, y int) color.Color {
	if x < 0 || y < 0 || x >= p.W || y >= p.H {
		return color.RGBA{}
	}
	v := p.row(y)[3*x : 3*x+3]
	return color.RGBA{v[0], v[1], v[2], 255}
}

// RGBA64At is At without an allocation, for packages that ask for it.
func (p *RGB) RGBA64At(x, y int) color.RGBA64 {
	if x < 0 || y < 0 || x >= p.W || y >= p.H {
		return color.RGBA64{}
	}
	v := p.row(y)[3*x : 3*x+3]
	return color.RGBA64{R: uint16(v[0]) * 0x101, G: uint16(v[1]) * 0x101, B: uint16(v[2]) * 0x101, A: 0xffff}
}

// Opaque is true: encoders then leave alpha out.
func (p *RGB) Opaque() bool { return true }

func (p *RGB) row(y int) []byte { return p.Pix[3*p.W*y : 3*p.W*(y+1)] }

// ReadRGB is [DecodeRGB] of a file. The error names it.
func ReadRGB(path string) (*RGB, error) {
	file, err := readFile(path)
	if err != nil {
		return nil, err
	}
	p, err := DecodeRGB(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown(path), err)
	}
	return p, nil
}

// DecodeRGB reads a picture as Pillow's Image.open(file).convert("RGB") does, which is how the detectors' training data
// were read. It differs from [Decode] in what a viewer would mind: a JPEG is not turned as its EXIF orientation says,
// alpha is dropped and shows what was behind it, and 16-bit grey is cut off at 255 and not scaled. And it differs in
// detail: colours are computed as libjpeg and libwebp do, which interpolate chroma. All formats agree with Pillow to the
// last bit but JPEG, whose inverse cosine transform rounds otherwise in image/jpeg: by up to 3 of 255, 0.05 in the mean.
// Limits and formats are the same.
func DecodeRGB(file []byte) (*RGB, error) {
	h, err := inspect(file, MaxPixels)
	if err != nil {
		return nil, err
	}
	return h.rgb(file)
}

// rgb is [DecodeRGB] after inspect.
func (h *header) rgb(file []byte) (*RGB, error) {
	img, err := h.decode(file)
	if err != nil {
		return nil, err
	}
	switch img := img.(type) {
	case *image.YCbCr:
		if h.kind == "webp" {
			return webpRGB(img), nil
		}
	case *image.NYCbCrA:
		return webpRGB(&img.YCbCr), nil
	case *image.Paletted:
		if h.kind == "gif" {
			return gifScreen(file, img), nil
		}
	case *image.NRGBA64:
		if h.kind == "png" && file[pngColourType] == 0 { // 16-bit grey with a transparent one
			return each(img, func(x, y int) (r, g, b uint8) {
				v := uint8(min(img.NRGBA64At(x, y).R, 255))
				return v, v, v
			}), nil
		}
	}
	p := ToRGB(img)
	if h.kind == "tiff" && h.turned > 1 { // the one format that Pillow turns when it opens it
		p = ToRGB(oriented(p, h.turned))
	}
	return p, nil
}

// pngColourType is where a PNG says whether it is grey (0): its first chunk has a fixed place.
const pngColourType = 25

// ToRGB turns a picture that is decoded already into RGB, with the rules of [DecodeRGB].
func ToRGB(img image.Image) *RGB {
	switch img := img.(type) {
	case *RGB:
		return img
	case *image.YCbCr:
		if p := jpegRGB(img); p != nil {
			return p
		}
	case *image.Gray:
		return each(img, func(x, y int) (r, g, b uint8) {
			v := img.Pix[img.PixOffset(x, y)]
			return v, v, v
		})
	case *image.Gray16:
		return each(img, func(x, y int) (r, g, b uint8) {
			v := uint8(min(img.Gray16At(x, y).Y, 255))
			return v, v, v
		})
	case *image.NRGBA:
		return dropFourth(img.Pix, img.Stride, img.Rect)
	case *image.RGBA:
		if img.Opaque() {
			return dropFourth(img.Pix, img.Stride, img.Rect)
		}
		return each(img, func(x, y int) (r, g, b uint8) {
			v := img.Pix[img.PixOffset(x, y):][:4]
			return undo(v[0], v[3]), undo(v[1], v[3]), undo(v[2], v[3])
		})
	case *image.NRGBA64:
		return each(img, func(x, y int) (r, g, b uint8) {
			v := img.NRGBA64At(x, y)
			return uint8(v.R >> 8), uint8(v.G >> 8), uint8(v.B >> 8)
		})
	case *image.RGBA64:
		if img.Opaque() {
			return each(img, func(x, y int) (r, g, b uint8) {
				v := img.RGBA64At(x, y)
				return uint8(v.R >> 8), uint8(v.G >> 8), uint8(v.B >> 8)
			})
		}
	case *image.CMYK:
		return each(img, func(x, y int) (r, g, b uint8) {
			v := img.Pix[img.PixOffset(x, y):][:4]
			return unprint(v[0], v[3]), unprint(v[1], v[3]), unprint(v[2], v[3])
		})
	case *image.Paletted:
		colours := palette(img.Palette)
		return each(img, func(x, y int) (r, g, b uint8) {
			c := colours[img.Pix[img.PixOffset(x, y)]]
			return c[0], c[1], c[2]
		})
	}
	return each(img, func(x, y int) (r, g, b uint8) {
		c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
		return c.R, c.G, c.B
	})
}

// each fills a picture from what at says of every pixel of img.
func each(img image.Image, at func(x, y int) (r, g, b uint8)) *RGB {
	bounds := img.Bounds()
	p := NewRGB(bounds.Dx(), bounds.Dy())
	i := 0
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			p.Pix[i], p.Pix[i+1], p.Pix[i+2] = at(x, y)
			i += 3
		}
	}
	return p
}

// dropFourth keeps three of every four bytes.
func dropFourth(pix []byte, stride int, bounds image.Rectangle) *RGB {
	p := NewRGB(bounds.Dx(), bounds.Dy())
	for y := range p.H {
		from, to := pix[y*stride:][:4*p.W], p.row(y)
		for len(from) >= 4 && len(to) >= 3 {
			to[0], to[1], to[2] = from[0], from[1], from[2]
			from, to = from[4:], to[3:]
		}
	}
	return p
}

// undo takes alpha out of a colour that was multiplied by it.
func undo(v, a uint8) uint8 {
	if a == 0 {
		return 0
	}
	return uint8(min(255, int(v)*255/int(a)))
}

// unprint is Pillow's light of an ink under black.
func unprint(ink, black uint8) uint8 {
	white := int(255 - black)
	t := int(ink)*white + 128
	return uint8(max(0, white-(t>>8+t)>>8))
}

// palette is the colours behind a palette's alpha; indices that it does not have are black.
func palette(p color.Palette) (l [256][3]uint8) {
	for i, c := range p[:min(256, len(p))] {
		n := color.NRGBAModel.Convert(c).(color.NRGBA)
		l[i] = [3]uint8{n.R, n.G, n.B}
	}
	return l
}
