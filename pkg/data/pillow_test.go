package data

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"io"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pillowFiles is testdata/pillow.zip, which testdata/make_pillow.py made with Pillow 9.4.0 and libjpeg-turbo 2.1.5.
func pillowFiles(t testing.TB) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader("testdata/pillow.zip")
	require.NoError(t, err)
	defer z.Close()
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		files[f.Name], err = io.ReadAll(r)
		require.NoError(t, err)
	}
	return files
}

// difference is the largest and the mean difference between two lists of bytes.
func difference(t *testing.T, want, got []byte) (largest int, mean float64) {
	t.Helper()
	require.Equal(t, len(want), len(got))
	sum := 0
	for i, v := range want {
		d := int(v) - int(got[i])
		d = max(d, -d)
		largest, sum = max(largest, d), sum+d
	}
	return largest, float64(sum) / float64(len(want))
}

// Every format and kind of pixels is read bit for bit as Pillow reads it, but for JPEG: image/jpeg's inverse cosine
// transform rounds otherwise than libjpeg's in 2 of 100 samples, by 1, which the conversion to RGB makes up to 3.
func TestDecodeRGBAgainstPillow(t *testing.T) {
	files := pillowFiles(t)
	n := 0
	for name, file := range files {
		expected, ok := files[name+".png"]
		if !ok || strings.HasPrefix(name, "stretch/") {
			continue
		}
		n++
		t.Run(name, func(t *testing.T) {
			want, err := DecodeRGB(expected)
			require.NoError(t, err)
			got, err := DecodeRGB(file)
			require.NoError(t, err)
			require.Equal(t, want.Bounds(), got.Bounds())
			largest, mean := difference(t, want.Pix, got.Pix)
			if !strings.HasSuffix(name, ".jpg") {
				require.Zero(t, largest)
				return
			}
			require.LessOrEqual(t, largest, 3)
			require.Less(t, mean, 0.2) // of twelve bytes in the smallest
		})
	}
	require.Equal(t, 71, n)
}

// What libjpeg computes, from planes instead of a file: jdsample.c's formulas by hand, for a row of three samples.
func TestTriangle(t *testing.T) {
	for _, test := range []struct {
		ratio     image.YCbCrSubsampleRatio
		near, far []byte
		odd       int
		want      []byte
	}{
		{image.YCbCrSubsampleRatio422, []byte{10, 20, 41}, nil, 0, []byte{10, 13, 17, 25, 36, 41}},
		{image.YCbCrSubsampleRatio420, []byte{10, 20, 41}, []byte{30, 40, 61}, 0, []byte{15, 17, 23, 30, 41, 46}},
		{image.YCbCrSubsampleRatio440, []byte{10, 20, 41}, []byte{12, 23, 40}, 0, []byte{10, 21, 41}},
		{image.YCbCrSubsampleRatio440, []byte{10, 20, 41}, []byte{12, 23, 40}, 1, []byte{11, 21, 41}},
		{image.YCbCrSubsampleRatio422, []byte{10, 20}, nil, 0, []byte{10, 10, 20, 20}},
		{image.YCbCrSubsampleRatio420, []byte{10, 20}, []byte{30, 40}, 0, []byte{10, 10, 20, 20}},
		{image.YCbCrSubsampleRatio411, []byte{10, 20}, nil, 0, []byte{10, 10, 10, 10, 20, 20, 20, 20}},
		{image.YCbCrSubsampleRatio444, []byte{10, 20}, nil, 0, []byte{10, 20}},
	} {
		step, _ := chromaStep(test.ratio)
		got := make([]byte, step*len(test.near))
		newUpsampler(test.ratio, step, len(test.near)).row(got, test.near, test.far, test.odd)
		require.Equal(t, test.want, got, "%v", test.ratio)
	}
}

