package data

import (
	"fmt"
	"image"
	"image/draw"
	"math/rand/v2"

	xdraw "golang.org/x/image/draw"
)

// Crop says which square of a picture is used.
type Crop string

const (
	// CropCenter scales the shorter side to the resolution and takes the middle.
	CropCenter Crop = "center"
	// CropRandom takes a random square of the picture's own pixels, so that a few large pictures make a data set of
	// textures; a picture smaller than the resolution is scaled up first.
	CropRandom Crop = "random"
)

// ParseCrop reads "center" or "random".
func ParseCrop(s string) (Crop, error) {
	if c := Crop(s); c == CropCenter || c == CropRandom {
		return c, nil
	}
	return "", fmt.Errorf("data: got crop %q vs center or random", s)
}

// Transform turns a picture into the pixels of a training image.
type Transform struct {
	Resolution int  // height and width
	Crop       Crop // CropCenter if empty
	Mirror     bool // mirror half of the images
	// Augment takes the place of Crop and Mirror if it is not nil.
	Augment *Augment
}

// Apply writes 3 x R x R bytes, RGB planes, to dst. Transparent pixels are laid over white. rng is only used for a random
// crop, for mirroring and for an [Augment].
func (t Transform) Apply(dst []byte, img image.Image, rng *rand.Rand) {
	r := t.Resolution
	if t.Augment != nil {
		t.Augment.Apply(dst, img, r, rng)
		return
	}
	square := t.square(img, rng)
	mirror := t.Mirror && rng.IntN(2) == 1
	for y := range r {
		row := square.Pix[y*square.Stride:]
		for x := range r {
			p := row[4*x : 4*x+3]
			to := y*r + x
			if mirror {
				to = y*r + r - 1 - x
			}
			dst[to], dst[r*r+to], dst[2*r*r+to] = p[0], p[1], p[2]
		}
	}
}

// work is about how many bytes Apply takes beside a picture of w x h: that of golang.org/x/image/draw's intermediate rows, or
// the copies and rows of an [Augment].
func (t Transform) work(w, h int) int64 {
	r := int64(t.Resolution)
	if t.Augment != nil {
		return 7*int64(w)*int64(h) + 64*r*int64(h)
	}
	return 32*r*int64(min(w, h)) + 3*r*int64(h) // the latter for RGB.Stretch
}

// square is the part of img that is used, at the resolution, opaque.
func (t Transform) square(img image.Image, rng *rand.Rand) *image.RGBA {
	r := t.Resolution
	b := img.Bounds()
	side := min(b.Dx(), b.Dy())
	if t.Crop == CropRandom && side > r {
		b.Min.X += rng.IntN(b.Dx() - r + 1)
		b.Min.Y += rng.IntN(b.Dy() - r + 1)
		side = r
	} else {
		if t.Crop == CropRandom {
			b.Min.X += rng.IntN(b.Dx() - side + 1)
			b.Min.Y += rng.IntN(b.Dy() - side + 1)
		} else {
			b.Min.X += (b.Dx() - side) / 2
			b.Min.Y += (b.Dy() - side) / 2
		}
	}
	from := image.Rect(b.Min.X, b.Min.Y, b.Min.X+side, b.Min.Y+side)
	dst := image.NewRGBA(image.Rect(0, 0, r, r))
	draw.Draw(dst, dst.Bounds(), image.White, image.Point{}, draw.Src)
	if side == r {
		draw.Draw(dst, dst.Bounds(), img, from.Min, draw.Over)
		return dst
	}
	// CatmullRom averages over all source pixels when it shrinks, so that nothing aliases.
	xdraw.CatmullRom.Scale(dst, dst.Bounds(), img, from, draw.Over, nil)
	return dst
}
