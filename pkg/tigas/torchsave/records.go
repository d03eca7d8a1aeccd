package torchsave

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// Limits. A checkpoint of a thousand tensors has a pickle of 100 KB and a directory of 100 KB. With them opening a file
// takes no more memory than twice its size and 64 MB, whatever it claims: the pickle and maxValues beside the file's size
// for what it makes, and archive/zip takes about six bytes for one of the directory.
const (
	maxPickle    = 16 << 20
	maxValues    = 24 << 20
	maxDirectory = 2 << 20
)

// window is the file as archive/zip sees it. While the directory is read, so many bytes can be read: archive/zip reads
// entries for as long as there are any, whatever the archive says about their number.
type window struct {
	r       io.ReaderAt
	size    int64
	limited bool
	left    int64
	err     error // of r, while limited
}

var errDirectory = malformed("the archive's directory has more than %d bytes", maxDirectory)

func (w *window) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= w.size {
		return 0, io.EOF
	}
	if w.limited {
		if w.left -= int64(len(p)); w.left < 0 {
			return 0, errDirectory
		}
	}
	n, err := w.r.ReadAt(p, off)
	if w.limited && err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// directory reads the names and places of all records.
func (f *File) directory() error {
	w := &window{r: f.r, size: f.size, left: maxDirectory, limited: true}
	z, err := zip.NewReader(w, f.size)
	switch w.limited = false; {
	case w.err != nil:
		return unread("directory", w.err)
	case errors.Is(err, errDirectory):
		return errDirectory
	case err != nil:
		return f.noDirectory(err)
	}
	root, found := "", false
	for _, e := range z.File {
		if name, ok := strings.CutSuffix(e.Name, "data.pkl"); ok && (name == "" || strings.IndexByte(name, '/') == len(name)-1) {
			if found {
				return malformed("two pickles in one archive")
			}
			root, found = name, true
		}
	}
	if !found {
		return malformed("a zip archive without data.pkl: not written by torch.save")
	}
	f.records = make(map[string]*zip.File, len(z.File))
	left := uint64(f.size)
	for _, e := range z.File {
		name, ok := strings.CutPrefix(e.Name, root)
		if !ok {
			continue
		}
		if name == "constants.pkl" || strings.HasPrefix(name, "code/") {
			return &formatError{ErrTorchScript.Error() + ": it can be used as a detector as it is", ErrTorchScript}
		}
		if f.records[name] != nil {
			return malformed("two records %s in one archive", quote(name))
		}
		// Records that lie over each other would be read again and again.
		if e.CompressedSize64 > left {
			return malformed("the archive's records claim more than its %d bytes", f.size)
		}
		left -= e.CompressedSize64
		f.records[name] = e
	}
	return nil
}

// noDirectory is the error for an archive whose directory archive/zip did not take.
func (f *File) noDirectory(err error) error {
	tail := make([]byte, min(f.size, 65<<10))
	if n, err := f.r.ReadAt(tail, f.size-int64(len(tail))); n < len(tail) {
		return unread("the directory's end", err)
	}
	if !bytes.Contains(tail, []byte("PK\x05\x06")) {
		return malformed("the archive ends before its directory: the file is truncated, copy or download it again")
	}
	return damaged(err)
}

func damaged(err error) error {
	return malformed("damaged archive (%s): copy or download it again", strings.TrimPrefix(err.Error(), "zip: "))
}

// record returns a record of at most limit bytes, its checksum verified.
func (f *File) record(name string, limit int64) ([]byte, error) {
	s, err := f.section(name)
	if err != nil {
		return nil, err
	}
	if s.Size() > limit {
		return nil, malformed("record %s claims %d bytes vs at most %d", quote(name), s.Size(), limit)
	}
	data := make([]byte, s.Size())
	if err = readAt(s, data, 0); err != nil {
		return nil, unreadRecord(name, err)
	}
	return data, f.compare(name, crc32.ChecksumIEEE(data))
}

// section is where the bytes of a record are. They are inside the file.
func (f *File) section(name string) (*io.SectionReader, error) {
	e := f.records[name]
	switch {
	case e == nil:
		return nil, malformed("no record %s in the archive", quote(name))
	case e.Method != zip.Store:
		return nil, malformed("record %s is compressed, which torch.save never does", quote(name))
	case e.CompressedSize64 != e.UncompressedSize64:
		return nil, malformed("record %s claims %d bytes and %d", quote(name), e.CompressedSize64, e.UncompressedSize64)
	}
	start, err := e.DataOffset()
	if err != nil {
		return nil, unreadRecord(name, err)
	}
	size := int64(e.UncompressedSize64) // no more than the file: directory checked it
	if start < 0 || start > f.size-size {
		return nil, malformed("record %s of %d bytes ends outside the file", quote(name), size)
	}
	return io.NewSectionReader(f.r, start, size), nil
}

// verify compares the checksum of a record, once.
func (f *File) verify(name string, s *io.SectionReader) error {
	f.mu.Lock()
	done := f.verified[name]
	f.mu.Unlock()
	if done {
		return nil
	}
	sum, buf := uint32(0), make([]byte, min(s.Size(), 256<<10))
	for off := int64(0); off < s.Size(); off += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), s.Size()-off)]
		if err := readAt(s, buf, off); err != nil {
			return unreadRecord(name, err)
		}
		sum = crc32.Update(sum, crc32.IEEETable, buf)
	}
	return f.compare(name, sum)
}

func (f *File) compare(name string, sum uint32) error {
	if want := f.records[name].CRC32; sum != want {
		return malformed("damaged archive (record %s: checksum %08x vs %08x): copy or download it again", quote(name), sum, want)
	}
	f.mu.Lock()
	f.verified[name] = true
	f.mu.Unlock()
	return nil
}

// unread is the error for something that could not be read: damage, or the disk.
func unread(what string, err error) error {
	err = fmt.Errorf("%s: %w", what, short(err))
	if errors.Is(err, zip.ErrFormat) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged(err)
	}
	return err
}

func unreadRecord(name string, err error) error { return unread("record "+quote(name), err) }

// readAt fills p.
func readAt(r io.ReaderAt, p []byte, off int64) error {
	if n, err := r.ReadAt(p, off); n < len(p) {
		return short(err)
	}
	return nil
}

// short is what a read that ended too early means.
func short(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
