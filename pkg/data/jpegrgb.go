package data

import "image"

// jpegRGB turns a JPEG's planes into RGB as libjpeg-turbo does, bit for bit, whose "fancy upsampling" interpolates chroma
// with a triangle where Go's own conversion repeats it. Along a saturated edge the two differ by up to 100 of 255, and
// such marks are what a detector looks at. It returns nil for a part of a picture that begins within a chroma sample.
func jpegRGB(p *image.YCbCr) *RGB {
	stepX, stepY := chromaStep(p.SubsampleRatio)
	if stepX == 0 || p.Rect.Min.X%stepX != 0 || p.Rect.Min.Y%stepY != 0 {
		return nil
	}
	w, h := p.Rect.Dx(), p.Rect.Dy()
	out := NewRGB(w, h)
	if w == 0 || h == 0 {
		return out
	}
	cw, ch := (w+stepX-1)/stepX, (h+stepY-1)/stepY
	origin := p.COffset(p.Rect.Min.X, p.Rect.Min.Y)
	line := func(plane []byte, y int) []byte { return plane[origin+y*p.CStride:][:cw] }
	up := newUpsampler(p.SubsampleRatio, stepX, cw)
	cb, cr := make([]byte, cw*stepX), make([]byte, cw*stepX)
	for y := range h {
		near := y / stepY
		far := near // the row on the other side of this one
		if stepY == 2 {
			far = min(ch-1, max(0, near-1+2*(y&1)))
		}
		up.row(cb, line(p.Cb, near), line(p.Cb, far), y&1)
		up.row(cr, line(p.Cr, near), line(p.Cr, far), y&1)
		convert(out.row(y), p.Y[p.YOffset(p.Rect.Min.X, p.Rect.Min.Y+y):][:w], cb, cr)
	}
	return out
}

// chromaStep is how many pixels share a chroma sample; 0 for a ratio that is not known.
func chromaStep(r image.YCbCrSubsampleRatio) (x, y int) {
	switch r {
	case image.YCbCrSubsampleRatio444:
		return 1, 1
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio420:
		return 2, 2
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	}
	return 0, 0
}

// upsampler makes one row of chroma at full width from the row that covers it and its neighbour (jdsample.c).
type upsampler struct {
	step     int
	vertical bool // between two rows
	triangle bool // between two columns; libjpeg repeats where there are only two
	sums     []int32
}

func newUpsampler(r image.YCbCrSubsampleRatio, step, width int) *upsampler {
	u := &upsampler{step: step, triangle: step == 2 && width > 2, sums: make([]int32, width)}
	u.vertical = r == image.YCbCrSubsampleRatio440 || r == image.YCbCrSubsampleRatio420 && u.triangle
	return u
}

// row writes step*len(near) samples. odd is 1 for the lower of two rows that share chroma.
func (u *upsampler) row(dst, near, far []byte, odd int) {
	switch {
	case u.vertical && u.triangle: // h2v2_fancy_upsample
		for x, v := range near {
			u.sums[x] = 3*int32(v) + int32(far[x])
		}
		triangle(dst, u.sums, 4, 8, 7)
	case u.vertical: // h1v2_fancy_upsample
		for x, v := range near {
			dst[x] = uint8((3*int32(v) + int32(far[x]) + 1 + int32(odd)) >> 2)
		}
	case u.triangle: // h2v1_fancy_upsample
		for x, v := range near {
			u.sums[x] = int32(v)
		}
		triangle(dst, u.sums, 2, 1, 2)
	case u.step == 1:
		copy(dst, near)
	default:
		for x := range dst {
			dst[x] = near[x/u.step]
		}
	}
}

// triangle doubles a row: 3/4 of a sample and 1/4 of its neighbour, halves rounded down and up by turns so that the
// picture gets neither darker nor brighter. The samples are 1 << (shift-2) times as large as the result.
func triangle(dst []byte, s []int32, shift uint, left, right int32) {
	n := len(s)
	dst = dst[:2*n]
	prev := s[0]
	for x := range n - 1 {
		this, next := s[x], s[x+1]
		dst[2*x] = uint8((3*this + prev + left) >> shift)
		dst[2*x+1] = uint8((3*this + next + right) >> shift)
		prev = this
	}
	last := s[n-1]
	dst[2*n-2] = uint8((3*last + prev + left) >> shift)
	dst[2*n-1] = uint8((4*last + right) >> shift)
}

// What chroma adds to red, green and blue, in 1/65536 for green (jdcolor.c).
var redOf, blueOf, greenOfCr, greenOfCb = func() (r, b, gr, gb [256]int32) {
	for i := range r {
		x := int32(i) - 128
		r[i] = (91881*x + 1<<15) >> 16
		b[i] = (116130*x + 1<<15) >> 16
		gr[i] = -46802 * x
		gb[i] = -22554*x + 1<<15
	}
	return r, b, gr, gb
}()

// clamped is min(255, max(0, i-256)): a table is faster than two comparisons.
var clamped = func() (t [1024]uint8) {
	for i := range t {
		t[i] = uint8(min(255, max(0, i-256)))
	}
	return t
}()

// convert writes a row of RGB.
func convert(dst, luma, cb, cr []byte) {
	cb, cr = cb[:len(luma)], cr[:len(luma)]
	dst = dst[:3*len(luma)]
	for x, l := range luma {
		y, b, r := int32(l)+256, cb[x], cr[x]
		o := dst[3*x : 3*x+3 : 3*x+3]
		o[0] = clamped[(y+redOf[r])&1023]
		o[1] = clamped[(y+(greenOfCb[b]+greenOfCr[r])>>16)&1023]
		o[2] = clamped[(y+blueOf[b])&1023]
	}
}
