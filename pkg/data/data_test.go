package data

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// quarters is a picture whose quarters are red, green, blue and white.
func quarters(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	c := []color.NRGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {255, 255, 255, 255}}
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, c[2*(2*y/h)+2*x/w])
		}
	}
	return img
}

func encoded(t *testing.T, encode func(*bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, encode(&b))
	return b.Bytes()
}

// pixels are the corner pixels after the transform, as "rgb" letters of what is near 255.
func corners(t *testing.T, img image.Image, r int) string {
	t.Helper()
	pix := make([]byte, 3*r*r)
	Transform{Resolution: r}.Apply(pix, img, nil)
	var s string
	for _, k := range []int{0, r - 1, r * (r - 1), r*r - 1} {
		for c, name := range "rgb" {
			if pix[c*r*r+k] > 200 {
				s += string(name)
			}
		}
		s += " "
	}
	return s
}

func TestDecodeFormats(t *testing.T) {
	q := quarters(16, 16)
	paletted := image.NewPaletted(q.Rect, color.Palette{color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 255, 0, 255},
		color.NRGBA{0, 0, 255, 255}, color.White})
	deep := image.NewNRGBA64(q.Rect)
	for y := range 16 {
		for x := range 16 {
			paletted.Set(x, y, q.At(x, y))
			deep.Set(x, y, q.At(x, y))
		}
	}
	for name, file := range map[string][]byte{
		"png":      encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, q) }),
		"palette":  encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, paletted) }),
		"16 bit":   encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, deep) }),
		"jpeg":     encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, q, &jpeg.Options{Quality: 100}) }),
		"gif":      encoded(t, func(b *bytes.Buffer) error { return gif.Encode(b, paletted, nil) }),
		"bmp":      encoded(t, func(b *bytes.Buffer) error { return bmp.Encode(b, q) }),
		"tiff":     encoded(t, func(b *bytes.Buffer) error { return tiff.Encode(b, q, nil) }),
		"webp 1x1": webp,
	} {
		t.Run(name, func(t *testing.T) {
			img, err := Decode(file)
			require.NoError(t, err)
			if name == "webp 1x1" {
				require.Equal(t, 1, img.Bounds().Dx())
				return
			}
			require.Equal(t, "r g b rgb ", corners(t, img, 16))
		})
	}
	grey := image.NewGray(image.Rect(0, 0, 4, 4))
	for i := range grey.Pix {
		grey.Pix[i] = 100
	}
	pix := make([]byte, 3*4*4)
	Transform{Resolution: 4}.Apply(pix, grey, nil)
	require.Equal(t, bytes.Repeat([]byte{100}, 48), pix)
	clear := image.NewNRGBA(image.Rect(0, 0, 4, 4)) // transparent black over white
	Transform{Resolution: 4}.Apply(pix, clear, nil)
	require.Equal(t, bytes.Repeat([]byte{255}, 48), pix)
}

// A lossless WebP of one pixel.
var webp = []byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00")

// The eight orientations of EXIF: a picture stored turned comes out upright.
func TestEXIFOrientation(t *testing.T) {
	want := map[int]string{
		1: "r g b rgb ", 2: "g r rgb b ", 3: "rgb b g r ", 4: "b rgb r g ",
		5: "r b g rgb ", 6: "b r rgb g ", 7: "rgb g b r ", 8: "g rgb r b ",
	}
	plain := encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, quarters(16, 16), &jpeg.Options{Quality: 100}) })
	for o := 1; o <= 8; o++ {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			head := "II"
			if order == binary.AppendByteOrder(binary.BigEndian) {
				head = "MM"
			}
			tiffHead := order.AppendUint32(order.AppendUint16([]byte(head), 42), 8)
			tag := order.AppendUint16(order.AppendUint16(order.AppendUint16(tiffHead, 1), 0x0112), 3)
			tag = append(order.AppendUint16(order.AppendUint32(tag, 1), uint16(o)), 0, 0)
			seg := append([]byte("Exif\x00\x00"), append(tag, 0, 0, 0, 0)...)
			file := append([]byte{0xff, 0xd8, 0xff, 0xe1}, binary.BigEndian.AppendUint16(nil, uint16(len(seg)+2))...)
			file = append(append(file, seg...), plain[2:]...)
			require.Equal(t, o, frameOf(file).turned)
			img, err := Decode(file)
			require.NoError(t, err)
			require.Equal(t, want[o], corners(t, img, 16), "orientation %d", o)
		}
	}
}

