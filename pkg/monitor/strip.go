package monitor

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// StripRow is a row of a [Strip]: pictures of one moment, with lines of text before them.
type StripRow struct {
	Label    []string
	Pictures []image.Image
}

const (
	stripGap  = 2
	lineAbove = 14 // height of a line of text
)

// Strip draws moments of a run below each other, so that a column is what became of one latent. All pictures have the size of
// the first, and are enlarged by a whole factor until the strip is 512 pixels wide at least. It fails where there are none,
// or one of another size.
func Strip(rows []StripRow) (*image.RGBA, error) {
	if len(rows) == 0 || len(rows[0].Pictures) == 0 {
		return nil, fmt.Errorf("monitor: strip: got no pictures")
	}
	size := rows[0].Pictures[0].Bounds().Size()
	columns, label := 0, 0
	for _, r := range rows {
		columns = max(columns, len(r.Pictures))
		for _, line := range r.Label {
			label = max(label, font.MeasureString(basicfont.Face7x13, line).Ceil())
		}
		for _, p := range r.Pictures {
			if p.Bounds().Size() != size {
				return nil, fmt.Errorf("monitor: strip: got pictures of %v and %v", size, p.Bounds().Size())
			}
		}
	}
	if label > 0 {
		label += 10
	}
	scale := max(1, (511+columns*size.X)/(columns*size.X))
	w := size.X*scale + stripGap
	h := size.Y*scale + stripGap
	for _, r := range rows {
		h = max(h, len(r.Label)*lineAbove+stripGap)
	}
	if most := MostGridPixels; (label+columns*w)*(len(rows)*h) > most {
		return nil, fmt.Errorf("monitor: strip of %d rows: got more than %d pixels", len(rows), most)
	}
	img := image.NewRGBA(image.Rect(0, 0, label+columns*w+stripGap, len(rows)*h+stripGap))
	draw.Draw(img, img.Rect, image.White, image.Point{}, draw.Src)
	for i, r := range rows {
		for k, line := range r.Label {
			write(img, 4, i*h+stripGap+k*lineAbove, line)
		}
		for k, p := range r.Pictures {
			copied := image.NewRGBA(image.Rectangle{Max: size})
			draw.Draw(copied, copied.Rect, p, p.Bounds().Min, draw.Src)
			at := image.Pt(label+k*w+stripGap, i*h+stripGap)
			enlarge(img, image.Rect(0, 0, size.X*scale, size.Y*scale).Add(at), copied, scale)
		}
	}
	return img, nil
}

// Titled is a picture with a line of text above it.
func Titled(img image.Image, title string) *image.RGBA {
	b := img.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()+lineAbove+4))
	draw.Draw(out, out.Rect, image.White, image.Point{}, draw.Src)
	write(out, 4, 2, title)
	draw.Draw(out, b.Sub(b.Min).Add(image.Pt(0, lineAbove+4)), img, b.Min, draw.Over)
	return out
}

// write draws a line of text whose upper left corner is at a place.
func write(dst *image.RGBA, x, y int, text string) {
	d := font.Drawer{Dst: dst, Src: image.NewUniform(color.Black), Face: basicfont.Face7x13, Dot: fixed.P(x, y+basicfont.Face7x13.Ascent)}
	d.DrawString(text)
}
