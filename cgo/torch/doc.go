// Package torch is libtorch for Go: tensors, operators and automatic differentiation.
//
// Three types carry everything. A [Tensor] is an n-dimensional array on a [Device], with an element type [DType]. A
// [Scope] owns tensors. An [Error] is what a failed operation panics with.
//
//	err := torch.Scoped(func(s *torch.Scope) error {
//		w := s.FromFloat32s([]float32{1, 2, 3}, 3).RequiresGrad(true)
//		loss := w.Mul(w).Sum() // w1² + w2² + w3²
//		g := torch.Grad(loss, []*torch.Tensor{w}, torch.GradOptions{})
//		fmt.Println(torch.Slice[float32](g[0])) // [2 4 6]
//		return nil
//	})
//
// # Who owns memory
//
// Tensors live in C++ memory, which Go's garbage collector does not see, so they are freed by scopes and not by
// finalizers:
//
//   - A result belongs to the innermost scope among its operands.
//   - Closing a scope frees everything in it at once; using such a tensor afterwards panics.
//   - A sealed scope accepts no results. Parameters of a model live in one, so that an intermediate result cannot end
//     up there and stay for ever; an operation whose operands are all sealed panics and says what to do
//     ([Scope.Use] makes an alias in a working scope).
//
// A training step is therefore one [Scope.Scoped] call, and the default way to write a loop does not leak.
// A scope that is never closed is freed some time after the garbage collector finds it, as a net, and counted in
// [LeakedScopes].
//
// # What panics
//
// Operations panic with *[Error] on a wrong shape, element type or device, on a closed or sealed scope, and when memory
// runs out, so that formulas read as formulas. [Try] and [Scope.Scoped] turn that panic into an error. Functions that
// load, save, or ask the machine for something return an error. No C++ exception ends the process.
//
// # Goroutines
//
// A Scope and the tensors in it are used by one goroutine at a time. Tensors may be read by many goroutines at once
// (give each its own scope with [Scope.Use]); writing to one (in-place operations, optimisers, batch-norm statistics)
// needs exclusion. Gradient and autocast modes belong to an operating-system thread in libtorch; [NoGrad], [EnableGrad]
// and [Autocast] are regions that hold the thread, nest, and survive panics. A goroutine started inside a region does
// not inherit its mode. Do not yield from an iterator inside a region, and do not use [iter.Pull] around one.
//
// # Versions
//
// The same source works with libtorch 1.13 to 2.14. Operators are called by their schema through libtorch's dispatcher,
// so [Call] reaches all of them, whether or not there is a method for it.
package torch
