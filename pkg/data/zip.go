package data

import (
	"archive/zip"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// maxDirectory is the largest directory of a zip file: two million pictures. archive/zip makes six bytes of memory of each.
const maxDirectory = 256 << 20

// Zip is the pictures in a zip file, in the order of their names; other entries, such as StyleGAN's dataset.json, are left
// out. Nothing is unpacked to disk, whatever the names are. Of entries with one name the last counts, as for whoever unpacks
// the file.
type Zip struct {
	path    string
	entries []*zip.File
}

// OpenZip lists a zip file. It returns an error that wraps [ErrNoImages] when there is no picture in it.
func OpenZip(path string) (*Zip, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	z, err := newZip(f, size, path, maxDirectory) // which keeps the file open
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("data: %s: %w", shown(path), err)
	}
	return z, nil
}

// newZip lists a zip file with a directory of at most so many bytes.
func newZip(file io.ReaderAt, size int64, path string, most int64) (*Zip, error) {
	w := &window{r: file, left: most}
	r, err := zip.NewReader(w, size)
	if w.left < 0 {
		return nil, fmt.Errorf("%w: the directory has more than %d MB: unpack the file into a folder", ErrTooLarge, most>>20)
	}
	if err != nil {
		return nil, err
	}
	w.whole = true
	z := &Zip{path: path}
	for _, f := range r.File {
		if IsPicture(f.Name) && !strings.HasPrefix(f.Name, "__MACOSX/") {
			z.entries = append(z.entries, f)
		}
	}
	if len(z.entries) == 0 {
		return nil, fmt.Errorf("%w: looked for %s among %d entries", ErrNoImages, strings.Join(extensions, " "), len(r.File))
	}
	slices.SortStableFunc(z.entries, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	unique := z.entries[:0]
	for i, f := range z.entries {
		if i+1 == len(z.entries) || z.entries[i+1].Name != f.Name {
			unique = append(unique, f)
		}
	}
	clear(z.entries[len(unique):])
	z.entries = unique
	return z, nil
}

// window is a zip file as archive/zip sees it. While the directory is read, so many bytes can be read: archive/zip reads
// entries for as long as there are any, whatever the file says about their number.
type window struct {
	r     io.ReaderAt
	whole bool
	left  int64
}

func (w *window) ReadAt(p []byte, off int64) (int, error) {
	if !w.whole {
		if w.left -= int64(len(p)); w.left < 0 {
			return 0, ErrTooLarge
		}
	}
	return w.r.ReadAt(p, off)
}

// Name is the file's name without its extension.
func (z *Zip) Name() string { return strings.TrimSuffix(filepath.Base(z.path), filepath.Ext(z.path)) }

// Len is the number of pictures.
func (z *Zip) Len() int { return len(z.entries) }

// Image decodes picture i. An entry that unpacks to more than it may is refused. The error names the entry.
func (z *Zip) Image(i int) (image.Image, error) { return readAlone(zipSource{z, i}, false) }

// zipSource is a picture in a zip file.
type zipSource struct {
	z *Zip
	i int
}

func (s zipSource) String() string { return shown(s.z.path) + ": " + shown(s.z.entries[s.i].Name) }

func (s zipSource) open() (r io.ReadCloser, size, sure int64, err error) {
	e := s.z.entries[s.i]
	switch {
	case e.Mode()&fs.ModeType != 0:
		err = errors.New("got a link or a device vs a picture")
	case e.Flags&1 != 0:
		err = errors.New("got an encrypted entry")
	default:
		r, err = e.Open()
	}
	if err != nil {
		return nil, 0, 0, fmt.Errorf("data: %s: %w", s, err)
	}
	size = int64(min(e.UncompressedSize64, 1<<62))
	return r, size, 8*int64(min(e.CompressedSize64, 1<<56)) + 4096, nil // few pictures can be compressed further
}
