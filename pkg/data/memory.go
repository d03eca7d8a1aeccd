package data

import (
	"fmt"
	"image"
	"io"
	"sync"
)

// Memory bounds what several goroutines hold of picture files at a time. A file of some kilobytes may unpack to half a
// gigabyte; one such picture is let through, but not one for each core. Photographs do not wait.
type Memory struct{ files, pixels semaphore }

// For each goroutine: a photograph of 48 megapixels takes 310 MB on its way to 256 x 256, its file 10 to 50.
const (
	pixelsEach = 320 << 20
	filesEach  = 64 << 20
)

// NewMemory returns the bound for so many goroutines: 384 MB each, or what one picture takes if that is more.
func NewMemory(workers int) *Memory {
	m := &Memory{}
	m.files.init(filesEach * int64(max(1, workers)))
	m.pixels.init(pixelsEach * int64(max(1, workers)))
	return m
}

// Use reads a picture file and calls use with its bytes and the picture, which are counted until it returns. asScored
// means [DecodeRGB] in place of [Decode]; r is the size that the picture is scaled to. An error of a file names it.
func (m *Memory) Use(path string, asScored bool, r int, use func(file []byte, img image.Image) error) error {
	return m.read(fileSource(path), asScored, Transform{Resolution: r}.work, use)
}

// use is Use for picture i of a set. work is how many bytes scaling takes.
func (m *Memory) use(ds Dataset, i int, work func(w, h int) int64, use func(image.Image) error) error {
	s, scored := sourceOf(ds, i)
	if s != nil {
		return m.read(s, scored, work, func(_ []byte, img image.Image) error { return use(img) })
	}
	img, err := ds.Image(i) // what is in memory, or drawn
	if err != nil {
		return err
	}
	return use(img)
}

func (m *Memory) read(s source, scored bool, work func(w, h int) int64, use func(file []byte, img image.Image) error) error {
	r, size, sure, err := s.open()
	if err != nil {
		return err
	}
	defer r.Close()
	// Whoever waits for pixels holds a file, and whoever has got both waits for nothing, so that none waits for ever.
	defer m.files.take(min(size, maxFileBytes))()
	file, err := readAtMost(r, size, sure, maxFileBytes)
	if err != nil {
		return fmt.Errorf("data: %s: %w", s, err)
	}
	h, err := inspect(file, MaxPixels)
	if err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	defer m.pixels.take(h.memory + work(h.w, h.h))()
	var img image.Image
	if scored {
		img, err = h.rgb(file)
	} else {
		img, err = h.upright(file)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	return use(file, img)
}

// readAlone reads a picture that nothing else is counted with.
func readAlone(s source, asScored bool) (img image.Image, err error) {
	var unbounded Memory
	err = unbounded.read(s, asScored, func(w, h int) int64 { return 0 }, func(_ []byte, got image.Image) error {
		img = got
		return nil
	})
	return img, err
}

// source is where the bytes of a picture are. Its text is what errors call it.
type source interface {
	fmt.Stringer
	// open returns the bytes, how many they claim to be, and how many are likely to come. Its errors name the source.
	open() (r io.ReadCloser, size, sure int64, err error)
}

type fileSource string

func (f fileSource) String() string { return shown(string(f)) }

func (f fileSource) open() (io.ReadCloser, int64, int64, error) {
	r, size, err := openRegular(string(f))
	if err != nil {
		return nil, 0, 0, err
	}
	return r, size, size, nil
}

// sourceOf finds picture i of a set that is made of files, and whether it is read [AsScored]; nil if it is not.
func sourceOf(ds Dataset, i int) (s source, scored bool) {
	switch d := ds.(type) {
	case *Folder:
		return fileSource(d.paths[i]), false
	case *Zip:
		return zipSource{d, i}, false
	case asScored:
		s, _ = sourceOf(d.Dataset, i)
		return s, true
	case *Subset:
		return sourceOf(d.ds, d.index[i])
	case *joined:
		part, k := d.at(i)
		return sourceOf(d.sets[part], k)
	}
	return nil, false
}

// semaphore counts bytes. Those who wait are served in their order, so that a large one is not passed by for ever.
type semaphore struct {
	turn  sync.Mutex // of who waits first
	mu    sync.Mutex
	freed *sync.Cond
	all   int64 // 0: no bound
	left  int64
}

func (s *semaphore) init(all int64) { s.all, s.left, s.freed = all, all, sync.NewCond(&s.mu) }

// take waits until there are n bytes, or all of them for more than there are, and returns what gives them back.
func (s *semaphore) take(n int64) (give func()) {
	if s.all == 0 {
		return func() {}
	}
	n = max(0, min(n, s.all))
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.left < n {
		s.freed.Wait()
	}
	s.left -= n
	return func() {
		s.mu.Lock()
		s.left += n
		s.mu.Unlock()
		s.freed.Signal() // one at most waits here, the others for their turn
	}
}
