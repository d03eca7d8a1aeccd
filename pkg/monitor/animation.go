package monitor

import (
	"bytes"
	"fmt"
	"image"
	"image/draw"
	"image/gif"
	"io"
	"math"
	"path/filepath"
	"strings"
)

const (
	// MinFPS is the lowest frame rate of an [Animation]: a hundred seconds for each frame.
	MinFPS = 0.01
	// MaxFPS is the highest frame rate of an [Animation]. Delays in GIF are whole hundredths of a second, and browsers
	// show frames with a delay below two of them for ten: what is faster on paper would be slow on the screen.
	MaxFPS = 50
)

// longestSide is the longest side of a GIF in pixels.
const longestSide = 1<<16 - 1

// AnimationOptions are the settings of an [Animation].
type AnimationOptions struct {
	FPS float64 // frames per second, [MinFPS] to [MaxFPS]; 0 is 20
	// Scale is the whole factor by which frames are enlarged, each pixel to a square; 0 is 1. Frames that are not enlarged
	// are dithered (Floyd and Steinberg), so that smooth areas show no steps; in enlarged ones the dots would be seen.
	Scale int
}

// Animation makes an animated GIF that loops for ever. Frames are compressed as they come, so it needs the memory of the
// file: it never has more than one frame in pixels. Each frame has the 256 colours that fit it best, since one set for all
// would be 7 dB worse for a walk through latents; where nothing moves, colours stay within a few levels.
//
// It is made by [NewAnimation] and is not for several goroutines at once.
type Animation struct {
	o      AnimationOptions
	size   image.Point // of the frames as they come
	frames int
	head   []byte // the file's first bytes, with the size of the screen
	body   []byte // the blocks of all frames
}

// NewAnimation starts an animation. It fails for a frame rate or scale out of range.
func NewAnimation(o AnimationOptions) (*Animation, error) {
	if o.FPS == 0 {
		o.FPS = 20
	}
	if o.Scale == 0 {
		o.Scale = 1
	}
	if !(o.FPS >= MinFPS && o.FPS <= MaxFPS) {
		return nil, fmt.Errorf("monitor: animation: frames per second: got %v vs %v to %v", o.FPS, MinFPS, MaxFPS)
	}
	if o.Scale < 1 || o.Scale > longestSide {
		return nil, fmt.Errorf("monitor: animation: scale: got %d vs a whole factor from 1", o.Scale)
	}
	return &Animation{o: o}, nil
}

// Len is the number of frames so far.
func (a *Animation) Len() int { return a.frames }

// Add appends n frames: pix is [n, 3, h, w] RGB, as for [Grid]. It fails, and adds none, if pix is not that long or the
// frames are not of the size of those before. pix is not kept.
func (a *Animation) Add(pix []byte, n, h, w int) error {
	if n < 1 || h < 1 || w < 1 || len(pix) != n*3*h*w {
		return fmt.Errorf("monitor: animation: add: got %d bytes vs %d frames of 3x%dx%d", len(pix), n, h, w)
	}
	if err := a.fits(image.Pt(w, h)); err != nil {
		return err
	}
	for i := range n {
		if err := a.add(Picture(pix[i*3*h*w:], h, w)); err != nil {
			return err
		}
	}
	return nil
}

