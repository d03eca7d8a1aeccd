package monitor

import (
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/pkg/roc"
)

// By hand; quantiles of 0.1, 0.2, 0.4, 0.8 at 0.75, 1.5 and 2.25 of three steps.
func TestSummarize(t *testing.T) {
	s := Summarize([]float64{0.8, 0.1, 0.4, 0.2})
	require.Equal(t, 4, s.N)
	for _, v := range [][2]float64{{s.Mean, 0.375}, {s.Std, math.Sqrt((0.275*0.275 + 0.175*0.175 + 0.025*0.025 + 0.425*0.425) / 4)},
		{s.Min, 0.1}, {s.Max, 0.8}, {s.Q25, 0.175}, {s.Median, 0.3}, {s.Q75, 0.5}} {
		require.InDelta(t, v[1], v[0], 1e-12)
	}
	require.Equal(t, Summary{N: 1, Mean: 0.3, Min: 0.3, Max: 0.3, Q25: 0.3, Median: 0.3, Q75: 0.3}, Summarize([]float64{0.3}))
	require.Zero(t, Summarize(nil))
}

// The area by counting pairs: 0.9 beats both fakes, 0.5 beats 0.2 and ties with 0.5: 3.5 of 4.
func TestROC(t *testing.T) {
	r, err := roc.New([]float64{0.5, 0.9}, []float64{0.2, 0.5})
	require.NoError(t, err)
	img, err := ROC("test", r)
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, FigureWidth, FigureHeight), img.Bounds())
	require.Positive(t, near(img, blue), "a curve")
}

// near counts pixels of about a colour.
func near(img image.Image, c color.NRGBA) (n int) {
	b := img.Bounds()
	for y := range b.Dy() {
		for x := range b.Dx() {
			p := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			d := func(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }
			if d(p.R, c.R)+d(p.G, c.G)+d(p.B, c.B) < 12 {
				n++
			}
		}
	}
	return n
}

func TestScoreHistogram(t *testing.T) {
	for name, l := range map[string][]Population{
		"one picture":  {{"", []float64{1}}},
		"one":          {{"", []float64{0, 0.1, 0.1, 0.99, 1}}},
		"two":          {{"real", []float64{0.9, 0.8}}, {"fake", []float64{0.1, 0.3, 0.8}}},
		"all the same": {{"", []float64{0.5, 0.5, 0.5}}},
	} {
		t.Run(name, func(t *testing.T) {
			img, err := ScoreHistogram("test", 0.5, l...)
			require.NoError(t, err)
			require.Equal(t, image.Rect(0, 0, FigureWidth, FigureHeight), img.Bounds())
			require.Positive(t, near(img, blue), "the line of the mean")
			require.Equal(t, len(l) == 2, near(img, vermillion) > 0)
		})
	}
	for _, bad := range [][]Population{nil, {{"", nil}}, {{"", []float64{math.NaN()}}}, {{"", []float64{1.01}}}, make([]Population, 3)} {
		_, err := ScoreHistogram("test", 0.5, bad...)
		require.Error(t, err)
	}
	bars, err := histogram([]float64{0, 0.019, 0.02, 1}, false)
	require.NoError(t, err)
	require.Equal(t, []float64{2, 1, 1}, []float64{bars[0].Weight, bars[1].Weight, bars[histogramBins-1].Weight})
	bars, err = histogram([]float64{0, 1}, true)
	require.NoError(t, err)
	require.Equal(t, 50.0, bars[0].Weight)
}

func TestWholeTicks(t *testing.T) {
	for most, want := range map[float64][]string{1.08: {"0", "1"}, 5.4: {"0", "1", "2", "3", "4", "5"}, 8: {"0", "2", "4", "6", "8"},
		300: {"0", "50", "100", "150", "200", "250", "300"}} {
		var got []string
		for _, tick := range wholeTicks(most) {
			got = append(got, tick.Label)
		}
		require.Equal(t, want, got)
	}
}

func TestContactSheet(t *testing.T) {
	plain := func(w, h int, c color.NRGBA) image.Image {
		img := image.NewNRGBA(image.Rect(5, 5, 5+w, 5+h))
		for y := range h {
			for x := range w {
				img.SetNRGBA(5+x, 5+y, c)
			}
		}
		return img
	}
	red, green := color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 200, 0, 255}
	sheet, err := ContactSheet([]SheetItem{
		{plain(300, 100, red), math.NaN(), "no score.png"},
		{plain(300, 150, green), 0.25, "a-very-long-name-that-cannot-fit.png"},
		{plain(40, 70, red), 0.75, "b\n.png"},
	}, 3)
	require.NoError(t, err)
	cell := func(i int) image.Rectangle {
		return image.Rect(0, 0, SheetCell, SheetCell).Add(image.Pt(sheetGap+i*(SheetCell+sheetGap), sheetGap))
	}
	require.Equal(t, 4*sheetGap+3*SheetCell, sheet.Rect.Dx())
	require.Equal(t, 80*140, nearIn(sheet, cell(0), red), "twice as large")
	require.Equal(t, SheetCell*(SheetCell/2), nearIn(sheet, cell(1), green), "half as high as wide")
	require.Equal(t, SheetCell*51, nearIn(sheet, cell(2), red), "last without a score")

	_, err = ContactSheet(nil, 0)
	require.ErrorContains(t, err, "got 0 pictures")
	one, err := ContactSheet([]SheetItem{{image.NewGray(image.Rectangle{}), 1, ""}}, 0)
	require.NoError(t, err, "an empty picture")
	require.Equal(t, SheetCell+2*sheetGap, one.Rect.Dx())
}

func nearIn(img *image.RGBA, area image.Rectangle, c color.NRGBA) int {
	part := image.NewRGBA(image.Rect(0, 0, area.Dx(), area.Dy()))
	for y := range area.Dy() {
		for x := range area.Dx() {
			part.SetRGBA(x, y, img.RGBAAt(area.Min.X+x, area.Min.Y+y))
		}
	}
	return near(part, c)
}

func TestShorten(t *testing.T) {
	require.Equal(t, "short.png", shorten("short.png", 12))
	require.Equal(t, "longe..s.png", shorten("longer names.png", 12))
	require.Equal(t, "?????", shorten("ж\n\tй\x7f", 12))
	w, h := thumbnailSize(10000, 1)
	require.Equal(t, [2]int{SheetCell, 1}, [2]int{w, h})
}
