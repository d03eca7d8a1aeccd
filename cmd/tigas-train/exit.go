package main

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// Exit codes, as docs/cli.md and --help state them.
const (
	exitOK        = 0
	exitInternal  = 1
	exitUsage     = 2
	exitData      = 3
	exitMemory    = 4
	exitDiverged  = 5
	exitSnapshot  = 6
	exitOutput    = 7
	exitInterrupt = 75
)

const exitCodes = `  0  done
  1  internal error
  2  wrong command line or configuration, or a device that is not there
  3  data, detector or a network in TorchScript cannot be used
  4  out of memory
  5  training diverged (losses or gradients not finite), and going back did not help
  6  snapshot missing, damaged or of another architecture
  7  output cannot be written, or the run folder is in use
  75 stopped by a signal or --max-time, what there is has been kept: try again
  130, 143  ended at once by another signal, more than a second after the first`

// hinted is an error with an exit code, and perhaps a second line that says what to do.
type hinted struct {
	code int
	err  error
	hint string
}

func (e *hinted) Error() string { return e.err.Error() }
func (e *hinted) Unwrap() error { return e.err }

func (e *hinted) withHint(format string, args ...any) *hinted {
	e.hint = fmt.Sprintf(format, args...)
	return e
}

func usagef(format string, args ...any) *hinted {
	return &hinted{code: exitUsage, err: fmt.Errorf(format, args...), hint: "see --help"}
}

// coded gives an error an exit code; nil stays nil.
func coded(code int, err error) error {
	if err == nil {
		return nil
	}
	return &hinted{code: code, err: err, hint: hintFor(err)}
}

// memoryHint says how a run goes on that memory ran out of: its networks are what they are.
func memoryHint(command, dir string, batch int) string {
	return fmt.Sprintf("tigas-train %s --resume %s --batch N goes on, with N below %d; a lower --resolution or narrower "+
		"networks are for a new run", command, dir, batch)
}

func hintFor(err error) string {
	if errors.Is(err, torch.ErrOutOfMemory) {
		return "lower --batch, --resolution or the widths of the networks"
	}
	return ""
}

func exitCode(err error) int {
	var h *hinted
	var output *trainers.OutputError
	switch {
	case errors.Is(err, torch.ErrOutOfMemory):
		return exitMemory
	case errors.Is(err, torch.ErrNondeterministic):
		return exitUsage
	case errors.Is(err, trainers.ErrDiverged):
		return exitDiverged
	case errors.Is(err, trainers.ErrInterrupted):
		return exitInterrupt
	case errors.Is(err, syscall.ENOSPC), errors.As(err, &output):
		return exitOutput
	case errors.Is(err, data.ErrNoImages):
		return exitData
	case errors.Is(err, trainers.ErrMismatch), errors.Is(err, checkpoint.ErrDamaged):
		return exitSnapshot
	case errors.As(err, &h):
		return h.code
	case errors.Is(err, fs.ErrPermission):
		return exitOutput
	}
	return exitInternal
}