// Shrinking a checkerboard of single pixels gives its mean: nothing aliases. A constant stays constant.
func TestShrinkingAverages(t *testing.T) {
	board := image.NewGray(image.Rect(0, 0, 64, 64))
	for y := range 64 {
		for x := range 64 {
			board.SetGray(x, y, color.Gray{uint8(255 * ((x + y) % 2))})
		}
	}
	pix := make([]byte, 3*8*8)
	Transform{Resolution: 8}.Apply(pix, board, nil)
	for y := 1; y < 7; y++ { // the border of the kernel is cut off at the edge
		for x := 1; x < 7; x++ {
			require.InDelta(t, 127.5, pix[8*y+x], 2)
		}
	}
}

func TestCrops(t *testing.T) {
	img := quarters(32, 16)
	require.Equal(t, "r g b rgb ", corners(t, img, 8), "the middle square")
	rng := rand.New(rand.NewPCG(1, 1))
	seen := map[string]bool{}
	for range 50 {
		pix := make([]byte, 3*4*4)
		Transform{Resolution: 4, Crop: CropRandom}.Apply(pix, img, rng)
		seen[string(pix)] = true
	}
	require.Greater(t, len(seen), 4, "random crops differ")
}

func TestSources(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, data, 0o644))
		return path
	}
	file := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, quarters(16, 16)) })
	write("photos/a.PNG", file)
	write("photos/sub/b.png", file)
	write("photos/.hidden/c.png", file)
	write("photos/readme.txt", []byte("x"))
	d, err := Open(filepath.Join(dir, "photos"), 32)
	require.NoError(t, err)
	require.Equal(t, 2, d.Len())
	require.Equal(t, "photos", d.Name())

	// Links are followed: of the folder itself, to files and to folders, once around a loop and not for ever.
	write("elsewhere/d.png", file)
	require.NoError(t, os.Symlink(filepath.Join(dir, "photos"), filepath.Join(dir, "linked")))
	require.NoError(t, os.Symlink(filepath.Join(dir, "elsewhere"), filepath.Join(dir, "photos/more")))
	require.NoError(t, os.Symlink("../elsewhere/d.png", filepath.Join(dir, "photos/e.png")))
	require.NoError(t, os.Symlink("..", filepath.Join(dir, "photos/sub/loop")))
	d, err = Open(filepath.Join(dir, "linked"), 32)
	require.NoError(t, err)
	require.Equal(t, 4, d.Len())

	var z bytes.Buffer
	zw := zip.NewWriter(&z)
	for _, name := range []string{"00/1.png", "../evil.png", "dataset.json"} {
		w, err := zw.Create(name)
		require.NoError(t, err)
		_, err = w.Write(file)
		require.NoError(t, err)
	}
	require.NoError(t, zw.Close())
	d, err = Open(write("set.zip", z.Bytes()), 32)
	require.NoError(t, err)
	require.Equal(t, 2, d.Len())
	img, err := d.Image(1)
	require.NoError(t, err)
	require.Equal(t, "r g b rgb ", corners(t, img, 16))
	require.NoFileExists(t, filepath.Join(filepath.Dir(dir), "evil.png"))

	record := make([]byte, cifarRecord)
	record[1], record[1+1024+1] = 255, 255 // pixel 0 red, pixel 1 green
	batch := append(bytes.Clone(record), record...)
	write("cifar/data_batch_1.bin", batch)
	d, err = Open(filepath.Join(dir, "cifar"), 32)
	require.NoError(t, err)
	require.Equal(t, 2, d.Len())
	img, err = d.Image(1)
	require.NoError(t, err)
	require.Equal(t, color.RGBA{255, 0, 0, 255}, img.At(0, 0))
	require.Equal(t, color.RGBA{0, 255, 0, 255}, img.At(1, 0))
	var tgz bytes.Buffer
	gw := gzip.NewWriter(&tgz)
	tw := tar.NewWriter(gw)
	require.NoError(t, tw.WriteHeader(&tar.Header{Name: "cifar-10-batches-bin/data_batch_3.bin", Size: int64(len(batch)), Typeflag: tar.TypeReg}))
	_, err = tw.Write(batch)
	require.NoError(t, err)
	require.NoError(t, tw.Close())
	require.NoError(t, gw.Close())
	d, err = Open(write("cifar-10-binary.tar.gz", tgz.Bytes()), 32)
	require.NoError(t, err)
	require.Equal(t, 2, d.Len())

	idx := append([]byte{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3}, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
	d, err = Open(filepath.Dir(write("mnist/train-images-idx3-ubyte", idx)), 32)
	require.NoError(t, err)
	require.Equal(t, 2, d.Len())
	d, err = Open(write("train-images-idx3-ubyte", idx), 32)
	require.NoError(t, err)
	img, err = d.Image(1)
	require.NoError(t, err)
	require.Equal(t, color.RGBA{12, 12, 12, 255}, img.At(2, 1))

	for name, want := range map[string]string{
		write("short-idx3-ubyte", idx[:20]):           "vs 2 pictures of 3 x 2",
		write("odd.bin", batch[:100]):                 "records of 3073",
		write("empty.zip", []byte("PK")):              "zip",
		filepath.Join(dir, "nowhere"):                 "not found",
		filepath.Dir(write("none/readme.md", nil)):    "looked for .jpg",
		write("picture.xyz", []byte("no known kind")): "no known kind",
	} {
		_, err = Open(name, 32)
		require.ErrorContains(t, err, want)
	}
}

