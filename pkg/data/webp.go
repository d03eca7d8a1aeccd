package data

import (
	"image"
	"image/color"
)

// studioRange turns the planes of a lossy WebP into RGB. VP8 has luma from 16 to 235 and chroma from 16 to 240 (RFC 6386
// 9.2, ITU-R BT.601), golang.org/x/image/webp returns them as image.YCbCr, and Go takes that for JPEG's full range: black
// would become grey 16, and everything 14 % paler than the same picture as a PNG.
func studioRange(img image.Image) image.Image {
	var p *image.YCbCr
	alpha := func(x, y int) uint8 { return 255 }
	switch img := img.(type) {
	case *image.YCbCr:
		p = img
	case *image.NYCbCrA:
		p = &img.YCbCr
		alpha = func(x, y int) uint8 { return img.A[img.AOffset(x, y)] }
	default:
		return img // lossless: RGB already
	}
	b := p.Rect
	out := image.NewNRGBA(b)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			l, c := p.YOffset(x, y), p.COffset(x, y)
			// 255/219 and 255/224 times BT.601's factors, in 1/65536.
			yy := 76309 * (int32(p.Y[l]) - 16)
			cb, cr := int32(p.Cb[c])-128, int32(p.Cr[c])-128
			out.SetNRGBA(x, y, color.NRGBA{
				R: clamp8(yy + 104597*cr), G: clamp8(yy - 25675*cb - 53279*cr), B: clamp8(yy + 132201*cb), A: alpha(x, y),
			})
		}
	}
	return out
}

// clamp8 rounds 1/65536ths to the nearest byte.
func clamp8(v int32) uint8 { return uint8(min(255, max(0, (v+1<<15)>>16))) }
