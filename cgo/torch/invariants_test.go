//go:build invariants

package torch_test

const invariants = true
