package data

import (
	"context"
	"crypto/sha256"
	"fmt"
	"image"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// AsScored is the same pictures as [DecodeRGB] reads them: what a detector is trained on should be what it is shown when
// files are scored.
func AsScored(ds Dataset) Dataset { return asScored{ds} }

type asScored struct{ Dataset }

func (s asScored) Image(i int) (image.Image, error) {
	src, _ := sourceOf(s.Dataset, i)
	if src == nil { // in memory, or drawn
		img, err := s.Dataset.Image(i)
		if err != nil {
			return nil, err
		}
		return ToRGB(img), nil
	}
	return readAlone(src, true)
}

// Images are pictures in memory as a detector is shown them when files are scored.
type Images struct {
	Pixels []byte        // [N, 3, R, R] RGB
	N, R   int           // number of pictures, height and width
	Sizes  []image.Point // of the N pictures before they were scaled
	Broken []Broken      // those that could not be decoded and are left out, by their number in the set
}

// LoadImages decodes every picture of a set as [DecodeRGB] does and stretches it to r x r. workers goroutines do it, one for
// each core and at most 8 if less than 1; the result does not depend on their number. When the set has pictures and none can be decoded
// it returns an error that wraps [ErrNoImages], beside the list of what is broken; and that of ctx when it ends.
func LoadImages(ctx context.Context, ds Dataset, r, workers int) (*Images, error) {
	return loadImages(ctx, ds, r, workers, NewMemory(Workers(workers)))
}

func loadImages(ctx context.Context, ds Dataset, r, workers int, memory *Memory) (*Images, error) {
	n, size := ds.Len(), 3*r*r
	out := &Images{R: r, Pixels: make([]byte, n*size), Sizes: make([]image.Point, n)}
	errs := make([]error, n)
	work := Transform{Resolution: r}.work
	scored := AsScored(ds)
	parallel(n, workers, func(i int) {
		if ctx.Err() != nil {
			return
		}
		errs[i] = memory.use(scored, i, work, func(img image.Image) error {
			p := ToRGB(img)
			out.Sizes[i] = image.Pt(p.W, p.H)
			p.Stretch(out.Pixels[i*size:(i+1)*size], r)
			return nil
		})
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i, err := range errs {
		if err != nil {
			out.Broken = append(out.Broken, Broken{i, err})
			continue
		}
		copy(out.Pixels[out.N*size:], out.Pixels[i*size:(i+1)*size])
		out.Sizes[out.N] = out.Sizes[i]
		out.N++
	}
	out.Pixels, out.Sizes = out.Pixels[:out.N*size], out.Sizes[:out.N]
	if out.N == 0 && n > 0 {
		return out, fmt.Errorf("data: %s: %w: none of %d pictures can be decoded, the first because %w", ds.Name(), ErrNoImages,
			n, out.Broken[0].Err)
	}
	return out, nil
}

// Workers is the number of decoding goroutines for a wanted one: itself, or when that is less than 1, one for each core and
// at most 8.
func Workers(wanted int) int {
	if wanted >= 1 {
		return wanted
	}
	return min(8, runtime.NumCPU())
}

// parallel calls f for 0 <= i < n from several goroutines, as many as cores and at most 8 if workers is less than 1.
func parallel(n, workers int, f func(i int)) {
	workers = Workers(workers)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for i := int(next.Add(1) - 1); i < n; i = int(next.Add(1) - 1) {
				f(i)
			}
		})
	}
	wg.Wait()
}

// Degraded returns copies of the pictures with a degradation, at the size that they have here. Picture i has the same noise
// for the same seed.
func (im *Images) Degraded(kind Degradation, strength float64, seed uint64) *Images {
	out := &Images{N: im.N, R: im.R, Sizes: im.Sizes, Pixels: make([]byte, len(im.Pixels))}
	size, plane := 3*im.R*im.R, im.R*im.R
	parallel(im.N, 0, func(i int) {
		p, from := NewRGB(im.R, im.R), im.Pixels[i*size:(i+1)*size]
		for k := range plane {
			p.Pix[3*k], p.Pix[3*k+1], p.Pix[3*k+2] = from[k], from[plane+k], from[2*plane+k]
		}
		kind.Apply(p, strength, rand.New(rand.NewPCG(seed, uint64(i)))).Stretch(out.Pixels[i*size:(i+1)*size], im.R)
	})
	return out
}

// Common is how many pictures of im are also among others, pixel for pixel.
func (im *Images) Common(others *Images) int {
	size := 3 * im.R * im.R
	seen := make(map[[sha256.Size]byte]bool, others.N)
	for i := range others.N {
		seen[sha256.Sum256(others.Pixels[i*size:(i+1)*size])] = true
	}
	n := 0
	for i := range im.N {
		if seen[sha256.Sum256(im.Pixels[i*size:(i+1)*size])] {
			n++
		}
	}
	return n
}

// MedianSize is the median of the widths and that of the heights before scaling, 0 x 0 for no pictures.
func (im *Images) MedianSize() image.Point {
	if im.N == 0 {
		return image.Point{}
	}
	median := func(of func(image.Point) int) int {
		l := make([]int, im.N)
		for i, p := range im.Sizes {
			l[i] = of(p)
		}
		slices.Sort(l)
		return l[im.N/2]
	}
	return image.Pt(median(func(p image.Point) int { return p.X }), median(func(p image.Point) int { return p.Y }))
}
