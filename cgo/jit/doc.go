// Package jit loads, makes, calls and saves TorchScript modules.
//
// Upstream has called TorchScript deprecated since 2.11, but every version up to 2.14 reads and runs it, and it is the
// one format that Python writes and a program without Python can run. It is kept apart from package torch so that it
// can be replaced.
//
// Modules are interpreted as written: no profiling runs, no fuser that compiles on the second call. A frozen module, or
// one in evaluation mode, may be called by many goroutines at once; in training mode calls need exclusion.
package jit
