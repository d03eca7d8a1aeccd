package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tigas-train/tigas-train/cgo/atomicfile"
)

// open opens a file of the run for reading.
func (r *Run) open(path string) (*os.File, error) {
	if err := r.Inside(path); err != nil {
		return nil, err
	}
	f, err := atomicfile.OpenRegular(path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return f, nil
}

// Inside returns an error for a path that a link leads out of the run folder: writing there would change files of somebody else.
func (r *Run) Inside(path string) error {
	root, err := filepath.EvalSymlinks(r.Dir)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	at := path
	for at != r.Dir {
		if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		at = filepath.Dir(at) // what is not there yet is where its folder is
	}
	real, err := filepath.EvalSymlinks(at)
	if to, e := os.Readlink(at); e == nil && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("checkpoint: %s is a link to %s, which is not there, and might be out of the run folder", path, to)
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if rel, err := filepath.Rel(root, real); err != nil || !filepath.IsLocal(rel) {
		return fmt.Errorf("checkpoint: %s is a link to %s, out of the run folder", path, real)
	}
	return nil
}
