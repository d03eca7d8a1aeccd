package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/tigas-train/tigas-train/cgo/atomicfile"
)

// Entry describes one tensor of a file.
type Entry struct {
	Name   string
	DType  DType
	Shape  []int64 // empty for a scalar; do not change it
	Offset int64   // where its data begins, in bytes from the start of the file
	Size   int64   // bytes of data
}

// File is an open file with a checked header. Its methods may be called from several goroutines, except Close.
type File struct {
	path     string // "" if not opened by path
	r        io.ReaderAt
	close    func() error
	entries  []Entry
	index    map[string]int
	metadata map[string]string
}

// Open opens the file and checks its header. The data stays on disk until it is asked for. It fails if the file cannot
// be read, is no regular file, or is malformed ([ErrFormat]).
func Open(path string) (*File, error) {
	// Asked before opening, because opening a named pipe would wait for a writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, at(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, at(path, errors.New("not a regular file"))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, at(path, err)
	}
	if info, err = f.Stat(); err != nil {
		f.Close()
		return nil, at(path, err)
	}
	file, err := read(path, f, info.Size())
	if err != nil {
		f.Close()
		return nil, err
	}
	file.close = f.Close
	return file, nil
}

// Read is [Open] for anything that can be read at any offset, size bytes long. r must stay usable as long as the File
// is; Close does not close it.
func Read(r io.ReaderAt, size int64) (*File, error) { return read("", r, size) }

func read(path string, r io.ReaderAt, size int64) (*File, error) {
	if size < 8 {
		return nil, at(path, malformed("too short for a header length: got %d bytes, want at least 8", size))
	}
	var length [8]byte
	if err := readFull(r, length[:], 0); err != nil {
		return nil, at(path, err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader {
		return nil, at(path, malformed("header too long: got %d bytes, want at most %d", n, maxHeader))
	}
	if int64(n) > size-8 {
		return nil, at(path, malformed("header ends outside the file: got %d bytes, want at most %d (file truncated?)", n, size-8))
	}
	text := make([]byte, n)
	if err := readFull(r, text, 8); err != nil {
		return nil, at(path, err)
	}
	base := 8 + int64(n)
	h, err := parseHeader(text, size-base)
	if err != nil {
		return nil, at(path, err)
	}
	f := &File{path: path, r: r, entries: h.entries, metadata: h.metadata, index: make(map[string]int, len(h.entries))}
	for i := range f.entries {
		f.entries[i].Offset += base
		f.index[f.entries[i].Name] = i
	}
	return f, nil
}

// Close closes the file; what was read stays valid. It does nothing for a File from [Read].
func (f *File) Close() error {
	if f.close == nil {
		return nil
	}
	return at(f.path, f.close())
}

// Path returns the path that was given to [Open], or "".
func (f *File) Path() string { return f.path }

// Entries returns the entries in the order of their data in the file, which is the fastest order to read them in.
func (f *File) Entries() []Entry { return slices.Clone(f.entries) }

// Names returns the names of the entries, in the order of [File.Entries].
func (f *File) Names() []string {
	names := make([]string, len(f.entries))
	for i, e := range f.entries {
		names[i] = e.Name
	}
	return names
}

// Len returns how many entries there are.
func (f *File) Len() int { return len(f.entries) }

// Entry returns the entry with this name, and whether there is one.
func (f *File) Entry(name string) (Entry, bool) {
	i, ok := f.index[name]
	if !ok {
		return Entry{}, false
	}
	return f.entries[i], true
}

// Metadata returns a copy of the file's string map; it is nil if the file has none.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }

// ReadEntry fills dst with the data of one entry. It fails if there is no such entry, if dst is not exactly as long as
// the entry's Size, or if reading fails; dst then has no particular content.
func (f *File) ReadEntry(name string, dst []byte) error {
	e, err := f.find(name)
	if err != nil {
		return err
	}
	if int64(len(dst)) != e.Size {
		return at(f.path, fmt.Errorf("entry %s: buffer of the wrong length: got %d bytes, want %d", quote(name), len(dst), e.Size))
	}
	if err := readFull(f.r, dst, e.Offset); err != nil {
		return at(f.path, fmt.Errorf("entry %s: %w", quote(name), err))
	}
	return nil
}

// Bytes returns the data of one entry in a new slice. It fails as [File.ReadEntry] does.
func (f *File) Bytes(name string) ([]byte, error) {
	e, err := f.find(name)
	if err != nil {
		return nil, err
	}
	b := make([]byte, e.Size)
	return b, f.ReadEntry(name, b)
}

// Reader returns a reader over the data of one entry, for data too large to hold. It fails if there is no such entry.
func (f *File) Reader(name string) (*io.SectionReader, error) {
	e, err := f.find(name)
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(f.r, e.Offset, e.Size), nil
}

func (f *File) find(name string) (Entry, error) {
	e, ok := f.Entry(name)
	if !ok {
		return e, at(f.path, fmt.Errorf("no entry %s among %d", quote(name), len(f.entries)))
	}
	return e, nil
}

// readFull fills b from offset off. A ReaderAt may report io.EOF along with the last byte.
func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF // shorter than it was said to be, or cut since it was opened
	}
	return atomicfile.Bare(err)
}
