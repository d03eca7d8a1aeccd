package data

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
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
	// maxRaw is the most that such a set may hold in memory. CIFAR-10 has 154 MB, the largest of the MNIST family 640.
	maxRaw = 1 << 30
	// maxTar is how much may come out of a .tar.gz beside that: a megabyte can unpack to a gigabyte of anything.
	maxTar = maxRaw + 64<<20
)

// OpenCIFAR10 reads the training pictures of the binary version of CIFAR-10: a folder with data_batch_*.bin, one such
// file, or the .tar.gz as it is published.
func OpenCIFAR10(path string) (Dataset, error) {
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
	c := cifar{most: maxRaw}
	for _, name := range files {
		f, size, err := openRegular(name)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(name, "gz") {
			err = c.addTar(f, maxTar)
		} else {
			err = c.add(f, size, size)
		}
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("data: cifar-10: %s: %w", shown(name), err)
		}
	}
	if len(c.pix) == 0 {
		return nil, fmt.Errorf("data: %s: %w: looked for data_batch_*.bin", shown(path), ErrNoImages)
	}
	return c.set(), nil
}

// cifar is the records that were read so far.
type cifar struct {
	pix  []byte
	most int64
}

// add reads the records of one file that claims a size. sure is as for readAtMost.
func (c *cifar) add(r io.Reader, size, sure int64) error {
	b, err := readAtMost(r, size, sure, c.most-int64(len(c.pix)))
	if err == nil && (len(b) == 0 || len(b)%cifarRecord != 0) {
		err = fmt.Errorf("got %d bytes vs records of %d (a label and 3 x 32 x 32)", len(b), cifarRecord)
	}
	if err != nil {
		return err
	}
	if c.pix == nil {
		c.pix = b
	} else {
		c.pix = append(c.pix, b...)
	}
	return nil
}

// addTar reads the files data_batch_*.bin of a .tar.gz, from which at most so many bytes may come.
func (c *cifar) addTar(r io.Reader, most int64) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	t := tar.NewReader(&limited{z, most})
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if ok, _ := filepath.Match("data_batch_*.bin", filepath.Base(h.Name)); !ok || h.Typeflag != tar.TypeReg {
			continue
		}
		if err = c.add(t, h.Size, 1<<20); err != nil {
			return fmt.Errorf("%s: %w", shown(h.Name), err)
		}
	}
}

// limited is a reader from which at most so many bytes come: then an error, where io.LimitedReader has an end.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("%w: it unpacks to more than that of CIFAR-10", ErrTooLarge)
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

func (c *cifar) set() *raw {
	return &raw{name: "cifar10", pix: c.pix, h: 32, w: 32, ch: 3, stride: cifarRecord, skip: 1}
}

// OpenMNIST reads pictures of an IDX file (train-images-idx3-ubyte), plain or .gz; grey becomes RGB.
func OpenMNIST(path string) (Dataset, error) {
	f, _, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, err := readIDX(f, strings.HasSuffix(path, ".gz"), maxRaw)
	if err != nil {
		return nil, fmt.Errorf("data: idx: %s: %w", shown(path), err)
	}
	return d, nil
}

// readIDX reads what the header claims, and sees that the file ends there.
func readIDX(r io.Reader, zipped bool, most int64) (*raw, error) {
	if zipped {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		r = z
	}
	var head [16]byte
	got, err := io.ReadFull(r, head[:])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	if got < len(head) || !bytes.Equal(head[:4], []byte{0, 0, 8, 3}) {
		return nil, errors.New("got no IDX header for bytes in three dimensions (00 00 08 03)")
	}
	n, h, w := be(head[4:]), be(head[8:]), be(head[12:])
	if n < 1 || h < 1 || w < 1 || h > 1<<15 || w > 1<<15 {
		return nil, fmt.Errorf("got %d pictures of %d x %d", n, w, h)
	}
	size := n * h * w // below 2^62
	if size > most {
		return nil, fmt.Errorf("%w: %d pictures of %d x %d vs at most %d MB", ErrTooLarge, n, w, h, most>>20)
	}
	pix, err := readAtMost(r, size, 1<<20, size)
	if errors.Is(err, ErrTooLarge) {
		return nil, fmt.Errorf("got more bytes vs %d pictures of %d x %d", n, w, h)
	}
	if err == nil && int64(len(pix)) < size {
		err = fmt.Errorf("got %d bytes vs %d pictures of %d x %d", len(pix), n, w, h)
	}
	if err != nil {
		return nil, err
	}
	return &raw{name: "mnist", pix: pix, h: int(h), w: int(w), ch: 1, stride: int(h * w)}, nil
}

func be(b []byte) int64 { return int64(binary.BigEndian.Uint32(b)) }
