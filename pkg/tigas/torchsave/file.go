package torchsave

import (
	"archive/zip"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
)

// File is an open file whose pickle has been read. Its methods may be called from several goroutines, except Close.
type File struct {
	path    string // "" if not opened by path
	r       io.ReaderAt
	size    int64
	root    Value
	records map[string]*zip.File // by name without the archive's own folder
	closer  io.Closer

	mu       sync.Mutex
	verified map[string]bool // records whose checksum was found right
}

var errIrregular = errors.New("not a regular file")

// Open opens the file at path and reads its pickle. The caller must close it.
//
// The error says what the file is when it is something else that people have: a file of torch before 1.6, a TorchScript
// archive ([ErrTorchScript]), a safetensors file.
func Open(path string) (*File, error) {
	// Before opening: that of a named pipe waits for a writer.
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		if err == nil {
			err = errIrregular
		}
		return nil, at(path, err)
	}
	r, err := os.Open(path)
	if err != nil {
		return nil, at(path, err)
	}
	var info fs.FileInfo
	if info, err = r.Stat(); err == nil && !info.Mode().IsRegular() {
		err = errIrregular
	}
	var f *File
	if err == nil {
		f, err = open(r, info.Size())
	}
	if err != nil {
		r.Close()
		return nil, at(path, err)
	}
	f.path, f.closer = path, r
	return f, nil
}

// NewReader is [Open] for size bytes of r. r must stay as it is while the File is used.
func NewReader(r io.ReaderAt, size int64) (*File, error) {
	f, err := open(r, size)
	return f, at("", err)
}

// Close closes the file if [Open] opened it.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return at(f.path, f.closer.Close())
}

// Root is what was saved.
func (f *File) Root() Value { return f.root }

// Size is the length of the file in bytes.
func (f *File) Size() int64 { return f.size }

func open(r io.ReaderAt, size int64) (*File, error) {
	if err := kind(r, size); err != nil {
		return nil, err
	}
	f := &File{r: r, size: size, verified: map[string]bool{}}
	if err := f.directory(); err != nil {
		return nil, err
	}
	if f.records["byteorder"] != nil {
		order, err := f.record("byteorder", 16)
		if err != nil {
			return nil, err
		}
		switch string(order) {
		case "little":
		case "big":
			return nil, malformed("written on a big-endian machine; save it again on another one")
		default:
			return nil, malformed("got the byte order %s vs little", quote(string(order)))
		}
	}
	p, err := f.record("data.pkl", maxPickle)
	if err != nil {
		return nil, err
	}
	if f.root, err = unpickle(p, int(size)+maxValues); err != nil {
		return nil, err
	}
	return f, nil
}
