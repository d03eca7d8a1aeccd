package data

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
)

// Augment is what training does to a picture before a detector sees it, so that the detector learns neither the place of
// things nor the file format, the size or the history of the files. Real and generated pictures must be treated alike.
type Augment struct {
	Mirror float64 // probability that left and right are exchanged
	// Crop is the probability of a random part of the picture in place of the whole. Either is stretched to a square, as
	// files are when they are scored.
	Crop    float64
	MinArea float64 // smallest part, of the picture's area
	Aspect  float64 // largest factor on the part's ratio of width to height, at least 1
	Cubic   float64 // probability of Catmull-Rom in place of Pillow's bilinear when scaling
	// Degrade is the probability of each [Degradation], Strength the largest one.
	Degrade  [degradations]float64
	Strength float64
}

// ParseAugment returns the augmentation of a name: "none" stretches the picture and nothing else; "light" mirrors and crops,
// and degrades a third of the pictures up to half strength; "strong" degrades most of them up to full strength.
func ParseAugment(name string) (*Augment, error) {
	switch name {
	case "none":
		return &Augment{}, nil
	case "light":
		return &Augment{Mirror: 0.5, Crop: 0.5, MinArea: 0.6, Aspect: 1.2, Cubic: 0.3,
			Degrade: [degradations]float64{0.08, 0.08, 0.08, 0.15}, Strength: 0.5}, nil
	case "strong":
		return &Augment{Mirror: 0.5, Crop: 0.7, MinArea: 0.35, Aspect: 1.3, Cubic: 0.3,
			Degrade: [degradations]float64{0.25, 0.25, 0.25, 0.5}, Strength: 1}, nil
	}
	return nil, fmt.Errorf("data: got the augmentation %q vs none, light or strong", name)
}

// Apply writes 3 x r x r bytes, RGB planes, to dst. Everything random is drawn from rng. The zero Augment is what
// [RGB.Stretch] does, and draws nothing.
func (a *Augment) Apply(dst []byte, img image.Image, r int, rng *rand.Rand) {
	p := ToRGB(img)
	if *a == (Augment{}) { // nothing is random, and rng may be nil
		p.Resize(r, r).Stretch(dst, r)
		return
	}
	if rng.Float64() < a.Crop {
		p = p.crop(a.part(p.Bounds(), rng))
	}
	scale := func(p *RGB, w, h int) *RGB {
		if rng.Float64() < a.Cubic {
			return p.cubic(w, h)
		}
		return p.Resize(w, h)
	}
	var strength [degradations]float64
	var harm []Degradation
	for _, kind := range Degradations {
		if rng.Float64() < a.Degrade[kind] {
			harm = append(harm, kind)
			strength[kind] = a.Strength * rng.Float64()
		}
	}
	if harm != nil {
		// Files come to harm before they are scaled to the detector's size, samples of a generator after: half of the pictures are
		// up to twice as large here, if they have the pixels.
		f := max(1, 2*rng.Float64())
		side := func(n int) int { return max(r, min(n, int(f*float64(r)))) }
		p = scale(p, side(p.W), side(p.H))
		for _, kind := range harm {
			p = kind.Apply(p, strength[kind], rng)
		}
	}
	scale(p, r, r).Stretch(dst, r)
	if rng.Float64() < a.Mirror {
		mirror(dst, r)
	}
}

// part is a random rectangle in b.
func (a *Augment) part(b image.Rectangle, rng *rand.Rand) image.Rectangle {
	area := a.MinArea + (1-a.MinArea)*rng.Float64()
	aspect := math.Pow(max(1, a.Aspect), 2*rng.Float64()-1)
	side := func(n int, f float64) int { return min(n, max(1, int(math.Round(float64(n)*math.Sqrt(f))))) }
	w, h := side(b.Dx(), area*aspect), side(b.Dy(), area/aspect)
	x, y := rng.IntN(b.Dx()-w+1), rng.IntN(b.Dy()-h+1)
	return image.Rect(x, y, x+w, y+h)
}
