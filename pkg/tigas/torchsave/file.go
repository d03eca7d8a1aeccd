package torchsave

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// Limits. A checkpoint of a thousand tensors has a pickle of 100 KB and a directory of 100 KB.
const (
	maxPickle    = 64 << 20
	maxDirectory = 16 << 20
)

// File is an open file whose pickle has been read. Its methods may be called from several goroutines, except Close.
type File struct {
	path    string // "" if not opened by path
	size    int64
	root    Value
	records map[string]*zip.File // by name without the archive's own folder
	closer  io.Closer

	mu     sync.Mutex
	budget int64  // bytes that may still be read
	last   string // key of the storage that was read last as a whole, for tensors that share one
	cached []byte
}

// Open opens the file at path and reads its pickle. The caller must close it.
//
// The error says what the file is when it is something else that people have: a file of torch before 1.6, a TorchScript
// archive, a safetensors file.
func Open(path string) (*File, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, at(path, err)
	}
	info, err := r.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
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
	return f.closer.Close()
}

// Root is what was saved.
func (f *File) Root() Value { return f.root }

// Size is the length of the file in bytes.
func (f *File) Size() int64 { return f.size }

func open(r io.ReaderAt, size int64) (*File, error) {
	if err := kind(r, size); err != nil {
		return nil, err
	}
	if err := checkDirectory(r, size); err != nil {
		return nil, err
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, archive(err)
	}
	// Whatever is read more often than this is read for nothing, or to keep the reader busy.
	f := &File{size: size, records: map[string]*zip.File{}, budget: 2*size + 1<<20}
	var root string
	for _, e := range z.File {
		if name, ok := strings.CutSuffix(e.Name, "data.pkl"); ok && (name == "" || strings.Count(name, "/") == 1 && name[len(name)-1] == '/') {
			if root = name; f.records["data.pkl"] != nil {
				return nil, malformed("two pickles in one archive")
			}
			f.records["data.pkl"] = e
		}
	}
	if f.records["data.pkl"] == nil {
		return nil, malformed("a zip archive without data.pkl: not written by torch.save")
	}
	for _, e := range z.File {
		name, ok := strings.CutPrefix(e.Name, root)
		if !ok || name == "data.pkl" {
			continue
		}
		if name == "constants.pkl" || strings.HasPrefix(name, "code/") {
			return nil, malformed("a TorchScript archive, not a checkpoint: it can be used as a detector as it is")
		}
		if f.records[name] != nil {
			return nil, malformed("two records %s in one archive", quote(name))
		}
		f.records[name] = e
	}
	if order, err := f.record("byteorder", 16); err == nil && string(order) == "big" {
		return nil, malformed("written on a big-endian machine; save it again on another one")
	}
	p, err := f.record("data.pkl", maxPickle)
	if err != nil {
		return nil, err
	}
	f.root, err = unpickle(p)
	return f, err
}

// legacyMagic is the first pickle of files before torch 1.6: the number 0x1950a86a20f9469cfc6c.
var legacyMagic = []byte("\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")

// kind refuses by name what people hand over by mistake.
func kind(r io.ReaderAt, size int64) error {
	if size == 0 {
		return malformed("an empty file")
	}
	head := make([]byte, min(size, 512))
	if n, err := r.ReadAt(head, 0); n < len(head) {
		return fmt.Errorf("read: %w", short(err))
	}
	switch {
	case bytes.HasPrefix(head, []byte("PK")):
		return nil
	case len(head) > 2 && bytes.HasPrefix(head[2:], legacyMagic):
		return malformed("the format of torch before 1.6; save it again with a newer one: torch.save(torch.load(old), new)")
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return malformed("a tar file, or the format of torch before 0.1.10")
	case len(head) > 8 && head[8] == '{' && binary.LittleEndian.Uint64(head) < 100<<20:
		return malformed("a safetensors file, not one of torch.save")
	case head[0] == 0x80:
		return malformed("a bare pickle, not a file of torch.save")
	case bytes.HasPrefix(head, []byte("version https://git-lfs")):
		return malformed("a Git LFS pointer: the file itself was not downloaded (git lfs pull)")
	case bytes.HasPrefix(bytes.ToLower(bytes.TrimSpace(head)), []byte("<!doctype")), bytes.HasPrefix(bytes.ToLower(bytes.TrimSpace(head)), []byte("<html")):
		return malformed("a web page, not a checkpoint: download the file itself")
	}
	return malformed("not a zip archive, so not written by torch.save")
}

