package data

import "image"

// webpRGB turns the planes of a lossy WebP into RGB bit for bit as libwebp does: chroma interpolated between the four
// samples around a pixel, then BT.601's studio range (see [studioRange]) with libwebp's rounding.
func webpRGB(p *image.YCbCr) *RGB {
	w, h := p.Rect.Dx(), p.Rect.Dy()
	out := NewRGB(w, h)
	if w == 0 || h == 0 {
		return out
	}
	cw, ch := (w+1)/2, (h+1)/2
	origin := p.COffset(p.Rect.Min.X, p.Rect.Min.Y)
	line := func(plane []byte, y int) []byte { return plane[origin+y*p.CStride:][:cw] }
	u, v := make([]byte, 2*cw), make([]byte, 2*cw)
	for y := range h {
		near := y / 2
		far := min(ch-1, max(0, near-1+2*(y&1)))
		webpUpsample(u, line(p.Cb, near), line(p.Cb, far))
		webpUpsample(v, line(p.Cr, near), line(p.Cr, far))
		row := out.row(y)
		for x, l := range p.Y[p.YOffset(p.Rect.Min.X, p.Rect.Min.Y+y):][:w] {
			// VP8YUVToR, G and B in libwebp's src/dsp/yuv.h.
			l, u, v := int32(l)*19077>>8, int32(u[x]), int32(v[x])
			row[3*x] = clip6(l + v*26149>>8 - 14234)
			row[3*x+1] = clip6(l - u*6419>>8 - v*13320>>8 + 8708)
			row[3*x+2] = clip6(l + u*33050>>8 - 17685)
		}
	}
	return out
}

// webpUpsample doubles a row of chroma: 9/16 of the nearest sample, 3/16 of two, 1/16 of the farthest (UpsampleRgbLinePair
// in libwebp's src/dsp/upsampling.c).
func webpUpsample(dst, near, far []byte) {
	n := len(near)
	n0, f0 := int32(near[0]), int32(far[0])
	dst[0] = uint8((3*n0 + f0 + 2) >> 2)
	for x := 1; x < n; x++ {
		n1, f1 := int32(near[x]), int32(far[x])
		sum := n0 + n1 + f0 + f1 + 8
		dst[2*x-1] = uint8(((sum+2*(n1+f0))>>3 + n0) >> 1)
		dst[2*x] = uint8(((sum+2*(n0+f1))>>3 + n1) >> 1)
		n0, f0 = n1, f1
	}
	dst[2*n-1] = uint8((3*n0 + f0 + 2) >> 2)
}

// clip6 turns 1/64ths into a byte.
func clip6(v int32) uint8 { return uint8(min(255, max(0, v>>6))) }
