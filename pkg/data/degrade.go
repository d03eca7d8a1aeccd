package data

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"

	xdraw "golang.org/x/image/draw"
)

// Degradation is a kind of harm that pictures come to on their way to a reader, generated and real ones alike. A detector
// that takes it for a sign of either is worth little outside its training data.
type Degradation int

// The kinds, each with a strength from 0 (hardly to be seen) to 1 (strong).
const (
	DegradeBlur  Degradation = iota // Gaussian of a standard deviation of 0.3 + 1.4 strength pixels
	DegradeScale                    // shrunk by a factor of 0.9 - 0.5 strength, enlarged again
	DegradeNoise                    // Gaussian of a standard deviation of 1 + 14 strength of 255 levels
	DegradeJPEG                     // compressed with a quality of 95 - 65 strength, colour at half the resolution
	degradations
)

// Degradations lists the kinds in the order in which a picture meets them: a file is compressed last.
var Degradations = []Degradation{DegradeBlur, DegradeScale, DegradeNoise, DegradeJPEG}

// String is "blur", "resize", "noise" or "jpeg".
func (d Degradation) String() string {
	return [degradations]string{"blur", "resize", "noise", "jpeg"}[d]
}

// Apply returns a copy of a picture with this degradation, at a strength in [0, 1]. Only the noise draws from rng, which may
// be nil for the others. It panics on a kind that there is none of.
func (d Degradation) Apply(p *RGB, strength float64, rng *rand.Rand) *RGB {
	switch d {
	case DegradeBlur:
		return blurred(p, 0.3+1.4*strength)
	case DegradeScale:
		f := 0.9 - 0.5*strength
		size := func(n int) int { return max(1, int(math.Round(f*float64(n)))) }
		return p.Resize(size(p.W), size(p.H)).Resize(p.W, p.H)
	case DegradeNoise:
		return noisy(p, 1+14*strength, rng)
	case DegradeJPEG:
		return recompressed(p, JPEGQuality(strength))
	}
	panic("data: degradation: no such kind")
}

// Setting says in words what a strength means, such as "quality 63".
func (d Degradation) Setting(strength float64) string {
	switch d {
	case DegradeBlur:
		return fmt.Sprintf("standard deviation %.2g pixels", 0.3+1.4*strength)
	case DegradeScale:
		return fmt.Sprintf("to %.3g and back", 0.9-0.5*strength)
	case DegradeNoise:
		return fmt.Sprintf("standard deviation %.2g of 255", 1+14*strength)
	}
	return fmt.Sprintf("quality %d", JPEGQuality(strength))
}

// JPEGQuality is the quality of [DegradeJPEG] at a strength: 95 at 0, 30 at 1.
func JPEGQuality(strength float64) int { return int(math.Round(95 - 65*strength)) }

// blurred convolves rows, then columns, with a Gaussian; outside, the border is repeated.
func blurred(p *RGB, sigma float64) *RGB {
	radius := int(math.Ceil(3 * sigma))
	kernel := make([]float32, 2*radius+1)
	var sum float32
	for i := range kernel {
		x := float64(i - radius)
		kernel[i] = float32(math.Exp(-x * x / (2 * sigma * sigma)))
		sum += kernel[i]
	}
	for i := range kernel {
		kernel[i] /= sum
	}
	rows := make([]float32, len(p.Pix))
	for y := range p.H {
		row, to := p.row(y), rows[3*p.W*y:]
		for x := range p.W {
			var r, g, b float32
			for i, k := range kernel {
				v := row[3*min(max(x+i-radius, 0), p.W-1):][:3]
				r, g, b = r+k*float32(v[0]), g+k*float32(v[1]), b+k*float32(v[2])
			}
			to[3*x], to[3*x+1], to[3*x+2] = r, g, b
		}
	}
	out := NewRGB(p.W, p.H)
	sums := make([]float32, 3*p.W)
	for y := range p.H {
		clear(sums)
		for i, k := range kernel {
			row := rows[3*p.W*min(max(y+i-radius, 0), p.H-1):][:len(sums)]
			for x, v := range row {
				sums[x] += k * v
			}
		}
		for x, v := range sums {
			out.row(y)[x] = uint8(min(v+0.5, 255))
		}
	}
	return out
}

// noisy adds noise to each value, the colours apart.
func noisy(p *RGB, deviation float64, rng *rand.Rand) *RGB {
	out := NewRGB(p.W, p.H)
	for i, v := range p.Pix {
		out.Pix[i] = uint8(min(max(math.Round(float64(v)+deviation*rng.NormFloat64()), 0), 255))
	}
	return out
}

// recompressed writes a JPEG and reads it again, as files are read.
func recompressed(p *RGB, quality int) *RGB {
	var b bytes.Buffer
	err := jpeg.Encode(&b, p.rgba(), &jpeg.Options{Quality: quality})
	if err == nil {
		var back *RGB
		if back, err = DecodeRGB(b.Bytes()); err == nil {
			return back
		}
	}
	panic("data: degradation: jpeg: " + err.Error()) // only for a side above 65,535
}

// rgba is a copy in the form for which other packages have fast paths.
func (p *RGB) rgba() *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, p.W, p.H))
	for i := range p.W * p.H {
		v, to := p.Pix[3*i:3*i+3], img.Pix[4*i:4*i+4]
		to[0], to[1], to[2], to[3] = v[0], v[1], v[2], 255
	}
	return img
}

// cubic scales with the Catmull-Rom kernel, which averages over all pixels when it shrinks.
func (p *RGB) cubic(w, h int) *RGB {
	if w == p.W && h == p.H {
		return p
	}
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	xdraw.CatmullRom.Scale(img, img.Rect, p.rgba(), image.Rect(0, 0, p.W, p.H), xdraw.Src, nil)
	return ToRGB(img)
}

// crop is a copy of the part in r, which must lie inside.
func (p *RGB) crop(r image.Rectangle) *RGB {
	if r == p.Bounds() {
		return p
	}
	out := NewRGB(r.Dx(), r.Dy())
	for y := range out.H {
		copy(out.row(y), p.row(r.Min.Y + y)[3*r.Min.X:])
	}
	return out
}
