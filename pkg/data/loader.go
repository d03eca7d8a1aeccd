package data

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// LoaderOptions are the settings of a [Loader].
type LoaderOptions struct {
	Batch      int // images in a batch
	Transform  Transform
	Seed       uint64
	Workers    int   // decoding goroutines; 0: one for each core, at most 8
	Prefetch   int   // batches that are made ahead; 0: 2
	CacheBytes int64 // images are kept in memory, scaled and cropped, while there is room; 0: 1 GiB, negative: never
}

// Loader is an endless stream of shuffled batches. It is used by one goroutine.
type Loader struct {
	ds      Dataset
	o       LoaderOptions
	next    int64 // position of the next image to deliver, counted from the start of training
	broken  brokenList
	memory  *Memory
	crops   *crops // nil: each picture has one place to be cropped, and can be kept
	cache   [][]byte
	room    int64 // bytes left in the cache
	cacheMu sync.RWMutex
}

// Batch is what one step trains on.
type Batch struct {
	Pixels []byte // [N, 3, R, R] RGB; valid until the next batch
	N, R   int
	Epoch  float64 // position of its end in passes over the set
}

// State is where the stream is.
type State struct {
	Position int64 `json:"position"` // images delivered so far
}

// Broken is a picture that could not be decoded and was replaced by another.
type Broken struct {
	Index int
	Err   error
}

// NewLoader checks the options and decodes one picture, so that a set of nothing but broken files is refused at once.
// It returns an error that wraps [ErrNoImages] then.
func NewLoader(ds Dataset, o LoaderOptions) (*Loader, error) {
	if o.Batch < 1 || o.Transform.Resolution < 1 {
		return nil, fmt.Errorf("data: loader: got batch %d, resolution %d vs positive numbers", o.Batch, o.Transform.Resolution)
	}
	o.Workers = Workers(o.Workers)
	if o.Prefetch == 0 {
		o.Prefetch = 2
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 1 << 30
	}
	if ds.Len() == 0 {
		return nil, fmt.Errorf("data: %s: %w", ds.Name(), ErrNoImages)
	}
	l := &Loader{ds: ds, o: o, memory: NewMemory(o.Workers)}
	augmented := o.Transform.Augment != nil && *o.Transform.Augment != Augment{}
	l.broken.seen = map[int]bool{}
	if o.Transform.Crop == CropRandom || augmented {
		var one image.Point
		if err := l.open(0, func(img image.Image) { one = img.Bounds().Size() }); err != nil {
			return nil, err
		}
		most := mostCrops
		if augmented {
			most = mostParts
		}
		l.crops = newCrops(ds.Len(), o.Transform.Resolution, most, one)
		return l, nil
	}
	l.cache, l.room = make([][]byte, ds.Len()), o.CacheBytes
	if err := l.fill(make([]byte, l.bytes()), 0); err != nil {
		return nil, err
	}
	return l, nil
}

// bytes is the size of one image's pixels.
func (l *Loader) bytes() int64 {
	return 3 * int64(l.o.Transform.Resolution) * int64(l.o.Transform.Resolution)
}

// Len is the number of pictures in the set.
func (l *Loader) Len() int { return l.ds.Len() }

// State returns where the stream is: what was delivered, not what was prefetched.
func (l *Loader) State() State { return State{Position: l.next} }

// Restore continues from a saved state.
func (l *Loader) Restore(s State) { l.next = s.Position }

// Broken returns the pictures that could not be decoded since the last call.
func (l *Loader) Broken() []Broken { return l.broken.take() }

// Batches yields batches until ctx is done or the loop is left; either way all goroutines end before it returns. The
// only error is that of ctx, or one that wraps [ErrNoImages] when every picture turned out to be broken.
func (l *Loader) Batches(ctx context.Context) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()

		n := int64(l.o.Batch)
		queue := make(chan *job, l.o.Prefetch) // in order of delivery
		work := make(chan task)
		free := make(chan []byte, l.o.Prefetch+2)
		for range l.o.Prefetch + 2 {
			free <- make([]byte, n*l.bytes())
		}
		wg.Go(func() {
			defer close(queue)
			defer close(work)
			for at := l.next; ; at += n {
				var buf []byte
				select {
				case buf = <-free:
				case <-ctx.Done():
					return
				}
				j := &job{pixels: buf}
				j.left.Store(n)
				j.done = make(chan struct{})
				select {
				case queue <- j:
				case <-ctx.Done():
					return
				}
				for i := range n {
					select {
					case work <- task{j, buf[i*l.bytes() : (i+1)*l.bytes()], at + i}:
					case <-ctx.Done():
						return
					}
				}
			}
		})
		for range l.o.Workers {
			wg.Go(func() {
				for t := range work {
					t.job.finish(l.fill(t.dst, t.position))
				}
			})
		}
		var last []byte
		for {
			j, ok := <-queue
			if ok {
				select {
				case <-j.done:
				case <-ctx.Done():
					ok = false
				}
			}
			if !ok {
				yield(nil, ctx.Err())
				return
			}
			if err := j.err.Load(); err != nil {
				yield(nil, *err)
				return
			}
			if last != nil {
				free <- last
			}
			last = j.pixels
			l.next += n
			b := &Batch{Pixels: j.pixels, N: int(n), R: l.o.Transform.Resolution, Epoch: float64(l.next) / float64(l.Len())}
			if !yield(b, nil) {
				return
			}
		}
	}
}

