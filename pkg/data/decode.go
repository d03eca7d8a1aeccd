package data

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"io"
	"os"

	// The formats that are decoded. Each registers itself and is recognised by its first bytes, not by its name.
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

// maxFileBytes is the largest file that is read: far above any photograph.
const maxFileBytes = 512 << 20

// Decode reads a JPEG, PNG, GIF (its first frame), WebP, BMP or TIFF picture and turns it as its EXIF orientation says.
// It returns an error that wraps [ErrTooLarge] for a picture of more than [MaxPixels], before any pixel is decoded.
func Decode(file []byte) (image.Image, error) {
	img, format, err := decode(file)
	if err != nil {
		return nil, err
	}
	if format == "webp" {
		img = studioRange(img)
	}
	return oriented(img, orientation(file)), nil
}

// decode returns the picture as the format's package makes it, and the format's name. It holds the limits.
func decode(file []byte) (img image.Image, format string, err error) {
	c, kind, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, "", fmt.Errorf("data: decode: %w", err)
	}
	if c.Width < 1 || c.Height < 1 {
		return nil, "", fmt.Errorf("data: decode: got a picture of %d x %d", c.Width, c.Height)
	}
	if int64(c.Width)*int64(c.Height) > MaxPixels {
		return nil, "", fmt.Errorf("data: decode: %w: %d x %d vs at most %d megapixels", ErrTooLarge, c.Width, c.Height,
			MaxPixels>>20)
	}
	if kind == "tiff" && faxed(file) {
		return nil, "", errors.New("data: decode: got a TIFF with fax compression, which is not supported")
	}
	defer func() {
		if r := recover(); r != nil { // a decoder that does not survive a damaged file
			img, err = nil, fmt.Errorf("data: decode: damaged: %v", r)
		}
	}()
	img, format, err = image.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, "", fmt.Errorf("data: decode: %w", err)
	}
	return img, format, nil
}

// readFile reads a regular file of at most maxFileBytes.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path) // first: opening a pipe waits for somebody who writes to it
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("data: %s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(f, info.Size(), maxFileBytes)
}

// readAtMost reads a stream that claims a size, and refuses more than limit whatever it claims.
func readAtMost(r io.Reader, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, fmt.Errorf("data: %w: %d bytes vs at most %d", ErrTooLarge, size, limit)
	}
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("data: %w: more than %d bytes", ErrTooLarge, limit)
	}
	return data, err
}
