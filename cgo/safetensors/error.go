package safetensors

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/atomicfile"
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
	return fmt.Errorf("safetensors: %s: %w", path, atomicfile.Bare(err))
}

// quote shows a string of the file: on one line, and no longer than a line.
func quote(s string) string {
	const most, mostQuoted = 80, 160 // a control character becomes four
	q, cut := strconv.Quote(s[:min(len(s), most)]), len(s) > most
	if len(q) > mostQuoted {
		q, cut = strings.ToValidUTF8(q[:mostQuoted], ""), true
	}
	if cut {
		q += "..."
	}
	return q
}
