//go:build !gotorch

// Command gotorch times one DCGAN step that is written with gotorch, and with this module. See run.sh.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench/gotorch: built without gotorch: use bench/gotorch/run.sh")
	os.Exit(1)
}
