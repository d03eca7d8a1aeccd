// Package gotorch shares tensors with github.com/wangkuiyi/gotorch, so that the TIGAS term joins a training loop that is
// written with it, and a network that is written with it is trained by optimisers and trainers of this module. Nothing is
// copied and gradients flow across:
//
//	fake := netG.Forward(noise).(gotorch.Tensor)                  // gotorch
//	term, score := det.Loss(bridge.From(s, fake), o)              // ours
//	loss := bridge.From(s, errG).Add(term.MulScalar(0.1))         // both
//	torch.Backward(loss, torch.GradOptions{})                     // through both
//	optimizerG.Step()                                             // gotorch
//
// Everything here has the build tag gotorch: gotorch's C++ part is compiled by scripts/gotorch.sh, and who does not use it
// need not have it. docs/gotorch.md shows how to build, and a whole loop.
//
// # Ownership
//
// [From] and [To] make a second reference to one tensor: elements, gradient and place in the graph are the same. A scope
// frees the one when it is closed, gotorch's finalizer the other; whichever comes last frees the memory.
//
// # Steps
//
// gotorch frees tensors by finalizers, with two consequences that [Step] is for. Go's collector knows nothing of the memory
// behind a tensor and lets it pile up; and when it runs at the wrong moment, it frees an operand that an operator of
// gotorch's is reading: of x.Mul(y).Sum() nothing holds the product while Sum runs, and the process ends, or goes on with
// wrong numbers.
//
// # Errors
//
// gotorch panics with strings; [Try] makes errors of them. Some of its functions end the process instead, Tensor.Backward
// among them: use [Backward], or torch.Grad.
package gotorch
