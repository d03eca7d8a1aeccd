package safetensors

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
)

// WriteFile writes a file as [Write] does, and puts it at path in one step: it writes a temporary file in the same
// folder, has it stored on disk, and renames it. On any error, such as a full disk, the temporary file is removed and
// an older file at path stays as it was. A reader sees the old file or the new one, never a part; if the machine stops
// meanwhile, a file named path + ".tmp-" and 16 hexadecimal digits can be left behind.
//
// The error of the very last step, storing the folder, means that the new file is complete and in place but might not
// survive a power failure.
func WriteFile(path string, tensors []Tensor, metadata map[string]string) error {
	return at(path, writeFile(path, tensors, metadata))
}

func writeFile(path string, tensors []Tensor, metadata map[string]string) error {
	f, err := createTemp(path)
	if err != nil {
		return err
	}
	// The data may come from code that panics; the temporary file must go then too.
	done := false
	defer func() {
		if !done {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := write(bareWriter{f}, tensors, metadata); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	done = true
	return syncDir(filepath.Dir(path))
}

// createTemp creates a new file beside path. Unlike os.CreateTemp it leaves the permissions to the umask, as for any
// file that a user creates.
func createTemp(path string) (*os.File, error) {
	for {
		name := fmt.Sprintf("%s.tmp-%016x", path, rand.Uint64())
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// syncDir stores the entries of a folder on disk, so that a rename survives a power failure.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		return nil // some network file systems cannot, and need not
	}
	return err
}

// bareWriter is a file whose errors do not name it.
type bareWriter struct{ f *os.File }

func (w bareWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	return n, bare(err)
}
