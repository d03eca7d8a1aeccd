package torchsave

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// ErrFormat is wrapped by every error that means "this is not a file that torch.save wrote, or not one that is supported".
var ErrFormat = errors.New("not a readable torch.save file")

// ErrTorchScript is wrapped, beside [ErrFormat], by the error of [Open] for an archive of torch.jit.save.
var ErrTorchScript = errors.New("a TorchScript archive, not a checkpoint")

type formatError struct {
	fact string
	kind error // ErrTorchScript, or nil
}

func (e *formatError) Error() string        { return e.fact }
func (e *formatError) Is(target error) bool { return target == ErrFormat || target == e.kind }

func malformed(format string, args ...any) error {
	return &formatError{fact: fmt.Sprintf(format, args...)}
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

// brief shows the sizes or strides of a tensor.
func brief(v []int64) string {
	const most = 8 // more than anyone has
	if len(v) > most {
		return strings.TrimSuffix(fmt.Sprint(v[:most]), "]") + " ...]"
	}
	return fmt.Sprint(v)
}