// checkDirectory refuses a zip directory that would take archive/zip far more memory than the file has.
func checkDirectory(r io.ReaderAt, size int64) error {
	tail := make([]byte, min(size, 66<<10))
	if n, err := r.ReadAt(tail, size-int64(len(tail))); n < len(tail) {
		return fmt.Errorf("read: %w", short(err))
	}
	i := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if i < 0 || i+22 > len(tail) {
		return malformed("the archive ends before its directory: the file is truncated, copy or download it again")
	}
	n := int64(binary.LittleEndian.Uint32(tail[i+12:]))
	if n == 0xffffffff { // zip64: the record before says it
		j := bytes.LastIndex(tail[:i], []byte("PK\x06\x06"))
		if j < 0 || j+56 > len(tail) {
			return malformed("the archive's zip64 directory is missing")
		}
		n = int64(binary.LittleEndian.Uint64(tail[j+40:]))
	}
	if n < 0 || n > maxDirectory {
		return malformed("the archive's directory claims %d bytes vs at most %d", n, maxDirectory)
	}
	return nil
}

// record returns a record of at most limit bytes, its checksum verified.
func (f *File) record(name string, limit int64) ([]byte, error) {
	e := f.records[name]
	if e == nil {
		return nil, malformed("no record %s in the archive", quote(name))
	}
	size := int64(e.UncompressedSize64)
	switch {
	case e.Method != zip.Store:
		return nil, malformed("record %s is compressed, which torch.save never does", quote(name))
	case e.UncompressedSize64 > uint64(limit) || e.CompressedSize64 != e.UncompressedSize64:
		return nil, malformed("record %s claims %d bytes vs at most %d", quote(name), e.UncompressedSize64, limit)
	case size > f.size:
		return nil, malformed("record %s claims %d bytes in a file of %d", quote(name), size, f.size)
	}
	f.mu.Lock()
	f.budget -= size
	spent := f.budget < 0
	f.mu.Unlock()
	if spent {
		return nil, malformed("its tensors share storages so often that reading them takes more than twice the file")
	}
	r, err := e.Open()
	if err != nil {
		return nil, archive(fmt.Errorf("record %s: %w", quote(name), err))
	}
	defer r.Close()
	data := make([]byte, size)
	if _, err = io.ReadFull(r, data); err == nil {
		_, err = r.Read(make([]byte, 1)) // the checksum is compared at the end
	}
	if err != nil && err != io.EOF {
		return nil, archive(fmt.Errorf("record %s: %w", quote(name), short(err)))
	}
	return data, nil
}

// Read returns the elements of t in row-major order, little endian, checksum verified. The caller should look at
// [Tensor.Bytes] first: a tensor may show one element many times.
func (f *File) Read(t *Tensor) ([]byte, error) {
	data, err := f.read(t)
	return data, at(f.path, err)
}

func (f *File) read(t *Tensor) ([]byte, error) {
	s := t.storage
	name := "data/" + s.key
	e := f.records[name]
	if e == nil {
		return nil, malformed("no record %s in the archive", quote(name))
	}
	// Older files may have padding behind a storage; a tensor needs no more than was said.
	if want := s.numel * s.dtype.Size(); e.UncompressedSize64 < uint64(want) {
		return nil, malformed("storage %s has %d bytes vs %d of %d %s", quote(s.key), e.UncompressedSize64, want, s.numel, s.dtype)
	}
	f.mu.Lock()
	whole, hit := f.cached, f.last == name && f.cached != nil
	f.mu.Unlock()
	if !hit {
		var err error
		if whole, err = f.record(name, f.size); err != nil {
			return nil, err
		}
	}
	if t.contiguous() && t.Bytes() == int64(len(whole)) {
		return whole, nil // its own storage, as in every file of a module's state
	}
	f.mu.Lock()
	f.last, f.cached = name, whole
	f.mu.Unlock()
	dst := make([]byte, t.Bytes())
	t.gather(dst, whole)
	return dst, nil
}

// archive is an error of the zip reader as one of this package.
func archive(err error) error {
	for _, e := range []error{zip.ErrFormat, zip.ErrAlgorithm, zip.ErrChecksum, zip.ErrInsecurePath, io.ErrUnexpectedEOF} {
		if errors.Is(err, e) {
			return malformed("damaged archive (%s): copy or download it again", strings.TrimPrefix(err.Error(), "zip: "))
		}
	}
	return err
}

// short is what a read that ended too early means.
func short(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
