package data

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
)

// Demo is a set of procedural pictures with structure: one shaded object (a sphere, a cube, a ring or a cone) over a
// background with a colour gradient and a soft texture. Picture i is the same on every machine. They are simple enough
// for a small network to learn in a minute and rich enough to see whether it has: colour, shading, outline, position.
type Demo struct {
	size int // pictures are drawn at this resolution
	held bool
}

// demoLen is the number of pictures for training; as many again are held out.
const demoLen = 10_000

// NewDemo returns the pictures drawn at size x size pixels. heldOut selects others that training never sees.
func NewDemo(size int, heldOut bool) *Demo { return &Demo{size: size, held: heldOut} }

// Name is "demo".
func (d *Demo) Name() string { return "demo" }

// Len is 10,000.
func (d *Demo) Len() int { return demoLen }

// Image draws picture i; the error is always nil.
func (d *Demo) Image(i int) (image.Image, error) {
	seed := uint64(i)
	if d.held {
		seed += demoLen
	}
	return drawDemo(rand.New(rand.NewPCG(seed, 0xde30)), d.size), nil
}

type rgb struct{ r, g, b float64 }

func (c rgb) mul(f float64) rgb { return rgb{c.r * f, c.g * f, c.b * f} }
func (c rgb) mix(o rgb, t float64) rgb {
	return rgb{c.r + t*(o.r-c.r), c.g + t*(o.g-c.g), c.b + t*(o.b-c.b)}
}

// hue is a saturated colour: h in [0, 1) around the wheel.
func hue(h, saturation, value float64) rgb {
	f := func(n float64) float64 {
		k := math.Mod(n+6*h, 6)
		return value * (1 - saturation*math.Max(0, math.Min(math.Min(k, 4-k), 1)))
	}
	return rgb{f(5), f(3), f(1)}
}

// scene is what the random numbers choose, in units of the picture's size.
type scene struct {
	kind           int
	x, y, radius   float64
	body           rgb
	top, bottom    rgb
	lightX, lightY float64
	wave           [3]float64 // angle, frequency and phase of the texture
}

func newScene(rng *rand.Rand) scene {
	h := rng.Float64()
	far := math.Mod(h+0.35+0.3*rng.Float64(), 1) // a background of another colour than the object
	light := -math.Pi/2 + (rng.Float64()-0.5)*1.6
	return scene{
		kind: rng.IntN(4), x: 0.5 + 0.1*(rng.Float64()-0.5), y: 0.52 + 0.1*(rng.Float64()-0.5),
		radius: 0.27 + 0.07*rng.Float64(),
		body:   hue(h, 0.75+0.2*rng.Float64(), 0.95),
		top:    hue(far, 0.35, 0.85), bottom: hue(math.Mod(far+0.08, 1), 0.5, 0.45),
		lightX: math.Cos(light), lightY: math.Sin(light),
		wave: [3]float64{rng.Float64() * math.Pi, 14 + 10*rng.Float64(), rng.Float64() * 2 * math.Pi},
	}
}

func drawDemo(rng *rand.Rand, size int) image.Image {
	s := newScene(rng)
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	const sub = 3 // samples per pixel along each axis: outlines are smooth
	for py := range size {
		for px := range size {
			at := func(v int, k float64) float64 { return (float64(v) + k) / float64(size) }
			back := s.background(at(px, 0.5), at(py, 0.5)) // smooth enough for one sample
			var sum rgb
			for k := range sub * sub {
				c, hit := s.object(at(px, (float64(k%sub)+0.5)/sub), at(py, (float64(k/sub)+0.5)/sub))
				if !hit {
					c = back
				}
				sum.r, sum.g, sum.b = sum.r+c.r, sum.g+c.g, sum.b+c.b
			}
			c := sum.mul(1.0 / (sub * sub))
			img.SetRGBA(px, py, color.RGBA{level(c.r), level(c.g), level(c.b), 255})
		}
	}
	return img
}

func level(v float64) uint8 { return uint8(math.Max(0, math.Min(255, math.Round(255*v)))) }

// background is the gradient with its texture, and the object's soft shadow away from the light.
func (s scene) background(x, y float64) rgb {
	u := math.Cos(s.wave[0])*x + math.Sin(s.wave[0])*y
	c := s.top.mix(s.bottom, y).mul(1 + 0.08*math.Sin(2*s.wave[1]*u+s.wave[2]))
	sx, sy := x-s.x+0.12*s.lightX, (y-s.y-0.75*s.radius)*2.2
	return c.mul(1 - 0.45*math.Exp(-(sx*sx+sy*sy)/(s.radius*s.radius*0.9)))
}

// object is the colour of the object at a point, if it covers it.
func (s scene) object(x, y float64) (c rgb, hit bool) {
	shade, hit := s.shade((x-s.x)/s.radius, (y-s.y)/s.radius)
	if !hit {
		return c, false
	}
	shade = math.Max(0, shade)
	highlight := shade * shade
	highlight *= highlight * highlight * highlight * highlight * highlight * highlight // the 14th power
	return s.body.mul(0.25+0.75*shade).mix(rgb{1, 1, 1}, 0.8*highlight), true
}

// shade is the cosine between surface and light at a point in units of the object's radius.
func (s scene) shade(x, y float64) (light float64, hit bool) {
	lambert := func(nx, ny, nz float64) float64 {
		const toViewer = 0.75
		n := math.Sqrt(nx*nx + ny*ny + nz*nz)
		l := math.Sqrt(s.lightX*s.lightX + s.lightY*s.lightY + toViewer*toViewer)
		return (nx*s.lightX + ny*s.lightY + nz*toViewer) / (n * l)
	}
	switch s.kind {
	case 0: // sphere
		r := x*x + y*y
		return lambert(x, y, math.Sqrt(math.Max(0, 1-r))), r < 1
	case 1: // cube, seen from a corner: three faces
		if math.Abs(x) > 0.87 || math.Abs(y)+0.5*math.Abs(x)/0.87 > 1 {
			return 0, false
		}
		switch {
		case y < -0.5*math.Abs(x)/0.87: // above the edges that meet in the middle
			return lambert(0, -1, 0.35), true
		case x < 0:
			return lambert(-1, 0.2, 0.6), true
		default:
			return lambert(1, 0.2, 0.6), true
		}
	case 2: // ring
		r := math.Hypot(x, y)
		if r < 0.45 || r > 1 {
			return 0, false
		}
		t := (r - 0.725) / 0.275
		return lambert(t*x/r, t*y/r, math.Sqrt(math.Max(0, 1-t*t))), true
	default: // cone
		h := (y + 1) / 1.9
		if h < 0 || y > 0.9+0.1*math.Sqrt(math.Max(0, 1-x*x)) || math.Abs(x) > 0.85*h {
			return 0, false
		}
		t := x / (0.85*h + 1e-9)
		return lambert(t, -0.3, math.Sqrt(math.Max(0, 1-t*t))), true
	}
}
