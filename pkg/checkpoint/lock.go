package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ErrLocked says that another process has the run.
var ErrLocked = errors.New("is in use")

// Lock keeps other processes from writing into the run until [Run.Unlock] or the end of this one, however it ends. It
// returns an error that wraps [ErrLocked] and says who has it. What a killed process left half-written is removed.
func (r *Run) Lock() error {
	path := filepath.Join(r.Dir, "lock")
	if err := r.Inside(path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	for try := 0; try < 6 && errors.Is(err, syscall.EWOULDBLOCK); try++ { // it may be somebody who looks, see Held
		time.Sleep(50 * time.Millisecond)
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		who := make([]byte, 200)
		n, _ := f.Read(who)
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("checkpoint: %s %w by %s", r.Dir, ErrLocked, strings.TrimSpace(string(who[:n])))
		}
		return fmt.Errorf("checkpoint: lock %s: %w", path, err)
	}
	host, _ := os.Hostname()
	if err = f.Truncate(0); err == nil {
		_, err = fmt.Fprintf(f, "process %d on %s\n", os.Getpid(), host)
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("checkpoint: %s: %w", path, err)
	}
	r.lock = f
	if err := r.makeFolders(); err != nil {
		return err
	}
	return r.tidy()
}

// Held tells whether a process has the run. known is false where that cannot be found out.
func (r *Run) Held() (held, known bool) {
	f, err := r.open(filepath.Join(r.Dir, "lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, true
	}
	if err != nil {
		return false, false
	}
	defer f.Close() // which unlocks
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	return err != nil, err == nil || errors.Is(err, syscall.EWOULDBLOCK)
}

// Unlock lets others have the run.
func (r *Run) Unlock() {
	if r.lock != nil {
		r.lock.Close() // which unlocks; the file stays, since removing it would be a race
		r.lock = nil
	}
}

// tidy removes files of a writer that was killed, see [atomicfile.Write]. Snapshots that the manifest does not name stay:
// one of them may be what the run is to go on from, see [Run.SetAside].
func (r *Run) tidy() error {
	for _, dir := range []string{r.Dir, filepath.Join(r.Dir, "samples"), filepath.Join(r.Dir, "snapshots")} {
		if err := r.Inside(dir); err != nil {
			return err
		}
		left, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.????????????????.tmp"))
		if err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		for _, f := range left {
			if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("checkpoint: %w", err)
			}
		}
	}
	return nil
}

var escapeGlob = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace
