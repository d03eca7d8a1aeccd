//go:build slow

package torchsave

// slow is true for the long tests.
const slow = true
