package data

import (
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// extensions of files that are taken for pictures.
var extensions = []string{".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff"}

// IsPicture tells whether a file has the name of a picture: one of the known extensions, not hidden.
func IsPicture(name string) bool {
	return slices.Contains(extensions, strings.ToLower(filepath.Ext(name))) && !strings.HasPrefix(filepath.Base(name), ".")
}

// Folder is the pictures below a folder, in the order of their paths. Links are followed, to each folder once; hidden files
// and folders are left out.
type Folder struct {
	dir    string
	paths  []string
	linked []os.FileInfo // folders that links led to: two links in each of thirty would lead to a billion
}

// OpenFolder lists a folder and everything below it. It returns an error that wraps [ErrNoImages] and says what was looked
// for when there is no picture. Whether the pictures can be decoded shows when they are used.
func OpenFolder(dir string) (*Folder, error) {
	f := &Folder{dir: dir}
	others, err := f.walk(dir, nil)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	if len(f.paths) == 0 {
		return nil, fmt.Errorf("data: %s: %w: looked for %s in it and below; found %d other file(s)", dir, ErrNoImages,
			strings.Join(extensions, " "), others)
	}
	return f, nil
}

// walk lists a folder and those below it, behind links too, and returns the number of files that are no pictures. above
// are the folders that it is in: a link to one of them would never end.
func (f *Folder) walk(dir string, above []os.FileInfo) (others int, err error) {
	self, err := os.Stat(dir)
	if err != nil {
		return 0, err
	}
	for _, a := range above {
		if os.SameFile(a, self) {
			return 0, nil
		}
	}
	above = append(slices.Clone(above), self)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		isDir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := os.Stat(path)
			isDir = err == nil && info.IsDir() // a link to nothing is a broken picture, if it has the name of one
			if isDir && slices.ContainsFunc(f.linked, func(l os.FileInfo) bool { return os.SameFile(l, info) }) {
				continue
			}
			if isDir {
				f.linked = append(f.linked, info)
			}
		}
		switch {
		case isDir:
			n, err := f.walk(path, above)
			if err != nil {
				return 0, err
			}
			others += n
		case IsPicture(path):
			f.paths = append(f.paths, path)
		default:
			others++
		}
	}
	return others, nil
}

// Name is the folder's own name.
func (f *Folder) Name() string {
	abs, err := filepath.Abs(f.dir)
	if err != nil {
		return filepath.Base(f.dir)
	}
	return filepath.Base(abs)
}

// Len is the number of files.
func (f *Folder) Len() int { return len(f.paths) }

// Path is the path of picture i.
func (f *Folder) Path(i int) string { return f.paths[i] }

// Image decodes picture i. The error names the file.
func (f *Folder) Image(i int) (image.Image, error) { return ReadImage(f.paths[i]) }

// ReadImage decodes a picture file. The error names it.
func ReadImage(path string) (image.Image, error) {
	file, err := readFile(path)
	if err != nil {
		return nil, err
	}
	img, err := Decode(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown(path), err)
	}
	return img, nil
}

// Open opens a data set by its path: "demo", a folder, a .zip of pictures, CIFAR-10 binary (a folder of data_batch_*.bin
// files, one such file, or the .tar.gz) or MNIST IDX images (a folder with train-images-idx3-ubyte, or such a file, plain
// or .gz). resolution is that of the demo pictures.
func Open(path string, resolution int) (Dataset, error) {
	if path == "demo" {
		return NewDemo(resolution, false), nil
	}
	info, err := os.Stat(path)
	if os.IsNotExist(err) {
		return nil, fmt.Errorf("data: %s: %w: want a folder of pictures, a .zip, CIFAR-10 or MNIST files, or demo", path,
			ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	base := strings.ToLower(filepath.Base(path))
	switch {
	case info.IsDir():
		if l, _ := filepath.Glob(filepath.Join(path, "data_batch_*.bin")); len(l) > 0 {
			return OpenCIFAR10(path)
		}
		if l, _ := filepath.Glob(filepath.Join(path, "train-images*idx3-ubyte*")); len(l) > 0 {
			return OpenMNIST(l[0])
		}
		return OpenFolder(path)
	case strings.HasSuffix(base, ".zip"):
		return OpenZip(path)
	case strings.HasSuffix(base, ".tar.gz"), strings.HasSuffix(base, ".tgz"), strings.HasSuffix(base, ".bin"):
		return OpenCIFAR10(path)
	case strings.Contains(base, "idx3-ubyte"):
		return OpenMNIST(path)
	}
	return nil, fmt.Errorf("data: %s: got a file of no known kind vs a folder of pictures, a .zip, CIFAR-10 (.bin, .tar.gz) "+
		"or MNIST (idx3-ubyte)", path)
}