// AddImage appends a picture such as a [Grid] as a frame. What is transparent in it becomes white. It fails if the picture
// is empty or not of the size of the frames before.
func (a *Animation) AddImage(img image.Image) error {
	b := img.Bounds()
	if err := a.fits(b.Size()); err != nil {
		return err
	}
	opaque := image.NewRGBA(image.Rectangle{Max: b.Size()})
	draw.Draw(opaque, opaque.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(opaque, opaque.Rect, img, b.Min, draw.Over)
	return a.add(opaque)
}

// fits tells what is wrong with the size of a frame.
func (a *Animation) fits(size image.Point) error {
	if a.frames > 0 && size != a.size {
		return fmt.Errorf("monitor: animation: frame %d: got %dx%d pixels vs %dx%d, the size of those before",
			a.frames, size.X, size.Y, a.size.X, a.size.Y)
	}
	if most := longestSide / a.o.Scale; size.X < 1 || size.Y < 1 || size.X > most || size.Y > most {
		return fmt.Errorf("monitor: animation: frame %d: got %dx%d pixels vs 1 to %d a side at scale %d",
			a.frames, size.X, size.Y, most, a.o.Scale)
	}
	return nil
}

// add compresses one frame. image/gif has no way to add a frame to a file, so each becomes a file of its own, of which the
// blocks between head and trailer are kept: without a global palette the head is gifHead bytes, and the trailer is one.
func (a *Animation) add(img *image.RGBA) error {
	const gifHead = 13 // signature, width, height, flags, background, aspect
	p := quantise(img, a.o.Scale == 1)
	var file bytes.Buffer
	one := gif.GIF{Image: []*image.Paletted{magnify(p, a.o.Scale)}, Delay: []int{a.delay(a.frames)}}
	if err := gif.EncodeAll(&file, &one); err != nil {
		return fmt.Errorf("monitor: animation: frame %d: %w", a.frames, err)
	}
	a.head = append(a.head[:0], file.Bytes()[:gifHead]...)
	a.body = append(a.body, file.Bytes()[gifHead:file.Len()-1]...)
	a.size = img.Rect.Size()
	a.frames++
	return nil
}

// quantise gives each pixel the nearest of the 256 colours that fit the picture best. With dither its error goes on to the
// right and below (Floyd and Steinberg); errors are in 1/256 of a level. That is what image/draw does, which looks at
// all colours for each pixel.
func quantise(img *image.RGBA, dither bool) *image.Paletted {
	p := image.NewPaletted(img.Rect, choosePalette(img))
	f := newColourFinder(p.Palette)
	w := img.Rect.Dx()
	here, below := make([][3]int32, w+2), make([][3]int32, w+2) // with a place at either end
	for y := range img.Rect.Dy() {
		for x := range w {
			from := img.Pix[y*img.Stride+4*x:]
			var v, c [3]int32
			for a := range v {
				v[a] = max(0, min(255<<8, int32(from[a])<<8+here[x+1][a]/16))
				c[a] = (v[a] + 128) >> 8
			}
			k := f.nearest(c)
			p.Pix[y*p.Stride+x] = k
			if !dither {
				continue
			}
			for a, to := range f.palette[k] {
				e := v[a] - to<<8
				here[x+2][a] += 7 * e
				below[x][a] += 3 * e
				below[x+1][a] += 5 * e
				below[x+2][a] += e
			}
		}
		here, below = below, here
		clear(below)
	}
	return p
}

// delay is how long frame i is shown, in hundredths of a second. Frame i+1 begins at the hundredth that is nearest to
// (i+1)/FPS: at 30 frames per second two delays of 3 are followed by one of 4, and a hundred seconds are 3000 frames.
func (a *Animation) delay(i int) int {
	start := func(i int) int { return int(math.Round(float64(i) * 100 / a.o.FPS)) }
	return start(i+1) - start(i)
}

// magnify makes each pixel a square of scale by scale.
func magnify(p *image.Paletted, scale int) *image.Paletted {
	if scale == 1 {
		return p
	}
	out := image.NewPaletted(image.Rectangle{Max: p.Rect.Max.Mul(scale)}, p.Palette)
	for y := range p.Rect.Max.Y {
		first := out.Pix[y*scale*out.Stride:][:out.Stride]
		for x := range first {
			first[x] = p.Pix[y*p.Stride+x/scale]
		}
		for k := 1; k < scale; k++ {
			copy(out.Pix[(y*scale+k)*out.Stride:], first)
		}
	}
	return out
}

// Write writes the frames so far to a GIF file in one step, see [WriteFile]; more can be added and written after that. It
// fails if there are none, if the name does not end in .gif, and if the file cannot be written.
func (a *Animation) Write(path string) error {
	if a.frames == 0 {
		return fmt.Errorf("monitor: write %s: got no frames vs 1 or more", path)
	}
	if !strings.EqualFold(filepath.Ext(path), ".gif") {
		return fmt.Errorf("monitor: write %s: got a name ending in %q vs .gif", path, filepath.Ext(path))
	}
	const forever = "\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00" // an extension that all readers know: 0 is without end
	const trailer = ";"
	return WriteFile(path, func(w io.Writer) error {
		for _, part := range [][]byte{a.head, []byte(forever), a.body, []byte(trailer)} {
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
		return nil
	})
}