// Each epoch is a permutation of the set, another one each time.
func TestPermute(t *testing.T) {
	for _, n := range []uint64{1, 2, 3, 10, 1000} {
		for epoch := range uint64(3) {
			seen := make([]bool, n)
			for i := range n {
				p := permute(i, n, 42, epoch)
				require.Less(t, p, n)
				require.False(t, seen[p])
				seen[p] = true
			}
		}
	}
	require.NotEqual(t, permute(5, 1000, 42, 0), permute(5, 1000, 42, 1))
}

func stream(t *testing.T, l *Loader, n int) (out [][]byte) {
	t.Helper()
	for b, err := range l.Batches(context.Background()) {
		require.NoError(t, err)
		out = append(out, bytes.Clone(b.Pixels))
		if len(out) == n {
			return out
		}
	}
	return out
}

// The stream is the same for any number of workers, goes on where it was, and leaves no goroutine behind.
func TestLoaderStream(t *testing.T) {
	before := runtime.NumGoroutine()
	make := func(workers int, cache int64) *Loader {
		l, err := NewLoader(NewDemo(8, false), LoaderOptions{Batch: 5, Seed: 9, Workers: workers, CacheBytes: cache,
			Transform: Transform{Resolution: 8, Mirror: true}})
		require.NoError(t, err)
		return l
	}
	want := stream(t, make(1, 0), 9)
	require.Equal(t, want, stream(t, make(7, 0), 9))
	require.Equal(t, want, stream(t, make(3, -1), 9), "without cache")
	l := make(4, 0)
	stream(t, l, 4)
	require.EqualValues(t, 20, l.State().Position, "delivered, not prefetched")
	resumed := make(2, 0)
	resumed.Restore(l.State())
	require.Equal(t, want[4:], stream(t, resumed, 5))
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d goroutines vs %d before", runtime.NumGoroutine(), before)
}

