package data

import (
	"encoding/binary"
	"math"
)

// Stretch scales a picture to r x r, whatever its shape, and writes 3 x r x r bytes, RGB planes, to dst: how upstream
// TIGAS prepares a file for its detector. See [RGB.Resize].
func (p *RGB) Stretch(dst []byte, r int) {
	q := p.Resize(r, r)
	red, green, blue := dst[:r*r], dst[r*r:2*r*r], dst[2*r*r:3*r*r]
	for i := range red {
		v := q.Pix[3*i : 3*i+3]
		red[i], green[i], blue[i] = v[0], v[1], v[2]
	}
}

// Resize scales a picture bit for bit as Pillow's resize((w, h), BILINEAR) does (libImaging/Resample.c): a triangle as
// wide as the reduction, first along the rows and then along the columns, in fixed point, rounded to bytes in between.
func (p *RGB) Resize(w, h int) *RGB {
	if w != p.W {
		p = p.resizeRows(w)
	}
	if h != p.H {
		p = p.resizeColumns(h)
	}
	return p
}

// fixedBits is the precision of the weights: a byte times their sum still fits into 31 bits.
const fixedBits = 22

// taps are the samples from lo on that make one, and what each counts for, in 1/2^fixedBits.
type taps struct {
	lo      int
	weights []int32
}

// triangleTaps are those of every sample when in samples become out.
func triangleTaps(in, out int) []taps {
	scale := float64(in) / float64(out)
	support := max(scale, 1)
	inverse := 1 / support
	l := make([]taps, out)
	for o := range l {
		centre := (float64(o) + 0.5) * scale
		lo := max(int(centre-support+0.5), 0)
		hi := min(int(centre+support+0.5), in)
		weights := make([]float64, hi-lo)
		sum := 0.0
		for i := range weights {
			at := float64(i+lo) - centre + 0.5
			weights[i] = max(0, 1-math.Abs(at*inverse))
			sum += weights[i]
		}
		l[o] = taps{lo, make([]int32, hi-lo)}
		for i, v := range weights {
			if sum != 0 {
				v /= sum
			}
			v *= 1 << fixedBits
			l[o].weights[i] = int32(0.5 + v)
		}
	}
	return l
}

// resizeRows adds up red and blue at once, in the halves of a word: a sum has 31 bits at most.
func (p *RGB) resizeRows(w int) *RGB {
	q := NewRGB(w, p.H)
	table := triangleTaps(p.W, w)
	const half = 1 << (fixedBits - 1)
	row := make([]byte, 3*p.W+1) // one more, so that the last pixel can be read as four bytes
	for y := range p.H {
		copy(row, p.row(y))
		to := q.row(y)
		for x, t := range table {
			from := row[3*t.lo : 3*(t.lo+len(t.weights))+1]
			redBlue, green := uint64(half<<32|half), uint64(half)
			for _, k := range t.weights {
				v := uint64(binary.LittleEndian.Uint32(from))
				redBlue += uint64(k) * (v&0xff | v&0xff0000<<16)
				green += uint64(k) * (v >> 8 & 0xff)
				from = from[3:]
			}
			o := to[3*x : 3*x+3 : 3*x+3]
			o[0], o[1], o[2] = byteOf(int32(uint32(redBlue))), byteOf(int32(green)), byteOf(int32(redBlue>>32))
		}
	}
	return q
}

// resizeColumns adds up whole rows: down the columns every step would leave the cache.
func (p *RGB) resizeColumns(h int) *RGB {
	q := NewRGB(p.W, h)
	sums := make([]int32, 3*p.W)
	for y, t := range triangleTaps(p.H, h) {
		for i := range sums {
			sums[i] = 1 << (fixedBits - 1)
		}
		for i, k := range t.weights {
			row := p.row(t.lo + i)[:len(sums)]
			for x, v := range row {
				sums[x] += k * int32(v)
			}
		}
		to := q.row(y)[:len(sums)]
		for x, v := range sums {
			to[x] = byteOf(v)
		}
	}
	return q
}

// byteOf rounds down what has a half added already. Weights that were rounded up may add up to a little more than one.
func byteOf(v int32) uint8 { return uint8(min(255, v>>fixedBits)) }
