package monitor

import (
	"image"
	"image/color"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStrip(t *testing.T) {
	flat := func(v uint8) image.Image {
		img := image.NewGray(image.Rect(3, 5, 3+60, 5+20)) // a part of something
		for i := range img.Pix {
			img.Pix[i] = v
		}
		return img
	}
	rows := []StripRow{{[]string{"0 kimg"}, []image.Image{flat(10), flat(20)}}, {[]string{"1 kimg", "score 0.50"}, []image.Image{flat(30), flat(40)}}}
	img, err := Strip(rows)
	require.NoError(t, err)
	const label, scale = 10*7 + 10, 5
	require.Equal(t, image.Rect(0, 0, label+2*(60*scale+2)+2, 2*(20*scale+2)+2), img.Rect)
	for i, v := range []uint8{10, 20, 30, 40} {
		x, y := label+2+i%2*(60*scale+2), 2+i/2*(20*scale+2)
		for _, at := range []image.Point{{x, y}, {x + 60*scale - 1, y + 20*scale - 1}} {
			require.Equal(t, color.RGBA{v, v, v, 255}, img.RGBAAt(at.X, at.Y))
		}
		require.Equal(t, color.RGBA{255, 255, 255, 255}, img.RGBAAt(x-1, y))
	}
	dark := 0
	for x := range label {
		for y := range 14 {
			if img.RGBAAt(x, y).R == 0 {
				dark++
			}
		}
	}
	require.Greater(t, dark, 30, "no label")

	_, err = Strip(nil)
	require.ErrorContains(t, err, "got no pictures")
	rows[1].Pictures[1] = image.NewGray(image.Rect(0, 0, 1, 1))
	_, err = Strip(rows)
	require.ErrorContains(t, err, "got pictures of (60,20) and (1,1)")

	titled := Titled(flat(10), "hello")
	require.Equal(t, image.Rect(0, 0, 60, 38), titled.Rect)
	require.Equal(t, color.RGBA{10, 10, 10, 255}, titled.RGBAAt(0, 18))
}