type job struct {
	pixels []byte
	left   atomic.Int64
	err    atomic.Pointer[error]
	done   chan struct{}
}

type task struct {
	job      *job
	dst      []byte
	position int64
}

func (j *job) finish(err error) {
	if err != nil {
		j.err.CompareAndSwap(nil, &err)
	}
	if j.left.Add(-1) == 0 {
		close(j.done)
	}
}

// index is the picture at a position of the stream: each pass goes over the set in an order of its own.
func (l *Loader) index(position int64) int {
	n := uint64(l.Len())
	epoch := uint64(position) / n
	return int(permute(uint64(position)%n, n, l.o.Seed, epoch))
}

// fill makes the image at a position; in place of a broken picture, the next one of the set.
func (l *Loader) fill(dst []byte, position int64) error {
	if l.crops != nil {
		return l.crops.fill(dst, position, l.o.Seed, l.o.Transform, l.open)
	}
	rng := rand.New(rand.NewPCG(l.o.Seed^0xa5a5, uint64(position)))
	return l.try(l.index(position), func(i int) error { return l.whole(dst, i, rng) })
}

// open decodes the picture at a position, in place of a broken one the next one of the set, and calls use with it.
func (l *Loader) open(position int64, use func(image.Image)) error {
	return l.try(l.index(position), func(i int) error { return l.image(i, use) })
}

// image decodes picture i and calls use with it, within the bound on memory.
func (l *Loader) image(i int, use func(image.Image)) error {
	return l.memory.use(l.ds, i, l.o.Transform.work, func(img image.Image) error {
		use(img)
		return nil
	})
}

// try calls use for picture i, and as long as that returns an error for the next one of the set.
func (l *Loader) try(i int, use func(i int) error) error {
	var reason error
	// Every picture may be tried once; but a folder of a million broken files should not take an hour to say so.
	for k := range min(l.Len(), 1000) {
		at := (i + k) % l.Len()
		err := use(at)
		if err == nil {
			return nil
		}
		l.broken.add(at, err)
		if reason == nil {
			reason = err
		}
	}
	return fmt.Errorf("data: %s: %w: none of %d pictures can be decoded, the first because %w", l.ds.Name(), ErrNoImages,
		min(l.Len(), 1000), reason)
}

// whole writes picture i, scaled and cropped in the middle, from memory if it is there.
func (l *Loader) whole(dst []byte, i int, rng *rand.Rand) error {
	l.cacheMu.RLock()
	pix := l.cache[i]
	l.cacheMu.RUnlock()
	if pix != nil {
		copy(dst, pix)
	} else {
		plain := l.o.Transform
		plain.Mirror = false
		if err := l.image(i, func(img image.Image) { plain.Apply(dst, img, nil) }); err != nil {
			return err
		}
		l.keep(i, dst)
	}
	if l.o.Transform.Mirror && rng.IntN(2) == 1 {
		mirror(dst, l.o.Transform.Resolution)
	}
	return nil
}

// keep puts a copy of picture i's pixels into the cache, while there is room.
func (l *Loader) keep(i int, pix []byte) {
	l.cacheMu.Lock()
	defer l.cacheMu.Unlock()
	if l.cache[i] == nil && l.room >= int64(len(pix)) {
		l.cache[i] = bytes.Clone(pix)
		l.room -= int64(len(pix))
	}
}

// mirror exchanges left and right in 3 planes of r x r.
func mirror(pix []byte, r int) {
	for row := 0; row < len(pix); row += r {
		for a, b := row, row+r-1; a < b; a, b = a+1, b-1 {
			pix[a], pix[b] = pix[b], pix[a]
		}
	}
}

// brokenList remembers each broken picture once.
type brokenList struct {
	mu   sync.Mutex
	seen map[int]bool
	l    []Broken
}

func (b *brokenList) add(i int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.seen[i] {
		b.seen[i] = true
		b.l = append(b.l, Broken{i, err})
	}
}

func (b *brokenList) take() []Broken {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.l
	b.l = nil
	return l
}

// Batch is the number of images in a batch.
func (l *Loader) Batch() int { return l.o.Batch }

// Resolution is the height and width of the images.
func (l *Loader) Resolution() int { return l.o.Transform.Resolution }

// Sample returns the pixels [n, 3, R, R] of the first n pictures of the stream; the stream does not move. Broken ones are
// replaced as in training.
func (l *Loader) Sample(n int) ([]byte, error) {
	pix := make([]byte, int64(n)*l.bytes())
	j := &job{done: make(chan struct{})}
	j.left.Store(int64(n))
	var next atomic.Int64
	for range min(n, l.o.Workers) {
		go func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				j.finish(l.fill(pix[i*l.bytes():(i+1)*l.bytes()], i))
			}
		}()
	}
	if n > 0 {
		<-j.done
	}
	if err := j.err.Load(); err != nil {
		return nil, *err
	}
	return pix, nil
}
