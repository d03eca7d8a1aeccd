package safetensors

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
)

// ErrFormat is wrapped by every error that means "this is not a valid safetensors file".
var ErrFormat = errors.New("not a valid safetensors file")

// formatError is a malformed file: its text says what is wrong with it.
type formatError struct{ fact string }

func (e *formatError) Error() string        { return e.fact }
func (e *formatError) Is(target error) bool { return target == ErrFormat }

func malformed(format string, args ...any) error {
	return &formatError{fmt.Sprintf(format, args...)}
}

// at puts "safetensors: path: " in front of err; path is "" for what is no file.
func at(path string, err error) error {
	if err == nil {
		return nil
	}
	if path == "" {
		return fmt.Errorf("safetensors: %w", err)
	}
	// Errors of package os name a path already, and for a temporary file one that means nothing to the reader.
	var pe *fs.PathError
	if errors.As(err, &pe) && err == error(pe) {
		err = fmt.Errorf("%s: %w", pe.Op, pe.Err)
	}
	var le *os.LinkError
	if errors.As(err, &le) && err == error(le) {
		err = fmt.Errorf("%s: %w", le.Op, le.Err)
	}
	return fmt.Errorf("safetensors: %s: %w", path, err)
}

// quote shows a string of the file: on one line, and no longer than a line.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}
