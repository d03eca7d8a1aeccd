package data

import (
	"bytes"
	"image"
	"testing"
)

// FuzzDecodeRGB wants an error or a picture of the size that was claimed, from any file. Files that claim much are left out:
// a machine that fuzzes has little memory.
func FuzzDecodeRGB(f *testing.F) {
	files := pillowFiles(f)
	for _, name := range []string{
		"scene_420_q30.jpg", "noise_440_8x16.jpg", "noise_422_2x2.jpg", "progressive_420.jpg", "progressive_422.jpg", "restart.jpg", "cmyk.jpg", "grey.jpg",
		"rgba.png", "palette_alpha.png", "grey16_trns.png", "rgba16.png", "bit.png",
		"offset_trns.gif", "offset.gif", "grey.gif", "rgb.bmp", "palette.bmp", "rgb.tiff", "turned.tiff", "palette.tiff",
		"lossy.webp", "lossy_alpha.webp", "lossless.webp",
	} {
		f.Add(files[name])
	}
	f.Add([]byte("GIF89a\x01\x00\x01\x00\x80\x00\x00"))
	f.Add([]byte("II*\x00\x08\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, file []byte) {
		c, _, err := image.DecodeConfig(bytes.NewReader(file))
		if err == nil && c.Width*c.Height > 1<<20 {
			return
		}
		img, err := Decode(file)
		if (err == nil) == (img == nil) {
			t.Fatalf("Decode: a picture %v and the error %v", img != nil, err)
		}
		p, err2 := DecodeRGB(file)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("Decode: %v, DecodeRGB: %v", err, err2)
		}
		if err2 != nil {
			return
		}
		if len(p.Pix) != 3*p.W*p.H {
			t.Fatalf("got %d bytes of a picture %d x %d", len(p.Pix), p.W, p.H)
		}
		if len(p.Pix) > 0 {
			p.Stretch(make([]byte, 3*8*8), 8)
		}
	})
}
