package jit

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/atomicfile"
	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
)

// Files are small texts that an archive holds beside its module, by name: what torch.jit calls _extra_files.
type Files map[string]string

// Save writes the module in the format of torch.jit.save, in one step: a full disk leaves the old file, or none.
func (m *Module) Save(path string) error { return m.SaveWith(path, nil) }

// SaveWith is Save with files in the archive, which [ReadFile] returns, and Python's torch.jit.load as _extra_files.
func (m *Module) SaveWith(path string, files Files) error {
	extra, err := files.list()
	if err != nil {
		return err
	}
	err = atomicfile.Write(path, func(f *os.File) error { return ctorch.JITSaveTo(m.ptr(), extra, f.Fd()) })
	runtime.KeepAlive(m)
	if err != nil {
		return fmt.Errorf("jit: save: %s: %w", path, err)
	}
	return nil
}

// Bytes returns the module in the format of torch.jit.save.
func (m *Module) Bytes() ([]byte, error) { return m.BytesWith(nil) }

// BytesWith is Bytes with files in the archive. It returns an error for a name that is no plain file name, and for a text
// with a NUL.
func (m *Module) BytesWith(files Files) ([]byte, error) {
	extra, err := files.list()
	if err != nil {
		return nil, err
	}
	b, err := ctorch.JITSave(m.ptr(), extra)
	runtime.KeepAlive(m)
	if err != nil {
		return nil, m.fail("save", err)
	}
	return b, nil
}

// list is names and texts in turn, sorted.
func (f Files) list() (l []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if name == "" || name[0] == '.' || strings.ContainsAny(name, "/\\\x00") || strings.Contains(f[name], "\x00") {
			return nil, fmt.Errorf("jit: save: got the file %q vs a plain name and a text without NULs", name)
		}
		l = append(l, name, f[name])
	}
	return l, nil
}

// maxFile is more than any text about a module has.
const maxFile = 16 << 20

// ReadFile returns the text of one of the [Files] in the archive of a module, and whether it is there and undamaged.
// archive is of the given size and is read only where it must be.
func ReadFile(archive io.ReaderAt, size int64, name string) (text string, ok bool) {
	z, err := zip.NewReader(archive, size)
	if err != nil {
		return "", false
	}
	for _, f := range z.File {
		if _, n, _ := strings.Cut(f.Name, "/extra/"); n != name || f.UncompressedSize64 > maxFile {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return "", false
		}
		var b bytes.Buffer
		_, err = b.ReadFrom(io.LimitReader(r, maxFile))
		r.Close()
		return b.String(), err == nil
	}
	return "", false
}
