package data

import (
	"encoding/base64"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Six stripes: black, white, red, green, blue, grey.
var stripes = []color.NRGBA{
	{0, 0, 0, 255}, {255, 255, 255, 255}, {200, 30, 40, 255}, {20, 180, 60, 255}, {30, 60, 220, 255}, {128, 128, 128, 255},
}

// The files were written by Pillow 9.4 (libwebp, libjpeg): Image.save(b, "WEBP", quality=90, method=6) of the stripes 96 x
// 16, once with alpha 128; and "JPEG", quality 95, of the same in CMYK 24 x 4. Pillow reads each back to within 2 of the
// stripes; Go's chroma is not interpolated, but that does not matter in the middle of a stripe.
func TestDecodeAgainstPillow(t *testing.T) {
	for name, file := range map[string]string{
		"lossy webp": "UklGRnIAAABXRUJQVlA4IGYAAAAwBQCdASpgABAAPi0QhkKhoQ1SAAwBYliAM0DHHhPgH4V/rNzBmgXbP9YM77FkvOMlmAD+/4/BD/+K08/7" +
			"QBf/yk1J67/+p+cG2ILwcXyE2NikcEyu/tocIZBa0yu2lw3VdNGwAAA=",
		"lossy webp with alpha": "UklGRpIAAABXRUJQVlA4WAoAAAAQAAAAXwAADwAAQUxQSAUAAAABKGBEBABWUDggZgAAADAFAJ0BKmAAEAA+LRCGQqGhDVIADAFi" +
			"WIAzQMceE+AfhX+s3MGaBds/1gzvsWS84yWYAP7/j8EP/4rTz/tAF//KTUnrv/6n5wbYgvBxfITY2KRwTK7+2hwhkFrTK7aXDdV00bAAAA==",
		"cmyk jpeg": "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwACAQEBAQECAQEBAgICAgIEAwICAgIFBAQDBAYFBgYGBQYGBgcJCAYHCQcGBggLCAkKCgoKCgYI" +
			"CwwLCgwJCgoK/8AAFAgABAAYBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIBAwMCBAMFBQQE" +
			"AAABfQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVm" +
			"Z2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV1tfY2drh4uPk5ebn6Onq8fLz9PX2" +
			"9/j5+v/aAA4EQwBNAFkASwAAPwBv/BjH/wA3Rf8Ack/+5+m/8GMf/N0X/ck/+5+m/wDBjH/zdF/3JP8A7n6/fyvOf+Do3/mhn/czf+4mvJf+" +
			"Dd//AJq//wBy/wD+5KvzJ+G3/L7/ANs//ZqK8D/4JOf8z9/3Cv8A28rk/wBgj/ma/wDtx/8Abiv3w/4Knf8AMif9xT/20or/2Q==",
	} {
		t.Run(name, func(t *testing.T) {
			b, err := base64.StdEncoding.DecodeString(file)
			require.NoError(t, err)
			img, err := Decode(b)
			require.NoError(t, err)
			w, h := img.Bounds().Dx()/len(stripes), img.Bounds().Dy()
			for i, want := range stripes {
				got := color.NRGBAModel.Convert(img.At(i*w+w/2, h/2)).(color.NRGBA)
				if name == "lossy webp with alpha" {
					want.A = 128
				}
				for c, v := range []uint8{want.R, want.G, want.B, want.A} {
					require.InDelta(t, v, []uint8{got.R, got.G, got.B, got.A}[c], 3, "stripe %d: got %v, want %v", i, got, want)
				}
			}
		})
	}
	opaque := image.NewGray(image.Rect(0, 0, 1, 1))
	require.Equal(t, image.Image(opaque), studioRange(opaque), "what has no chroma planes is left alone")
}

// golang.org/x/image/tiff makes negatives of these; a wrong picture is worse than none.
func TestFaxIsRefused(t *testing.T) {
	file, err := os.ReadFile("testdata/fax.tif") // Pillow 9.4, compression group4
	require.NoError(t, err)
	_, err = Decode(file)
	require.ErrorContains(t, err, "fax compression")
	_, err = DecodeRGB(file)
	require.ErrorContains(t, err, "fax compression")
}

func TestPipesAreRefused(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "a.png")
	require.NoError(t, syscall.Mkfifo(pipe, 0o644))
	_, err := ReadRGB(pipe)
	require.ErrorContains(t, err, "not a regular file")
}
