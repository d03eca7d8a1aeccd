// Package tensorboard writes TensorBoard's event files, without TensorFlow and without protocol buffer libraries.
//
// A file is a row of records, each with its length and two checksums; a record holds an Event as event.proto of TensorFlow
// describes it. A run folder may have several of them: readers take them in the order of their names.
package tensorboard

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	prefix      = "events.out.tfevents." // readers look for "tfevents"
	fileVersion = "brain.Event:2"        // from this one on readers look for what Restart writes
	lastSecond  = 9_999_999_999          // of 10 digits: with more, names no longer sort by time
	keepBuffer  = 1 << 20                // bytes that stay allocated between two flushes
)

// Writer adds values to one event file. They are kept in memory until [Writer.Flush]. It is not for use by several
// goroutines at a time.
type Writer struct {
	out    io.WriteCloser
	now    func() time.Time
	buf    []byte // records that are not in the file yet
	err    error  // set once: nothing more is written
	closed bool
}

// Create makes a new event file in dir, which must exist, and writes the record of the format's version to it. The file is
// named events.out.tfevents.SECONDS.HOST.PID.N, as TensorFlow and PyTorch name theirs.
//
// Readers take the files of a folder in the order of their names and never look back, so SECONDS, the Unix time, is raised
// beyond that of the newest file which is there: a clock that was set back, or a second machine whose clock is behind, would
// otherwise hide what is written now. N counts up when another process takes the name at the same moment.
func Create(dir string) (*Writer, error) { return create(dir, time.Now) }

func create(dir string, now func() time.Time) (*Writer, error) {
	second, err := nextSecond(dir, now().Unix())
	if err != nil {
		return nil, fmt.Errorf("tensorboard: %w", err)
	}
	f, err := createFile(dir, second)
	if err != nil {
		return nil, fmt.Errorf("tensorboard: %w", err)
	}
	w := &Writer{out: f, now: now}
	w.event(0, message(nil).text(eventFileVersion, fileVersion))
	if err := w.Flush(); err != nil {
		_ = f.Close()
		_ = os.Remove(f.Name()) // without a version it is of no use to a reader
		return nil, err
	}
	return w, nil
}

// nextSecond is now, or the second after the newest event file's in dir.
func nextSecond(dir string, now int64) (int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), prefix)
		if !ok {
			continue
		}
		digits, _, _ := strings.Cut(rest, ".")
		if s, err := strconv.ParseInt(digits, 10, 64); err == nil && s >= now && s < lastSecond {
			now = s + 1
		}
	}
	return now, nil
}

func createFile(dir string, second int64) (*os.File, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "" // as good a name as any
	}
	base := fmt.Sprintf("%s%010d.%s.%d.", prefix, second, hostPart(host), os.Getpid())
	for n := 0; ; n++ {
		f, err := os.OpenFile(filepath.Join(dir, base+strconv.Itoa(n)), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o644)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// hostPart is what of a host's name can stand in a file's name on every system.
func hostPart(host string) string {
	host = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '-'
	}, host)
	if host == "" {
		return "localhost"
	}
	return host[:min(len(host), 64)]
}

// Flush writes what was added since the last call, all of it in one write. It does not wait until that is stored on disk.
//
// After an error nothing more is written: a record after half a one makes a reader give up the file, while one that is cut
// off at the end is only not shown. What is added from then on is dropped, and every later call returns the first error.
func (w *Writer) Flush() error {
	if w.err == nil && len(w.buf) > 0 {
		if _, err := w.out.Write(w.buf); err != nil {
			w.err = fmt.Errorf("tensorboard: %w", err)
		}
	}
	if cap(w.buf) > keepBuffer { // images were in it
		w.buf = nil
	}
	w.buf = w.buf[:0]
	return w.err
}

// Close writes what is left, as Flush does, and closes the file. The first call returns the first error of the writer, later
// ones do nothing. What is added after it is dropped.
func (w *Writer) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	err := w.Flush()
	if closeErr := w.out.Close(); closeErr != nil && err == nil {
		err = fmt.Errorf("tensorboard: %w", closeErr)
	}
	if w.err == nil {
		w.err = fmt.Errorf("tensorboard: %w", fs.ErrClosed)
	}
	return err
}
