// Package atomicfile puts files in place in one step: a reader sees the old file or the new one, never a part of either. And
// it opens files without waiting for what is none.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
)

// Write calls write for a temporary file in path's folder, has it stored on disk, and renames it to path. On any error,
// such as a full disk, and when write panics, the temporary file is removed and an older file at path stays as it was. If
// the machine stops meanwhile, a file named path + "." + 16 hexadecimal digits + ".tmp" can be left behind.
//
// Links are followed. What is at path and no regular file, such as a device, is an error and not replaced. Errors of the
// system do not name a file: the caller knows which it is. That of the very last step, storing the folder, means that the
// new file is complete and in place but might not survive a power failure.
func Write(path string, write func(f *os.File) error) error {
	path, err := destination(path)
	if err != nil {
		return Bare(err)
	}
	f, err := createTemp(path)
	if err != nil {
		return Bare(err)
	}
	done := false
	defer func() {
		if !done {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	for _, step := range []func() error{
		func() error { return write(f) }, f.Sync, f.Close, func() error { return os.Rename(f.Name(), path) },
	} {
		if err := step(); err != nil {
			return Bare(err)
		}
	}
	done = true
	return Bare(syncDir(filepath.Dir(path)))
}

// destination follows links, and refuses to put a file in the place of a device or a folder.
func destination(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return path, nil // nothing there, or creating the file will say what is wrong
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("not a regular file")
	}
	return filepath.EvalSymlinks(path)
}

// createTemp creates a new file beside path. Unlike os.CreateTemp it leaves the permissions to the umask, as for any
// file that a user creates.
func createTemp(path string) (*os.File, error) {
	for {
		name := fmt.Sprintf("%s.%016x.tmp", path, rand.Uint64())
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

// Bare removes the path from an error of package os, for texts that name the file in front: that of a temporary file
// means nothing to the reader.
func Bare(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return fmt.Errorf("%s: %w", e.Op, e.Err)
	case *os.LinkError:
		return fmt.Errorf("%s: %w", e.Op, e.Err)
	}
	return err
}
