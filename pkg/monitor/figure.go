package monitor

import (
	"image"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// FigureWidth and FigureHeight are the size of a figure in pixels.
const (
	FigureWidth  = 960
	FigureHeight = 600
)

// figureDPI is the resolution at which a text of 11 points is read well on a screen.
const figureDPI = 115

// Colours that are told apart with every kind of colour vision (Okabe and Ito).
var (
	blue       = color.NRGBA{0, 114, 178, 255}
	vermillion = color.NRGBA{213, 94, 0, 255}
	grey       = color.NRGBA{110, 110, 110, 255}
	pale       = color.NRGBA{225, 225, 225, 255}
	shade      = color.NRGBA{0, 114, 178, 28}
)

func sans(size vg.Length) font.Font {
	return font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size)
}

// newPlot is an empty plot in the style of all figures.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font = sans(13)
	p.Title.Padding = vg.Points(8)
	p.Legend.TextStyle.Font = sans(10)
	p.Legend.Padding = vg.Points(3)
	p.Legend.YPosition = draw.PosCenter
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font = sans(11)
		axis.Tick.Label.Font = sans(10)
		axis.Label.Padding = vg.Points(4)
		axis.Padding = 0
		axis.LineStyle.Color, axis.Tick.LineStyle.Color = grey, grey
	}
	return p
}

// render draws a plot on white.
func render(p *plot.Plot) image.Image {
	dots := func(n int) vg.Length { return vg.Length(n) / figureDPI * vg.Inch }
	c := vgimg.NewWith(vgimg.UseWH(dots(FigureWidth), dots(FigureHeight)), vgimg.UseDPI(figureDPI))
	margin := vg.Points(8)
	p.Draw(draw.Crop(draw.New(c), margin, -margin*2, margin, -margin))
	return c.Image()
}

// ruler draws a vertical line at a place of the axis, up to a height.
type ruler struct {
	at, to float64
	draw.LineStyle
}

// Plot draws the line.
func (r *ruler) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	c.StrokeLine2(r.LineStyle, tx(r.at), c.Min.Y, tx(r.at), ty(r.to))
}

// Thumbnail draws the line's piece for the legend.
func (r *ruler) Thumbnail(c *draw.Canvas) {
	y := c.Center().Y
	c.StrokeLine2(r.LineStyle, c.Min.X, y, c.Max.X, y)
}

// box is lines of text in a frame, in a corner at the top of the plot.
type box struct {
	lines []string
	left  bool
	below vg.Length // from the plot's upper edge
}

// Plot draws the box.
func (b box) Plot(c draw.Canvas, p *plot.Plot) {
	style := text.Style{Color: color.Black, Font: sans(9.5), Handler: p.TextHandler, YAlign: draw.YTop}
	pad, high := vg.Points(5), style.Height("Mg")*1.15
	wide := vg.Length(0)
	for _, l := range b.lines {
		wide = max(wide, style.Width(l))
	}
	w, h := wide+2*pad, vg.Length(len(b.lines))*high+2*pad
	x, y := c.Max.X-w-pad, c.Max.Y-pad-b.below
	if b.left {
		x = c.Min.X + pad
	}
	corners := []vg.Point{{X: x, Y: y}, {X: x + w, Y: y}, {X: x + w, Y: y - h}, {X: x, Y: y - h}, {X: x, Y: y}}
	c.FillPolygon(color.NRGBA{255, 255, 255, 230}, corners[:4])
	c.StrokeLines(draw.LineStyle{Color: pale, Width: vg.Points(0.8)}, corners)
	for i, l := range b.lines {
		c.FillText(style, vg.Point{X: x + pad, Y: y - pad - vg.Length(i)*high}, l)
	}
}

// grid draws pale lines at the major ticks of the vertical axis.
type grid struct{ x bool }

// Plot draws the lines.
func (g grid) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	style := draw.LineStyle{Color: pale, Width: vg.Points(0.6)}
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		if !t.IsMinor() && t.Value > p.Y.Min && t.Value <= p.Y.Max {
			c.StrokeLine2(style, c.Min.X, ty(t.Value), c.Max.X, ty(t.Value))
		}
	}
	if !g.x {
		return
	}
	for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		if !t.IsMinor() && t.Value > p.X.Min && t.Value <= p.X.Max {
			c.StrokeLine2(style, tx(t.Value), c.Min.Y, tx(t.Value), c.Max.Y)
		}
	}
}
