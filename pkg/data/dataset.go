package data

import (
	"errors"
	"image"
)

// Dataset is an indexed set of pictures. Image may be called by many goroutines at once.
type Dataset interface {
	// Name is a short label, such as "demo" or the folder's name.
	Name() string
	// Len is the number of pictures, at least 1.
	Len() int
	// Image decodes picture i, 0 <= i < Len. An error means that this one is broken, not that the set is.
	Image(i int) (image.Image, error)
}

// Errors that callers branch on.
var (
	// ErrNotFound: the path does not exist.
	ErrNotFound = errors.New("not found")
	// ErrNoImages: there is nothing to train on, or nothing of it can be read.
	ErrNoImages = errors.New("no usable images")
	// ErrTooLarge: a picture or an entry claims more than the limit.
	ErrTooLarge = errors.New("too large")
)

// MaxPixels is the largest picture that is decoded, 64 megapixels: a header costs nothing to forge, the memory does.
const MaxPixels = 64 << 20
