//go:build invariants

package torch

import "github.com/tigas-train/tigas-train/cgo/internal/ctorch"

// invariants turns on checks that cost time: where a scope was made, and that no operation runs on a thread that was
// left in a mode. Tests are built with it.
const invariants = true

func init() { ctorch.CheckModes(true) }
