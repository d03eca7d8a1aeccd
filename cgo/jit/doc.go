// Package jit loads, makes, calls and saves TorchScript modules.
//
// TorchScript is the one format that Python writes and a program without Python can run: a network's tensors with the
// source of its methods. Upstream has called it deprecated since 2.11, but every version up to 2.14 reads and runs it. It
// is kept apart from package torch so that it can be replaced.
//
// A [Module] is such a network. [Load] reads one from a file, [Define] makes one of tensors and source text, [Trace] of Go
// code that is run once. A [Named] is a tensor with its name, as modules are made of them and list them. A [Tuple] is what a
// method returns that returns several things.
//
//	m, err := jit.Load(root, "net.pt", torch.CPU)
//	...
//	err = m.Train(false)                        // evaluation mode
//	frozen, err := m.Freeze(root)               // parameters become constants: a function of its input
//	y := frozen.ForwardTensor(x)                // gradients flow to x
//	out, err := m.Call("describe", x, "a name") // any method, any arguments
//	err = m.Save("copy.pt")
//
// Modules are interpreted as written: no profiling runs, no fuser that compiles on the second call.
//
// # Files of others
//
// A file that is not TorchScript, is damaged, or was forged to make libtorch read outside of its memory is refused with an
// error that says what it seems to be. But TorchScript is a program, which may never end: load files from people whom you
// trust, as with Python.
//
// # Who owns memory
//
// A Module belongs to the scope that it was made in and is freed with it; using it afterwards panics. The tensors that
// [Define] and [Trace] are given are shared, not copied: an optimiser may train them from outside. Results of a call join
// the innermost scope among its arguments, like those of an operator.
//
// # What panics, and what returns an error
//
// Loading, making, saving and [Module.Call] return errors, with the text of what TorchScript raised.
// [Module.ForwardTensor] and [Module.MustCall] panic with [*torch.Error], so that they can stand in a formula.
//
// # Goroutines
//
// A frozen module, or one in evaluation mode, may be called by many goroutines at once; in training mode calls need
// exclusion, and so do [Module.Train], [Module.To] and whatever else changes it.
package jit
