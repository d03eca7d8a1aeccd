//go:build !gotorch

// Command gotorch-dcgan trains a DCGAN that is written with github.com/wangkuiyi/gotorch, with the TIGAS term in its loss.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "gotorch-dcgan: built without gotorch: run scripts/gotorch.sh, and build with -tags gotorch")
	os.Exit(1)
}
