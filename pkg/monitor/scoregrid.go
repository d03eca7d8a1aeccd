package monitor

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"slices"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// GridWithScores is [Grid] with a score under each picture, to two decimals. sorted puts the pictures in order of
// falling score, those without a score (NaN) last; equal scores keep their order. It fails if pix is not n*3*h*w bytes
// or scores not n numbers.
//
// Pictures narrower than a caption are enlarged further than Grid does.
func GridWithScores(pix []byte, n, h, w, columns int, scores []float64, sorted bool) (*image.RGBA, error) {
	if n < 1 || h < 1 || w < 1 || len(pix) != n*3*h*w || len(scores) != n {
		return nil, fmt.Errorf("monitor: grid: sizes do not match: got %d bytes and %d scores vs %d pictures of 3x%dx%d",
			len(pix), len(scores), n, h, w)
	}
	if columns <= 0 {
		columns = Columns(n)
	}
	columns = min(columns, n)
	rows := (n + columns - 1) / columns
	const (
		margin  = 2
		caption = 14 // room for a line of text
		narrow  = 30 // room for "0.00"
	)
	scale := max(1, (511+columns*w)/(columns*w), (narrow-1+w)/w)
	cw, ch := w*scale+margin, h*scale+caption+margin
	img := image.NewRGBA(image.Rect(0, 0, columns*cw+margin, rows*ch+margin))
	draw.Draw(img, img.Rect, image.White, image.Point{}, draw.Src)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	if sorted {
		slices.SortStableFunc(order, func(a, b int) int {
			return cmp.Compare(scores[b], scores[a]) // NaN compares below every number, so it comes last
		})
	}
	for i, k := range order {
		cell := image.Rect(0, 0, w*scale, h*scale).Add(image.Pt(i%columns*cw+margin, i/columns*ch+margin))
		enlarge(img, cell, Picture(pix[k*3*h*w:], h, w), scale)
		drawCaption(img, cell, fmt.Sprintf("%.2f", scores[k]))
	}
	return img, nil
}

// enlarge draws p into cell with each pixel as a square of scale by scale.
func enlarge(dst *image.RGBA, cell image.Rectangle, p *image.RGBA, scale int) {
	for y := range cell.Dy() {
		for x := range cell.Dx() {
			dst.SetRGBA(cell.Min.X+x, cell.Min.Y+y, p.RGBAAt(x/scale, y/scale))
		}
	}
}

// drawCaption writes text in the middle under the cell.
func drawCaption(dst *image.RGBA, cell image.Rectangle, text string) {
	d := font.Drawer{Dst: dst, Src: image.NewUniform(color.Black), Face: basicfont.Face7x13}
	x := cell.Min.X + (cell.Dx()-d.MeasureString(text).Round())/2
	d.Dot = fixed.P(x, cell.Max.Y+basicfont.Face7x13.Ascent)
	d.DrawString(text)
}
