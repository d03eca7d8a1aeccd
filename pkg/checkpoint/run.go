package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// Run is a run folder.
type Run struct {
	Dir  string
	lock *os.File
}

// ErrExists says that a folder already holds a run.
var ErrExists = errors.New("already holds a run")

// Create makes the folder dir with its subfolders. It returns an error that wraps [ErrExists] if there is a run in it: a
// new run never overwrites an old one.
func Create(dir string) (*Run, error) {
	if err := Free(dir); err != nil {
		return nil, err
	}
	r := &Run{Dir: dir}
	return r, r.makeFolders()
}

// Free returns an error that wraps [ErrExists] if there is a run in a folder.
func Free(dir string) error {
	r := &Run{Dir: dir}
	for _, file := range []string{r.config(), r.manifest()} {
		if _, err := os.Stat(file); err == nil {
			return fmt.Errorf("checkpoint: %s %w", dir, ErrExists)
		}
	}
	return nil
}

func (r *Run) makeFolders() error {
	for _, d := range []string{"samples", "snapshots"} {
		if err := os.MkdirAll(filepath.Join(r.Dir, d), 0o755); err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
	}
	return nil
}

// CreateNext makes a folder in root with the next free number: root/00007-name.
func CreateNext(root, name string) (*Run, error) {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	for {
		dir, err := NextDir(root, name)
		if err != nil {
			return nil, err
		}
		// Mkdir, not MkdirAll: of two runs that start together one gets the number.
		switch err = os.Mkdir(dir, 0o755); {
		case err == nil:
			return Create(dir)
		case !errors.Is(err, fs.ErrExist):
			return nil, fmt.Errorf("checkpoint: %w", err)
		}
	}
}

// NextDir is the folder that [CreateNext] makes, whether there is a root or not.
func NextDir(root, name string) (string, error) {
	entries, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("checkpoint: %w", err)
	}
	next := 0
	for _, e := range entries {
		if m := numbered.FindStringSubmatch(e.Name()); m != nil {
			n, _ := strconv.Atoi(m[1])
			next = max(next, n+1)
		}
	}
	return filepath.Join(root, fmt.Sprintf("%05d-%s", next, name)), nil
}

var numbered = regexp.MustCompile(`^(\d{5})-`)

// Numbered tells whether a folder's name is one that [CreateNext] gives.
func Numbered(dir string) bool { return numbered.MatchString(filepath.Base(dir)) }

// Open returns the run in dir, or an error when there is none.
func Open(dir string) (*Run, error) {
	r := &Run{Dir: dir}
	if _, err := os.Stat(r.config()); err != nil {
		return nil, fmt.Errorf("checkpoint: %s is no run folder: it has no config.json", dir)
	}
	return r, nil
}

func (r *Run) config() string { return filepath.Join(r.Dir, "config.json") }

// Log is the path of log.jsonl.
func (r *Run) Log() string { return filepath.Join(r.Dir, "log.jsonl") }

// Restart removes the log, the events and the pictures of a run that has no snapshot, so that it can begin anew in its folder.
func (r *Run) Restart() error {
	all := []string{r.Log()}
	for _, made := range []string{"samples/*.png", "events.out.tfevents.*"} {
		files, err := filepath.Glob(filepath.Join(escapeGlob(r.Dir), made))
		if err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		all = append(all, files...)
	}
	for _, file := range all {
		if err := r.Inside(file); err != nil {
			return err
		}
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("checkpoint: %w", err)
		}
	}
	return nil
}

// Sample is the path of a picture under samples/.
func (r *Run) Sample(name string) string { return filepath.Join(r.Dir, "samples", name) }

// Picture is the path of a picture of the moment after so many images.
func (r *Run) Picture(name string, images int64) string {
	return r.Sample(name + label(images) + ".png")
}

// WriteConfig writes config.json, indented.
func (r *Run) WriteConfig(v any) error { return r.writeJSON(r.config(), v) }

// writeJSON writes a file of the run in one step.
func (r *Run) writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("checkpoint: %s: %w", path, err)
	}
	if err := r.Inside(path); err != nil {
		return err
	}
	return monitor.WriteFile(path, func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	})
}

// maxConfig is far above what a configuration needs.
const maxConfig = 16 << 20

// ReadConfig reads config.json.
func (r *Run) ReadConfig(v any) error {
	f, err := r.open(r.config())
	if err != nil {
		return err
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxConfig)).Decode(v); err != nil {
		return fmt.Errorf("checkpoint: %s: %w", r.config(), err)
	}
	return nil
}
