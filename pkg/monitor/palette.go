package monitor

import (
	"cmp"
	"image"
	"image/color"
	"math"
	"slices"
)

const (
	paletteSize   = 256
	fineColours   = 4096 // with more of them than that, those that agree in the upper five bits are counted together
	paletteRounds = 3    // of k-means: 0.1 to 0.2 dB; ten give less than another 0.1
)

// colourCount is a colour, or the mean of some that are close, and how many pixels have it.
type colourCount struct {
	c [3]float64
	n float64
}

// choosePalette returns at most 256 colours for a picture without transparency. Those of a picture with few colours are the
// colours themselves. Otherwise a median cut in which the cut with the largest gain in squared error is made next, at its
// best place (Wu 1991, "Efficient statistical computations for optimal color quantization"), then rounds of k-means. The
// same picture gives the same palette.
func choosePalette(img *image.RGBA) color.Palette {
	all := countColours(img, 8, fineColours)
	if len(all) > fineColours {
		all = countColours(img, 5, math.MaxInt)
	}
	if len(all) <= paletteSize {
		return paletteOf(all)
	}
	boxes := []colourBox{newColourBox(all)}
	for len(boxes) < paletteSize {
		best := 0
		for i, b := range boxes {
			if b.gain > boxes[best].gain {
				best = i
			}
		}
		b := boxes[best]
		boxes[best] = newColourBox(b.colours[:b.cut])
		boxes = append(boxes, newColourBox(b.colours[b.cut:]))
	}
	centres := make([]colourCount, len(boxes))
	for i, b := range boxes {
		centres[i].c = meanColour(b.colours)
	}
	for range paletteRounds {
		moveCentres(centres, all)
	}
	return paletteOf(centres)
}

func paletteOf(l []colourCount) color.Palette {
	p := make(color.Palette, len(l))
	for i, x := range l {
		p[i] = color.RGBA{uint8(x.c[0] + 0.5), uint8(x.c[1] + 0.5), uint8(x.c[2] + 0.5), 255}
	}
	return p
}

// countColours counts colours that agree in the upper bits of red, green and blue together, in the order in which they
// come. It stops when there are more than most.
func countColours(img *image.RGBA, bits, most int) []colourCount {
	at := map[uint32]int{}
	var l []colourCount
	for i := 0; i < len(img.Pix) && len(l) <= most; i += 4 {
		p := img.Pix[i : i+3]
		key := (uint32(p[0])<<16 | uint32(p[1])<<8 | uint32(p[2])) & (0x10101 * (0x100 - 1<<(8-bits)))
		k, ok := at[key]
		if !ok {
			k = len(l)
			at[key], l = k, append(l, colourCount{})
		}
		l[k].n++
		for a, v := range p {
			l[k].c[a] += float64(v)
		}
	}
	for i := range l {
		for a := range 3 {
			l[i].c[a] /= l[i].n
		}
	}
	return l
}

func meanColour(l []colourCount) (mean [3]float64) {
	n := 0.0
	for _, x := range l {
		n += x.n
		for a, v := range x.c {
			mean[a] += x.n * v
		}
	}
	for a := range mean {
		mean[a] /= n
	}
	return mean
}

// colourBox is a part of the colours, sorted along the axis in which they differ most.
type colourBox struct {
	colours []colourCount
	cut     int     // where to divide it
	gain    float64 // by how much that lowers the sum of squared errors; 0 if there is but one colour
}

func newColourBox(l []colourCount) colourBox {
	b := colourBox{colours: l}
	mean := meanColour(l)
	var spread [3]float64
	n := 0.0
	for _, x := range l {
		n += x.n
		for a, v := range x.c {
			spread[a] += x.n * (v - mean[a]) * (v - mean[a])
		}
	}
	axis := 0
	for a, v := range spread {
		if v > spread[axis] {
			axis = a
		}
	}
	slices.SortStableFunc(l, func(x, y colourCount) int { return cmp.Compare(x.c[axis], y.c[axis]) })
	// Divided into m and n-m pixels, the first with the sum s of differences from the mean, the error falls by
	// s²/m + s²/(n-m).
	var s [3]float64
	m := 0.0
	for i, x := range l[:len(l)-1] {
		m += x.n
		gain := 0.0
		for a, v := range x.c {
			s[a] += x.n * (v - mean[a])
			gain += s[a] * s[a] * (1/m + 1/(n-m))
		}
		if gain > b.gain {
			b.cut, b.gain = i+1, gain
		}
	}
	return b
}

// moveCentres puts each centre in the middle of the colours to which it is the nearest.
func moveCentres(centres, all []colourCount) {
	near := make([]colourCount, len(centres))
	for _, x := range all {
		best, least := 0, math.Inf(1)
		for i, c := range centres {
			r, g, b := c.c[0]-x.c[0], c.c[1]-x.c[1], c.c[2]-x.c[2]
			if d := r*r + g*g + b*b; d < least {
				best, least = i, d
			}
		}
		near[best].n += x.n
		for a, v := range x.c {
			near[best].c[a] += x.n * v
		}
	}
	for i, x := range near {
		if x.n > 0 {
			for a, v := range x.c {
				centres[i].c[a] = v / x.n
			}
		}
	}
}

// colourFinder finds the nearest colours of a palette. To each cube of 16x16x16 colours belong those of the palette that may
// be the nearest somewhere in it, a dozen of 256: no other needs to be looked at, and what is found is exact.
type colourFinder struct {
	palette [][3]int32
	near    [1 << 12][]uint8 // made when first needed
	all     []uint8          // what near is cut from
}

func newColourFinder(p color.Palette) *colourFinder {
	f := &colourFinder{}
	for _, c := range p {
		c := c.(color.RGBA)
		f.palette = append(f.palette, [3]int32{int32(c.R), int32(c.G), int32(c.B)})
	}
	return f
}

// nearest returns the index of the nearest colour, of equally near ones the first.
func (f *colourFinder) nearest(c [3]int32) (best uint8) {
	cube := c[0]>>4<<8 | c[1]>>4<<4 | c[2]>>4
	if f.near[cube] == nil {
		f.near[cube] = f.candidates([3]int32{c[0] &^ 15, c[1] &^ 15, c[2] &^ 15})
	}
	least := int32(math.MaxInt32)
	for _, k := range f.near[cube] {
		p := &f.palette[k]
		r, g, b := p[0]-c[0], p[1]-c[1], p[2]-c[2]
		if d := r*r + g*g + b*b; d < least {
			best, least = k, d
		}
	}
	return best
}

// candidates are the colours of the palette that may be the nearest somewhere in the cube from low on: none is farther from
// its middle than the one nearest to that and the cube's diagonal together. Distances are doubled, so that the middle is a
// whole number.
func (f *colourFinder) candidates(low [3]int32) []uint8 {
	var d [paletteSize]int32
	least := int32(math.MaxInt32)
	for i, p := range f.palette {
		r, g, b := 2*(p[0]-low[0])-15, 2*(p[1]-low[1])-15, 2*(p[2]-low[2])-15
		d[i] = r*r + g*g + b*b
		least = min(least, d[i])
	}
	most := math.Sqrt(float64(least)) + 30*math.Sqrt(3)
	from := len(f.all)
	for i := range f.palette {
		if float64(d[i]) <= most*most {
			f.all = append(f.all, uint8(i))
		}
	}
	return f.all[from:]
}
