package torch

import (
	"image"
	"image/color"
)

// maxPixels is more than there is memory for.
const maxPixels = 1 << 40

// FromImage copies a picture into a new uint8 tensor [3, H, W] of s, RGB, on the CPU. Transparency is dropped: the
// colours are those without it. It panics on a picture without bounds.
func (s *Scope) FromImage(img image.Image) *Tensor {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	if w > 0 && h > maxPixels/w { // such as image.Uniform, which is everywhere
		panicf("FromImage", nil, "got a picture of %d x %d vs at most %d pixels", w, h, maxPixels)
	}
	pix := make([]uint8, 3*w*h)
	for y := range h {
		for x := range w {
			c := color.NRGBAModel.Convert(img.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
			pix[y*w+x], pix[(h+y)*w+x], pix[(2*h+y)*w+x] = c.R, c.G, c.B
		}
	}
	return FromSlice(s, pix, 3, int64(h), int64(w))
}

// ToImage copies a tensor [3, H, W] or [1, H, W] to a picture. Floating-point elements are taken as [0, 1], clamped and
// rounded to the nearest of 256 levels; uint8 elements are taken as they are. It panics on any other shape.
func (t *Tensor) ToImage() *image.NRGBA {
	shape := t.Shape()
	if len(shape) != 3 || (shape[0] != 3 && shape[0] != 1) {
		panicf("ToImage", nil, "got shape %v vs [3 H W] or [1 H W]", shape)
	}
	s := NewScope()
	defer s.Close()
	x := s.Use(t).Detach()
	if x.DType() != Uint8 {
		x = x.To(Float32).Clamp(0, 1).MulScalar(255).AddScalar(0.5).To(Uint8)
	}
	pix := Slice[uint8](x)
	c, h, w := int(shape[0]), int(shape[1]), int(shape[2])
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		for k := range 3 {
			img.Pix[4*i+k] = pix[min(k, c-1)*w*h+i]
		}
		img.Pix[4*i+3] = 255
	}
	return img
}
