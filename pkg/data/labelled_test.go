package data

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// folderOf writes n small pictures.
func folderOf(t *testing.T, dir string, n int) *Folder {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for i := range n {
		img := image.NewRGBA(image.Rect(0, 0, 4, 4))
		for k := range img.Pix {
			if img.Pix[k] = uint8(i); k%4 == 3 {
				img.Pix[k] = 255
			}
		}
		img.Set(0, 0, color.White)
		file := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, img) })
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("p%04d.png", i)), file, 0o644))
	}
	f, err := OpenFolder(dir)
	require.NoError(t, err)
	return f
}

func keys(ds Dataset) map[string]bool {
	out := map[string]bool{}
	for i := range ds.Len() {
		out[keyOf(ds, i)] = true
	}
	return out
}

func TestSplit(t *testing.T) {
	dir := t.TempDir()
	real, fake := folderOf(t, filepath.Join(dir, "real"), 100), folderOf(t, filepath.Join(dir, "fake"), 43)
	parts := Labelled{real, fake}.Split(7, 0.1, 0.1)
	require.Len(t, parts, 3)
	// Stratified: a tenth of each class, whatever its size.
	for i, want := range [][2]int{{10, 4}, {10, 4}, {80, 35}} {
		require.Equal(t, want, [2]int{parts[i].Real.Len(), parts[i].Fake.Len()})
	}
	all := map[string]bool{}
	for _, p := range parts {
		for k := range keys(p.Real) {
			require.False(t, all[k], "%s is in two parts", k)
			all[k] = true
		}
	}
	require.Len(t, all, 100)

	again := Split(real, 7, 0.1, 0.1)
	for i := range again {
		require.Equal(t, keys(parts[i].Real), keys(again[i]))
	}
	require.NotEqual(t, keys(Split(real, 8, 0.1)[0]), keys(again[0]))

	// The folder's place and the order of its files do not matter, and one more moves few.
	moved := folderOf(t, filepath.Join(dir, "deep", "er"), 101)
	for i, part := range Split(moved, 7, 0.1, 0.1) {
		now := keys(part)
		n := 0
		for k := range keys(again[i]) {
			if !now[k] {
				n++
			}
		}
		require.LessOrEqual(t, n, 2)
	}
	few := Split(Range(real, 0, 3), 1, 0.1, 0.1)
	require.Equal(t, []int{1, 1, 1}, []int{few[0].Len(), few[1].Len(), few[2].Len()})
}

func TestJoinRangeSpread(t *testing.T) {
	dir := t.TempDir()
	a, b := folderOf(t, filepath.Join(dir, "a"), 3), folderOf(t, filepath.Join(dir, "b"), 2)
	require.Equal(t, Dataset(a), Join(a))
	j := Join(a, b)
	require.Equal(t, "a+b", j.Name())
	require.Equal(t, 5, j.Len())
	img, err := j.Image(4)
	require.NoError(t, err)
	r, _, _, _ := img.At(1, 1).RGBA()
	require.EqualValues(t, 1, r>>8)
	require.Len(t, keys(j), 5, "pictures of one name in two folders are two")
	require.Panics(t, func() { j.Image(5) })
	require.Panics(t, func() { Join() })
	require.Panics(t, func() { Range(a, 0, 4) })
	require.Equal(t, map[string]bool{"p0001.png": true, "p0002.png": true}, keys(Range(a, 1, 3)))
	require.Equal(t, map[string]bool{"p0000.png": true, "p0001.png": true}, keys(Spread(a, 2)))
	require.Equal(t, 3, Spread(a, 9).Len())
}

func TestLoadImages(t *testing.T) {
	dir := t.TempDir()
	f := folderOf(t, filepath.Join(dir, "a"), 9)
	require.NoError(t, os.WriteFile(f.Path(2), []byte("broken"), 0o644))
	ctx := context.Background()
	im, err := LoadImages(ctx, f, 4, 1)
	require.NoError(t, err)
	require.Equal(t, 8, im.N)
	require.Len(t, im.Broken, 1)
	require.Equal(t, 2, im.Broken[0].Index)
	require.ErrorContains(t, im.Broken[0].Err, "p0002.png")
	require.EqualValues(t, []byte{255, 3, 3}, im.Pixels[2*48:2*48+3], "the next one moves up")
	require.Equal(t, image.Pt(4, 4), im.MedianSize())
	many, err := LoadImages(ctx, f, 4, 7)
	require.NoError(t, err)
	require.Equal(t, im.Pixels, many.Pixels)

	require.Equal(t, 8, im.Common(many))
	require.Equal(t, 3, mustLoad(t, Range(f, 0, 4)).Common(im))
	require.Zero(t, im.Common(mustLoad(t, NewDemo(4, false).first(5))))

	noisy := im.Degraded(DegradeNoise, 1, 3)
	require.Equal(t, noisy.Pixels, im.Degraded(DegradeNoise, 1, 3).Pixels)
	require.NotEqual(t, noisy.Pixels, im.Degraded(DegradeNoise, 1, 4).Pixels)
	require.NotEqual(t, noisy.Pixels[48:96], noisy.Pixels[96:144])
	require.Len(t, noisy.Pixels, len(im.Pixels))

	_, err = LoadImages(ctx, Range(f, 2, 3), 4, 1)
	require.ErrorIs(t, err, ErrNoImages)
	empty, err := LoadImages(ctx, Range(f, 0, 0), 4, 1)
	require.NoError(t, err)
	require.Zero(t, empty.N)
	require.Equal(t, image.Point{}, empty.MedianSize())
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	_, err = LoadImages(stopped, f, 4, 1)
	require.ErrorIs(t, err, context.Canceled)
}

func (d *Demo) first(n int) Dataset { return Range(d, 0, n) }

func mustLoad(t *testing.T, ds Dataset) *Images {
	t.Helper()
	im, err := LoadImages(context.Background(), ds, 4, 0)
	require.NoError(t, err)
	return im
}

// Training reads files as scoring does: alpha is dropped and not laid over white.
func TestAsScored(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 4, 4))
	for i := range 16 {
		copy(img.Pix[4*i:], []byte{10, 20, 30, 0})
	}
	file := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, img) })
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.png"), file, 0o644))
	packed := filepath.Join(t.TempDir(), "z.zip")
	out, err := os.Create(packed)
	require.NoError(t, err)
	w := zip.NewWriter(out)
	e, err := w.Create("a.png")
	require.NoError(t, err)
	_, err = e.Write(file)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, out.Close())
	for _, path := range []string{dir, packed} {
		ds, err := Open(path, 4)
		require.NoError(t, err)
		for _, d := range []Dataset{AsScored(ds), AsScored(Join(ds, ds)), AsScored(Range(ds, 0, 1)), AsScored(AsScored(ds))} {
			got, err := d.Image(0)
			require.NoError(t, err)
			require.Equal(t, []byte{10, 20, 30}, got.(*RGB).Pix[:3], "%s", path)
		}
	}
}
