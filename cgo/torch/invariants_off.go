//go:build !invariants

package torch

const invariants = false
