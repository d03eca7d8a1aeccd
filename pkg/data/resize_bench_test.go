package data

import (
	"bytes"
	"image/jpeg"
	"image/png"
	"testing"

	"github.com/stretchr/testify/require"
)

// photo is a picture of 1024 x 768 with the detail of a photograph, roughly: smooth areas, edges, noise.
func photo() *RGB {
	p := NewRGB(1024, 768)
	state := uint32(1)
	for y := range p.H {
		for x := range p.W {
			state = state*1664525 + 1013904223
			v := 40*((x/64+y/48)%4) + int(state>>29)
			o := 3 * (y*p.W + x)
			p.Pix[o], p.Pix[o+1], p.Pix[o+2] = byte(v+x/16), byte(v+y/12), byte(v)
		}
	}
	return p
}

// BenchmarkStretch1024x768 reads a file from memory and scales it to 256 x 256, on one core.
func BenchmarkStretch1024x768(b *testing.B) {
	p := photo()
	for _, format := range []string{"jpeg", "png", "resize only"} {
		b.Run(format, func(b *testing.B) {
			var file bytes.Buffer
			if format == "jpeg" {
				require.NoError(b, jpeg.Encode(&file, p, &jpeg.Options{Quality: 90}))
			} else {
				require.NoError(b, png.Encode(&file, p))
			}
			dst := make([]byte, 3*256*256)
			for b.Loop() {
				q := p
				if format != "resize only" {
					var err error
					q, err = DecodeRGB(file.Bytes())
					require.NoError(b, err)
				}
				q.Stretch(dst, 256)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "img/s")
		})
	}
}
