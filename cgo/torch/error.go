package torch

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
)

// Errors that callers branch on; an [*Error] wraps one of them where it fits.
var (
	// ErrOutOfMemory: the device or the host has no memory left for a result. On a GPU what can be tried again was, with an
	// emptied cache: see package cuda.
	ErrOutOfMemory = errors.New("out of memory")
	// ErrUnsupported: this libtorch has no such operator, or no kernel of it for the arguments.
	ErrUnsupported = errors.New("unsupported")
	// ErrClosed: a tensor or scope was used after its scope was closed.
	ErrClosed = errors.New("closed")
	// ErrNondeterministic: an operator has no form that gives the same bits in every run, and [SetDeterministic] is on.
	ErrNondeterministic = errors.New("not deterministic")
	// ErrSealed: an operation had no scope to put its result in.
	ErrSealed = errors.New("sealed")
)

// Error is what a failed operation panics with, and what [Try] returns.
// Its text has the form "torch: op: fact".
type Error struct {
	Op   string // e.g. "aten::mm", or the name of a Go method
	Msg  string // what was wrong, with the values that were given
	Args string // the tensors among the operands, e.g. "float32[2 3] cpu"; "" when there are none
	Kind error  // one of the above, or nil
}

// Error is the text on one line, with the operands.
func (e *Error) Error() string {
	s := "torch: " + strings.TrimPrefix(e.Op, "aten::") + ": " + e.Msg
	if e.Args != "" {
		s += " (operands: " + e.Args + ")"
	}
	return s
}

// Unwrap returns Kind, for errors.Is(err, ErrOutOfMemory) and its like.
func (e *Error) Unwrap() error { return e.Kind }

// Try calls f and returns the *Error it panicked with, if any. Any other panic goes on.
func Try(f func()) (err error) {
	defer recoverError(&err)
	f()
	return nil
}

// Try1 is [Try] for a function with a result.
func Try1[T any](f func() T) (v T, err error) {
	defer recoverError(&err)
	return f(), nil
}

func recoverError(err *error) {
	switch r := recover().(type) {
	case nil:
	case *Error:
		*err = r
	default:
		panic(r)
	}
}

func panicf(op string, kind error, format string, args ...any) {
	panic(&Error{Op: op, Kind: kind, Msg: fmt.Sprintf(format, args...)})
}

// wrapError gives a shim error its operation's name; nil stays nil.
func wrapError(op string, err error) error {
	if err == nil {
		return nil
	}
	var c *ctorch.Error
	if !errors.As(err, &c) {
		return &Error{Op: op, Msg: err.Error()}
	}
	e := &Error{Op: op, Msg: tidy(c.Msg)}
	switch c.Code {
	case ctorch.CodeOutOfMemory:
		e.Kind = ErrOutOfMemory
	case ctorch.CodeNotImplemented:
		e.Kind = ErrUnsupported
	case ctorch.CodeNondeterministic:
		e.Kind = ErrNondeterministic
	}
	return e
}

func must(op string, err error) {
	if err != nil {
		panic(wrapError(op, err))
	}
}

// tidy makes libtorch's prose one line: its first paragraph, without the request to report a bug.
func tidy(msg string) string {
	msg, _, _ = strings.Cut(strings.TrimSpace(msg), "\n\n")
	lines := strings.Split(msg, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	msg = strings.Join(lines, " ")
	msg, _, _ = strings.Cut(msg, " frame #") // of C++
	if i := strings.Index(msg, "Exception raised from"); i > 0 {
		msg = strings.TrimSpace(msg[:i])
	}
	return msg
}