type counting struct {
	Dataset
	len int
	n   atomic.Int64
}

func (c *counting) Len() int { return c.len }
func (c *counting) Image(i int) (image.Image, error) {
	c.n.Add(1)
	return c.Dataset.Image(i)
}

// Each decoded picture gives crops for many images; every batch is of different pictures, and over time every picture is
// used equally often. The crops of a picture differ, and do not depend on where the stream begins.
func TestRandomCropsShareADecoding(t *testing.T) {
	for _, test := range []struct{ pictures, each int }{{6, mostCrops}, {100, mostCrops}, {1, mostCrops}, {70, 1}} {
		set := &counting{Dataset: NewDemo(64, false), len: test.pictures}
		resolution := map[int]int{mostCrops: 8, 1: 30}[test.each] // 64 crops of 8 x 8 beside each other, or 4 of 30 x 30
		make := func() *Loader {
			l, err := NewLoader(set, LoaderOptions{Batch: 6, Workers: 3, Transform: Transform{Resolution: resolution, Crop: CropRandom}})
			require.NoError(t, err)
			return l
		}
		l := make()
		require.Equal(t, test.each, l.crops.each)
		lanes := len(l.crops.lanes)
		used, seen := map[int64]int{}, map[[2]int64]bool{}
		for p := range int64(lanes * test.each * 3) {
			_, pic, crop := l.crops.at(p)
			used[pic]++
			require.False(t, seen[[2]int64{pic, int64(crop)}], "crop %d of picture %d comes twice", crop, pic)
			seen[[2]int64{pic, int64(crop)}] = true
		}
		for pic, n := range used {
			if pic >= int64(lanes) && pic < 3*int64(lanes) {
				require.Equal(t, test.each, n, "picture %d", pic)
			}
		}
		set.n.Store(0)
		const batches = 40
		b := stream(t, l, batches)
		images := (batches + 3) * 6 // with those made ahead
		require.LessOrEqual(t, int(set.n.Load()), images/test.each+lanes+3)
		require.NotEqual(t, b[0], b[1])
		later := make()
		later.Restore(State{Position: 6 * 30})
		require.Equal(t, b[30:], stream(t, later, batches-30))
		first, err := make().Sample(6)
		require.NoError(t, err)
		require.Equal(t, b[0], first)
	}
}

type flaky struct{ Dataset }

func (f flaky) Len() int { return 10 }
func (f flaky) Image(i int) (image.Image, error) {
	if i%3 == 0 {
		return nil, fmt.Errorf("picture %d is broken", i)
	}
	return f.Dataset.Image(i)
}

func TestBrokenPicturesAreSkippedAndListedOnce(t *testing.T) {
	l, err := NewLoader(flaky{NewDemo(8, false)}, LoaderOptions{Batch: 10, Transform: Transform{Resolution: 8}})
	require.NoError(t, err)
	stream(t, l, 6)
	var indices []int
	for _, b := range l.Broken() {
		indices = append(indices, b.Index)
	}
	require.ElementsMatch(t, []int{0, 3, 6, 9}, indices)
	stream(t, l, 3)
	require.Empty(t, l.Broken())
}

func TestLoaderStopsWithContext(t *testing.T) {
	l, err := NewLoader(NewDemo(8, false), LoaderOptions{Batch: 4, Transform: Transform{Resolution: 8}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	for _, err := range l.Batches(ctx) {
		if n++; n == 3 {
			cancel()
		}
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
			return
		}
		require.Less(t, n, 20, "goes on after the context ended")
	}
}

func TestDemoIsDeterministicAndHeldOut(t *testing.T) {
	a, err := NewDemo(32, false).Image(7)
	require.NoError(t, err)
	b, err := NewDemo(32, false).Image(7)
	require.NoError(t, err)
	require.Equal(t, a, b)
	c, err := NewDemo(32, true).Image(7)
	require.NoError(t, err)
	require.NotEqual(t, a, c)
}
