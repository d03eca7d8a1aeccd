package monitor

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"
	"strings"

	xdraw "golang.org/x/image/draw"
)

// SheetItem is one picture of a contact sheet.
type SheetItem struct {
	Image image.Image
	Score float64 // NaN if it has none
	Name  string  // stands below the picture; its middle is left out if it is long
}

// SheetCell is the side of the square that a picture of a contact sheet is fitted into, in pixels.
const SheetCell = 154

const (
	sheetGap     = 10
	sheetBar     = 4  // coloured line between a picture and its texts
	sheetLine    = 14 // a line of text
	sheetLongest = SheetCell / 7
	mostOnSheet  = 5000
)

// ContactSheet draws thumbnails that keep their shape, highest score first, with the score and the name below each and a line
// that goes from orange (0) to blue (1). Pictures without a score come last; equal scores keep their order. Small pictures
// are enlarged by a whole factor. columns 0 chooses. It fails for no pictures and for more than 5000.
func ContactSheet(items []SheetItem, columns int) (*image.RGBA, error) {
	n := len(items)
	if n < 1 || n > mostOnSheet {
		return nil, fmt.Errorf("monitor: contact sheet: got %d pictures vs 1 to %d", n, mostOnSheet)
	}
	if columns <= 0 {
		columns = min(20, int(math.Ceil(math.Sqrt(1.5*float64(n))))) // a little wider than high
	}
	columns = min(columns, n)
	rows := (n + columns - 1) / columns
	const w, h = SheetCell + sheetGap, SheetCell + sheetBar + 2*sheetLine + sheetGap
	sheet := image.NewRGBA(image.Rect(0, 0, columns*w+sheetGap, rows*h+sheetGap))
	draw.Draw(sheet, sheet.Rect, image.White, image.Point{}, draw.Src)
	sorted := slices.Clone(items)
	slices.SortStableFunc(sorted, func(a, b SheetItem) int { return cmp.Compare(b.Score, a.Score) }) // NaN is the lowest
	for i, item := range sorted {
		cell := image.Rect(0, 0, SheetCell, SheetCell).Add(image.Pt(sheetGap+i%columns*w, sheetGap+i/columns*h))
		drawThumbnail(sheet, cell, item.Image)
		bar := image.Rect(cell.Min.X, cell.Max.Y+1, cell.Max.X, cell.Max.Y+sheetBar)
		draw.Draw(sheet, bar, image.NewUniform(scoreColour(item.Score)), image.Point{}, draw.Src)
		text := image.Rect(cell.Min.X, cell.Min.Y, cell.Max.X, cell.Max.Y+sheetBar)
		score := "no score"
		if !math.IsNaN(item.Score) {
			score = fmt.Sprintf("%.4f", item.Score)
		}
		drawCaption(sheet, text, score)
		drawCaption(sheet, text.Add(image.Pt(0, sheetLine)), shorten(item.Name, sheetLongest))
	}
	return sheet, nil
}

// drawThumbnail fits a picture into the cell, at its lower edge.
func drawThumbnail(dst *image.RGBA, cell image.Rectangle, img image.Image) {
	b := img.Bounds()
	if b.Empty() {
		return
	}
	w, h := thumbnailSize(b.Dx(), b.Dy())
	at := image.Rect(0, 0, w, h).Add(image.Pt(cell.Min.X+(SheetCell-w)/2, cell.Max.Y-h))
	switch {
	case w == b.Dx() && h == b.Dy():
		draw.Draw(dst, at, img, b.Min, draw.Over)
	case w > b.Dx():
		xdraw.NearestNeighbor.Scale(dst, at, img, b, draw.Over, nil)
	default:
		xdraw.CatmullRom.Scale(dst, at, img, b, draw.Over, nil)
	}
}

// thumbnailSize fits w x h into the cell; what is smaller grows by a whole factor.
func thumbnailSize(w, h int) (int, int) {
	longer := max(w, h)
	if k := SheetCell / longer; k >= 1 {
		return w * k, h * k
	}
	return max(1, w*SheetCell/longer), max(1, h*SheetCell/longer)
}

// scoreColour goes from orange over pale grey to blue.
func scoreColour(score float64) color.Color {
	if math.IsNaN(score) {
		return pale
	}
	t := min(1, max(0, score))*2 - 1
	to := blue
	if t < 0 {
		t, to = -t, vermillion
	}
	mix := func(a, b uint8) uint8 { return uint8(float64(a) + (float64(b)-float64(a))*t) }
	return color.NRGBA{mix(pale.R, to.R), mix(pale.G, to.G), mix(pale.B, to.B), 255}
}

// shorten leaves out the middle of a name that is longer than n characters; its end says more than its middle.
func shorten(name string, n int) string {
	l := []rune(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' { // the font has no others
			return '?'
		}
		return r
	}, name))
	if len(l) <= n {
		return string(l)
	}
	tail := n/2 - 1
	return string(l[:n-tail-2]) + ".." + string(l[len(l)-tail:])
}
