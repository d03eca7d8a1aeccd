package data

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// raw is a set of equal pictures held in memory as bytes, planes of h x w.
type raw struct {
	name     string
	pix      []byte
	h, w, ch int
	stride   int // bytes from one picture to the next
	skip     int // bytes before its pixels: CIFAR's label
}

func (r *raw) Name() string { return r.name }
func (r *raw) Len() int     { return len(r.pix) / r.stride }

func (r *raw) Image(i int) (image.Image, error) {
	p := r.pix[i*r.stride+r.skip:]
	plane := r.h * r.w
	img := image.NewRGBA(image.Rect(0, 0, r.w, r.h))
	for k := range plane {
		for c := range 3 {
			img.Pix[4*k+c] = p[min(c, r.ch-1)*plane+k]
		}
		img.Pix[4*k+3] = 255
	}
	return img, nil
}

const (
	cifarRecord = 1 + 3*32*32
	maxRaw      = 4 << 30
)

// OpenCIFAR10 reads the training pictures of the binary version of CIFAR-10: a folder with data_batch_*.bin, one such
// file, or the .tar.gz as it is published.
func OpenCIFAR10(path string) (Dataset, error) {
	var pix []byte
	add := func(name string, r io.Reader, size int64) error {
		b, err := readAtMost(r, size, maxRaw)
		if err == nil && (len(b) == 0 || len(b)%cifarRecord != 0) {
			err = fmt.Errorf("got %d bytes vs records of %d (a label and 3 x 32 x 32)", len(b), cifarRecord)
		}
		if err != nil {
			return fmt.Errorf("data: cifar-10: %s: %w", name, err)
		}
		pix = append(pix, b...)
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "data_batch_*.bin")); err != nil {
			return nil, fmt.Errorf("data: cifar-10: %w", err)
		}
		slices.Sort(files)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
		if strings.HasSuffix(name, "gz") {
			err = eachInTar(f, func(entry string, r io.Reader, size int64) error {
				if ok, _ := filepath.Match("data_batch_*.bin", filepath.Base(entry)); ok {
					return add(entry, r, size)
				}
				return nil
			})
		} else {
			err = add(name, f, 0)
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	}
	if len(pix) == 0 {
		return nil, fmt.Errorf("data: %s: %w: looked for data_batch_*.bin", path, ErrNoImages)
	}
	return &raw{name: "cifar10", pix: pix, h: 32, w: 32, ch: 3, stride: cifarRecord, skip: 1}, nil
}

func eachInTar(r io.Reader, visit func(name string, r io.Reader, size int64) error) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	t := tar.NewReader(z)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("data: %w", err)
		}
		if h.Typeflag == tar.TypeReg {
			if err = visit(h.Name, t, h.Size); err != nil {
				return err
			}
		}
	}
}

// OpenMNIST reads pictures of an IDX file (train-images-idx3-ubyte), plain or .gz; grey becomes RGB.
func OpenMNIST(path string) (Dataset, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("data: idx: %s: %w", path, err)
		}
	}
	b, err := readAtMost(r, 0, maxRaw)
	if err != nil {
		return nil, fmt.Errorf("data: idx: %s: %w", path, err)
	}
	d, err := parseIDX(b)
	if err != nil {
		return nil, fmt.Errorf("data: idx: %s: %w", path, err)
	}
	return d, nil
}

func parseIDX(b []byte) (Dataset, error) {
	if len(b) < 16 || !bytes.Equal(b[:4], []byte{0, 0, 8, 3}) {
		return nil, fmt.Errorf("got no IDX header for bytes in three dimensions (00 00 08 03)")
	}
	n, h, w := be(b[4:]), be(b[8:]), be(b[12:])
	if n < 1 || h < 1 || w < 1 || h > 1<<15 || w > 1<<15 || n > maxRaw || n*h*w != int64(len(b)-16) {
		return nil, fmt.Errorf("got %d bytes vs %d pictures of %d x %d", len(b)-16, n, w, h)
	}
	return &raw{name: "mnist", pix: b[16:], h: int(h), w: int(w), ch: 1, stride: int(h * w)}, nil
}

func be(b []byte) int64 { return int64(binary.BigEndian.Uint32(b)) }
