package data

import (
	"archive/zip"
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"strings"
)

// Zip is the pictures in a zip file, in the order of their names; other entries, such as StyleGAN's dataset.json, are left
// out. Nothing is unpacked to disk.
type Zip struct {
	path    string
	r       *zip.ReadCloser
	entries []*zip.File
}

// OpenZip lists a zip file. It returns an error that wraps [ErrNoImages] when there is no picture in it.
func OpenZip(path string) (*Zip, error) {
	r, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	z := &Zip{path: path, r: r}
	for _, f := range r.File {
		if IsPicture(f.Name) && !strings.HasPrefix(f.Name, "__MACOSX/") {
			z.entries = append(z.entries, f)
		}
	}
	if len(z.entries) == 0 {
		r.Close()
		return nil, fmt.Errorf("data: %s: %w: looked for %s among %d entries", path, ErrNoImages,
			strings.Join(extensions, " "), len(r.File))
	}
	slices.SortFunc(z.entries, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	return z, nil
}

// Name is the file's name without its extension.
func (z *Zip) Name() string { return strings.TrimSuffix(filepath.Base(z.path), filepath.Ext(z.path)) }

// Len is the number of pictures.
func (z *Zip) Len() int { return len(z.entries) }

// Image decodes picture i. An entry that unpacks to more than it may is refused. The error names the entry.
func (z *Zip) Image(i int) (image.Image, error) {
	file, err := z.file(i)
	if err != nil {
		return nil, err
	}
	img, err := Decode(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", z.path, z.entries[i].Name, err)
	}
	return img, nil
}

// file unpacks picture i.
func (z *Zip) file(i int) ([]byte, error) {
	e := z.entries[i]
	r, err := e.Open()
	if err != nil {
		return nil, fmt.Errorf("data: %s: %s: %w", z.path, e.Name, err)
	}
	defer r.Close()
	file, err := readAtMost(r, int64(min(e.UncompressedSize64, 1<<62)), maxFileBytes)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %s: %w", z.path, e.Name, err)
	}
	return file, nil
}
