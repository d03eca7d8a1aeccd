package data

import (
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// small returns a bound of so many bytes of pixels, and as much for files.
func small(pixels int64) *Memory {
	m := &Memory{}
	m.files.init(pixels)
	m.pixels.init(pixels)
	return m
}

// folderOfHostile has n files of a kilobyte, each of which unpacks to half a megabyte.
func folderOfHostile(t testing.TB, n int) (f *Folder, each int64) {
	t.Helper()
	dir := t.TempDir()
	file := hostilePNG(256, 256, 16, 6, false)
	for i := range n {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d.png", i)), file, 0o644))
	}
	f, err := OpenFolder(dir)
	require.NoError(t, err)
	h, err := inspect(file, MaxPixels)
	require.NoError(t, err)
	require.Greater(t, h.memory, int64(8*256*256))
	return f, h.memory + Transform{Resolution: 8}.work(256, 256)
}

// Pictures that claim much are decoded a few at a time, however many goroutines there are.
func TestMemoryOfManyPictures(t *testing.T) {
	const n = 24
	f, each := folderOfHostile(t, n)
	for _, c := range []struct{ room, most int64 }{{3 * each, 3}, {each + each/2, 1}, {each / 2, 1}, {0, 8}} {
		m := small(c.room)
		var now, most atomic.Int64
		parallel(n, 8, func(i int) {
			require.NoError(t, m.use(f, i, Transform{Resolution: 8}.work, func(img image.Image) error {
				for k := now.Add(1); ; {
					if old := most.Load(); k <= old || most.CompareAndSwap(old, k) {
						break
					}
				}
				for start := time.Now(); ; time.Sleep(time.Millisecond) { // scaling, which takes a while
					if d := time.Since(start); d > 10*time.Second || d > 3*time.Millisecond && (c.room > 0 || most.Load() > 3) {
						break
					}
				}
				now.Add(-1)
				return nil
			}))
		})
		if c.room == 0 {
			require.Greater(t, most.Load(), int64(3), "without a bound there are more, or this test tests nothing")
			continue
		}
		require.LessOrEqual(t, most.Load(), c.most)
		require.Equal(t, c.room, m.pixels.left)
		require.Equal(t, c.room, m.files.left)
	}
}

// Everything that decodes in parallel waits for memory that others have.
func TestDecodingWaitsForMemory(t *testing.T) {
	f, each := folderOfHostile(t, 4)
	m := small(each)
	loader := func(crop Crop) *Loader {
		l, err := NewLoader(f, LoaderOptions{Batch: 2, Transform: Transform{Resolution: 8, Crop: crop}, CacheBytes: -1})
		require.NoError(t, err)
		l.memory = m
		return l
	}
	batch := func(crop Crop) func() error {
		return func() error {
			for _, err := range loader(crop).Batches(context.Background()) {
				return err
			}
			return nil
		}
	}
	for name, run := range map[string]func() error{
		"loader":       batch(CropCenter),
		"random crops": batch(CropRandom),
		"sample":       func() error { _, err := loader(CropCenter).Sample(3); return err },
		"images":       func() error { _, err := loadImages(context.Background(), f, 8, 2, m); return err },
		"one file": func() error {
			return m.Use(f.Path(0), true, 8, func(file []byte, img image.Image) error { return nil })
		},
	} {
		for _, s := range []*semaphore{&m.pixels, &m.files} {
			give := s.take(each)
			done := make(chan error, 1)
			go func() { done <- run() }()
			select {
			case <-done:
				t.Fatalf("%s: done without memory", name)
			case <-time.After(20 * time.Millisecond):
			}
			give()
			require.NoError(t, <-done, name)
		}
	}
}

// Memory is given back by pictures that are broken, and by a panic of what uses them.
func TestMemoryIsGivenBack(t *testing.T) {
	f, each := folderOfHostile(t, 3)
	file, err := os.ReadFile(f.Path(0))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(f.Path(1), file[:len(file)-30], 0o644))
	require.NoError(t, os.Remove(f.Path(2)))
	m := small(each)
	work := Transform{Resolution: 8}.work
	nothing := func(image.Image) error { return nil }
	for range 3 {
		require.NoError(t, m.use(f, 0, work, nothing))
		require.ErrorContains(t, m.use(f, 1, work, nothing), "01.png: data: decode: png")
		require.ErrorIs(t, m.use(f, 2, work, nothing), os.ErrNotExist)
		require.ErrorIs(t, m.use(f, 0, work, func(image.Image) error { return context.Canceled }), context.Canceled)
		require.Panics(t, func() { _ = m.use(f, 0, work, func(image.Image) error { panic("no") }) })
		require.Equal(t, each, m.pixels.left)
		require.Equal(t, each, m.files.left)
	}
}

// A large request is served in its turn, although smaller ones come all the time and would fit.
func TestSemaphoreIsFair(t *testing.T) {
	var s semaphore
	s.init(10)
	give := s.take(5)
	var order sync.Mutex
	var got []int64
	var wg sync.WaitGroup
	for i, n := range []int64{100, 1, 1, 1} {
		wg.Go(func() {
			back := s.take(n)
			order.Lock()
			got = append(got, n)
			order.Unlock()
			back()
		})
		if i == 0 {
			time.Sleep(20 * time.Millisecond) // it waits
		}
	}
	time.Sleep(20 * time.Millisecond)
	order.Lock()
	require.Empty(t, got)
	order.Unlock()
	give()
	wg.Wait()
	require.Equal(t, int64(100), got[0])
	require.Equal(t, int64(10), s.left)
}
