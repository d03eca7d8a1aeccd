package data

import (
	"bytes"
	"fmt"
	"image"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	// The formats that are decoded. Each registers itself and is recognised by its first bytes, not by its name.
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"

	_ "golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

// maxFileBytes is the largest file that is read: far above any photograph.
const maxFileBytes = 512 << 20

// Decode reads a JPEG, PNG, GIF (its first frame), WebP, BMP or TIFF picture and turns it as its EXIF orientation says.
// It returns an error that wraps [ErrTooLarge] for a picture of more than [MaxPixels], or one that would take many times as
// long as others of its size, before any pixel is decoded.
func Decode(file []byte) (image.Image, error) {
	h, err := inspect(file, MaxPixels)
	if err != nil {
		return nil, err
	}
	return h.upright(file)
}

// upright is [Decode] after inspect.
func (h *header) upright(file []byte) (image.Image, error) {
	img, err := h.decode(file)
	if err != nil {
		return nil, err
	}
	switch h.kind {
	case "webp":
		return studioRange(img), nil
	case "jpeg":
		return oriented(img, h.turned), nil
	}
	return img, nil
}

// decode returns the picture as the format's package makes it.
func (h *header) decode(file []byte) (img image.Image, err error) {
	defer func() {
		if r := recover(); r != nil { // a decoder that does not survive a damaged file
			img, err = nil, fmt.Errorf("data: decode: damaged: %v", r)
		}
	}()
	if h.kind == "tiff" {
		img, err = tiff.Decode(bytes.NewReader(file)) // see configOf
	} else {
		img, _, err = image.Decode(bytes.NewReader(file))
	}
	if err != nil {
		return nil, fmt.Errorf("data: decode: %w", err)
	}
	if b := img.Bounds(); b.Dx() < 1 || b.Dy() < 1 { // the frame of a GIF, whose screen was looked at
		return nil, fmt.Errorf("data: decode: got a picture of %d x %d", b.Dx(), b.Dy())
	}
	return img, nil
}

// readFile reads a regular file of at most maxFileBytes.
func readFile(path string) ([]byte, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	file, err := readAtMost(f, size, size, maxFileBytes)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", shown(path), err)
	}
	return file, nil
}

// openRegular opens a file that can be read to its end.
func openRegular(path string) (*os.File, int64, error) {
	info, err := os.Stat(path) // first: opening a pipe waits for somebody who writes to it
	if err != nil {
		return nil, 0, fmt.Errorf("data: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("data: %s is not a regular file", shown(path))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("data: %w", err)
	}
	return f, info.Size(), nil
}

// readAtMost reads a stream that claims a size, and refuses more than limit whatever it claims. sure is how many bytes are
// likely to come, as a claim costs nothing: so much memory is made at once. While it grows there is twice as much.
func readAtMost(r io.Reader, size, sure, limit int64) ([]byte, error) {
	if size > limit {
		return nil, fmt.Errorf("%w: %d bytes vs at most %d", ErrTooLarge, size, limit)
	}
	const room = 512 // to see the end without growing
	b := make([]byte, 0, min(size, sure)+room)
	for {
		if n := int64(cap(b)); int64(len(b)) == n {
			more := 2 * n
			if n < size+room { // what was claimed comes, so far
				more = min(more, size+room)
			}
			b = append(make([]byte, 0, more), b...)
		}
		n, err := r.Read(b[len(b):min(int64(cap(b)), limit+1)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > limit:
			return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
		case err == io.EOF:
			return b, nil
		case err != nil:
			return nil, err
		}
	}
}

// shown is a name as an error has it: on one line. Names come from archives and from disks that others filled.
func shown(name string) string {
	if len(name) > 4096 || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		name = strconv.Quote(name[:min(len(name), 4096)])
	}
	return name
}
