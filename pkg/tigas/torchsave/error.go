package torchsave

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

// ErrFormat is wrapped by every error that means "this is not a file that torch.save wrote, or not one that is supported".
var ErrFormat = errors.New("not a readable torch.save file")

type formatError struct{ fact string }

func (e *formatError) Error() string        { return e.fact }
func (e *formatError) Is(target error) bool { return target == ErrFormat }

func malformed(format string, args ...any) error {
	return &formatError{fmt.Sprintf(format, args...)}
}

// at puts "torchsave: path: " in front of err; path is "" for what is no file.
func at(path string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*fs.PathError); ok {
		err = fmt.Errorf("%s: %w", e.Op, e.Err)
	}
	if path == "" {
		return fmt.Errorf("torchsave: %w", err)
	}
	return fmt.Errorf("torchsave: %s: %w", path, err)
}

// quote shows a string of the file: on one line, and no longer than a line.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}
