package torch_test

import (
	"image"
	"image/color"
	"testing"
)

// Pictures without a size, and without an end.
func TestOddPictures(t *testing.T) {
	s := scope(t)
	for _, r := range []image.Rectangle{{}, image.Rect(0, 0, 5, 0), image.Rect(-3, -2, -3, 7)} {
		x := s.FromImage(image.NewGray(r))
		if got := x.Shape(); len(got) != 3 || got[0] != 3 || got[1] != int64(r.Dy()) || got[2] != int64(r.Dx()) {
			t.Errorf("%v: got shape %v", r, got)
		}
	}
	at := image.NewNRGBA(image.Rect(-5, 7, -4, 8)) // not at the origin
	at.Set(-5, 7, color.NRGBA{1, 2, 3, 255})
	near(t, "elsewhere", vals(s.FromImage(at)), []float64{1, 2, 3}, 0)
	says(t, panics(t, func() { s.FromImage(image.NewUniform(color.White)) }), "torch: FromImage: got a picture of 2000000000 x 2000000000 vs at most")
}
