package data

import (
	"bytes"
	"encoding/binary"
	"iter"
)

// segments are the markers of a JPEG up to its end, as image/jpeg finds them, each with what belongs to it.
func segments(file []byte) iter.Seq2[byte, []byte] {
	return func(yield func(byte, []byte) bool) {
		for p := min(2, len(file)); ; {
			i := bytes.IndexByte(file[p:], 0xff)
			if i < 0 {
				return
			}
			for p += i; p < len(file) && file[p] == 0xff; p++ {
			}
			if p >= len(file) || file[p] == 0xd9 { // the end
				return
			}
			marker := file[p]
			p++
			if marker == 0 || marker >= 0xd0 && marker <= 0xd7 { // a byte of pixels, or a restart among them
				continue
			}
			if p+2 > len(file) {
				return
			}
			n := int(binary.BigEndian.Uint16(file[p:]))
			if n < 2 || p+n > len(file) {
				return
			}
			if !yield(marker, file[p+2:p+n]) {
				return
			}
			p += n
		}
	}
}

// frame is what a JPEG's segments say.
type frame struct {
	components  int
	samples     float64 // a pixel, of all components
	mcuW, mcuH  int     // pixels that are coded together
	progressive bool
	plainRGB    bool // no YCbCr: another form is made of it
	scans       int
	turned      int
}

func frameOf(file []byte) frame {
	f := frame{turned: 1, mcuW: 8, mcuH: 8, samples: 1}
	exif := false
	for marker, body := range segments(file) {
		switch marker {
		case 0xc0, 0xc1, 0xc2:
			if f.components == 0 && len(body) >= 9 {
				f.start(marker == 0xc2, body)
			}
		case 0xda:
			f.scans++
		case 0xe1:
			if o, ok := exifOrientation(body); ok && !exif && f.scans == 0 {
				f.turned, exif = o, true
			}
		case 0xee:
			if len(body) >= 12 && string(body[:5]) == "Adobe" && body[11] == 0 {
				f.plainRGB = true
			}
		}
	}
	return f
}

// start reads the segment of the size and the components.
func (f *frame) start(progressive bool, body []byte) {
	f.progressive, f.components = progressive, int(body[5])
	if f.components == 1 || len(body) < 6+3*f.components { // one component is coded block by block, whatever it says
		return
	}
	sum, h0, v0 := 0, int(body[7]>>4), int(body[7]&15)
	for i := range f.components {
		hv := body[7+3*i]
		sum += int(hv>>4) * int(hv&15)
	}
	if h0 > 0 && v0 > 0 {
		f.mcuW, f.mcuH, f.samples = 8*h0, 8*v0, float64(sum)/float64(h0*v0)
	}
	if f.components == 3 && body[6] == 'R' && body[9] == 'G' && body[12] == 'B' {
		f.plainRGB = true
	}
}

// pixels is how many a scan goes over.
func (f frame) pixels(w, h int) int64 {
	up := func(n, by int) int64 { return int64((n + by - 1) / by * by) }
	return up(w, f.mcuW) * up(h, f.mcuH)
}

// memory is that of the samples, of a progressive one's coefficients (32 bits for each), and of what is made of them.
func (f frame) memory(w, h int) int64 {
	n := f.samples
	if f.progressive {
		n += 4 * f.samples
	}
	n += 4 // RGB, or turned
	if f.plainRGB || f.components == 4 {
		n += 8
	}
	return int64(n * float64(f.pixels(w, h)))
}