// The files and what they become were made by upstream TIGAS (testdata/README.md).
func TestStretchAgainstUpstream(t *testing.T) {
	var index struct {
		Images []struct {
			File   string
			Size   int `json:"img_size"`
			Offset int
		}
	}
	text, err := os.ReadFile("testdata/upstream/expected.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &index))
	expected, err := os.ReadFile("testdata/upstream/expected.bin")
	require.NoError(t, err)
	require.Len(t, index.Images, 7)
	for _, c := range index.Images {
		t.Run(c.File, func(t *testing.T) {
			p, err := ReadRGB("testdata/upstream/" + c.File)
			require.NoError(t, err)
			got := make([]byte, 3*c.Size*c.Size)
			p.Stretch(got, c.Size)
			want := expected[c.Offset : c.Offset+len(got)]
			if !strings.HasSuffix(c.File, ".jpg") {
				require.Equal(t, want, got)
				return
			}
			largest, mean := difference(t, want, got) // see TestDecodeRGBAgainstPillow; shrinking averages it
			require.LessOrEqual(t, largest, 2)
			require.Less(t, mean, 0.05)
		})
	}
}

func TestResizeAgainstPillow(t *testing.T) {
	files := pillowFiles(t)
	n := 0
	for name, file := range files {
		var w, h, r int
		if _, err := fmt.Sscanf(name, "stretch/%dx%d.%d.png", &w, &h, &r); err != nil {
			continue
		}
		want, err := DecodeRGB(file)
		require.NoError(t, err)
		from, err := DecodeRGB(files[fmt.Sprintf("stretch/%dx%d.png", w, h)])
		require.NoError(t, err)
		require.Equal(t, image.Rect(0, 0, w, h), from.Bounds())
		require.Equal(t, want, from.Resize(r, r), name)
		n++
	}
	require.Equal(t, 10, n)
	white := NewRGB(301, 7)
	for i := range white.Pix {
		white.Pix[i] = 255
	}
	for _, v := range white.Resize(13, 64).Pix {
		require.EqualValues(t, 255, v, "weights add up to one")
	}
}

// Pictures that no format of these makes.
func TestToRGB(t *testing.T) {
	odd := image.NewYCbCr(image.Rect(0, 0, 4, 4), image.YCbCrSubsampleRatio420)
	for i := range odd.Y {
		odd.Y[i] = 200
	}
	for i := range odd.Cb {
		odd.Cb[i], odd.Cr[i] = 128, 128
	}
	part := ToRGB(odd.SubImage(image.Rect(1, 1, 4, 4)))
	require.Equal(t, image.Rect(0, 0, 3, 3), part.Bounds())
	require.Equal(t, color.RGBA{200, 200, 200, 255}, part.At(1, 1))
	require.Equal(t, color.RGBA{}, part.At(3, 0))
	require.True(t, part.Opaque())
	require.Same(t, part, ToRGB(part))

	deep := image.NewRGBA64(image.Rect(0, 0, 1, 1))
	deep.SetRGBA64(0, 0, color.RGBA64{0x1234, 0xff01, 0x8080, 0xffff})
	require.Equal(t, color.RGBA{0x12, 0xff, 0x80, 255}, ToRGB(deep).At(0, 0))
	deep.SetRGBA64(0, 0, color.RGBA64{0x4000, 0, 0x8000, 0x8000})
	require.Equal(t, color.RGBA{0x7f, 0, 0xff, 255}, ToRGB(deep).At(0, 0))

	half := image.NewRGBA(image.Rect(0, 0, 2, 1))
	copy(half.Pix, []byte{60, 10, 0, 120, 9, 9, 9, 0})
	require.Equal(t, []byte{127, 21, 0, 0, 0, 0}, ToRGB(half).Pix)
}

func TestReadRGBNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	bad := path.Join(dir, "bad.png")
	require.NoError(t, os.WriteFile(bad, []byte("no picture"), 0o644))
	_, err := ReadRGB(bad)
	require.ErrorContains(t, err, bad)
	_, err = ReadRGB(path.Join(dir, "none.png"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
