// Package torch is libtorch for Go: tensors, operators and automatic differentiation, on CPUs and NVIDIA GPUs.
//
// Three types carry everything. A [Tensor] is an n-dimensional array on a [Device], with an element type [DType]. A
// [Scope] owns tensors and frees them together. An [Error] is what a failed operation panics with.
//
//	err := torch.Scoped(func(s *torch.Scope) error {
//		w := s.FromFloat32s([]float32{1, 2, 3}).RequiresGrad(true)
//		loss := w.Mul(w).Sum() // w1² + w2² + w3²
//		g := torch.Grad(loss, []*torch.Tensor{w}, torch.GradOptions{})
//		fmt.Println(torch.Slice[float32](g[0])) // [2 4 6]
//		return nil
//	})
//
// Layers are in package nn, optimisers in package optim, TorchScript in package jit.
//
// # Making tensors
//
// Methods of a [Scope] make tensors in it: [Scope.Zeros], [Scope.Full], [Scope.Arange], [Scope.Randn] and others, float32
// on the CPU unless [Options] say otherwise. [FromSlice] copies a Go slice, [Slice] copies elements back, from any device;
// [Scope.FromImage] and [Tensor.ToImage] do so for pictures. A shape is a list of int64, the last dimension being the one
// whose entries lie next to each other. A tensor with an empty shape is a scalar; [Tensor.Float64] reads one.
//
//	x := s.Randn(nil, []int64{16, 3, 64, 64})                     // a batch of images
//	y := torch.FromSlice(s, []int64{1, 2, 3, 4, 5, 6}, 2, 3)      // int64[2 3]
//	z := s.Ones([]int64{8}, torch.Options{Device: torch.CUDA(0)}) // on a GPU
//
// # Operators
//
// Methods of a [Tensor] are libtorch's operators under PyTorch's names, and return new tensors: t.Add(o) is t + o. Shapes
// are broadcast and element types promoted as in PyTorch. A number in the place of an operand is a float: methods that end
// in Scalar make float32 of integers. Names with a trailing underscore work in place, change their receiver and return it.
// Methods about shapes share storage with their tensor where they can ([Tensor.Reshape], [Tensor.Narrow], [Tensor.Select],
// [Tensor.Transpose]): what is written to one is seen in the other. There are methods for what the networks of this module
// use; [Call] reaches every other operator by the name in its schema, with missing arguments at their defaults:
//
//	y := torch.Call("aten::cumsum", x, 0)
//
// # Gradients
//
// [Tensor.RequiresGrad] marks what gradients are wanted for. [Grad] returns them, accumulates nothing, and computes only
// what leads to the inputs that it is given; with CreateGraph they can be differentiated again. [Backward] and
// [Scope.GradOf] are PyTorch's way. A graph is used once, unless RetainGraph keeps it. [Tensor.Detach] cuts it, [NoGrad]
// records none.
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
// A training step is therefore one [Scope.Scoped] call, and the default way to write a loop does not leak. What is to stay
// is moved out with [Scope.Adopt]; what is large may be freed before its scope with [Tensor.Free]. A function that works in
// a scope of its own finds the one for its result with [ScopeOf]. Views and graphs hold the storage that they need: a scope
// may be closed while a tensor elsewhere shares storage with one of its own.
//
// A scope that is never closed is freed some time after the garbage collector finds it, as a net, and counted in
// [LeakedScopes]. [LiveTensors] and [LiveBytes] count what there is; tests compare them before and after.
//
// # What panics, and what returns an error
//
// Operations panic with *[Error] on a wrong shape, element type or device, on a closed or sealed scope, and when memory
// runs out, so that formulas read as formulas. [Try] and [Scope.Scoped] turn that panic into an error, which has the
// operation, the operands and, where it fits, one of [ErrOutOfMemory], [ErrUnsupported], [ErrClosed], [ErrSealed] and
// [ErrNondeterministic] for errors.Is. Functions that load, save, or ask the machine for something return an error. No C++
// exception ends the process.
//
// # Goroutines
//
// A Scope and the tensors in it are used by one goroutine at a time. Tensors may be read by many goroutines at once
// (give each its own scope with [Scope.Use]); writing to one (in-place operations, optimisers, batch-norm statistics)
// needs exclusion. Gradient and autocast modes belong to an operating-system thread in libtorch; [NoGrad], [EnableGrad]
// and [Autocast] are regions that hold the thread, nest, and survive panics. A goroutine started inside a region does
// not inherit its mode. Do not yield from an iterator inside a region, and do not use [iter.Pull] around one.
//
// One operation may use several threads, see [SetNumThreads]. Work on a GPU is queued: an operation returns before it is
// done, and what reads elements waits. Package cuda has its streams, events and memory.
//
// # Random numbers
//
// A [Generator] of one's own gives the same numbers in every run, whatever else draws; nil stands for the default one of
// the process, which [Seed] seeds, and which dropout draws from. Numbers differ between CPU and GPU, and may differ between
// versions of libtorch. [SetDeterministic] asks for the same bits in every run of everything else.
//
// # Versions
//
// The same source works with libtorch 1.13 to 2.14. Operators are called by their schema through libtorch's dispatcher,
// so [Call] reaches all of them, whether or not there is a method for it; [Has] says whether this libtorch has one.
// [Version] is the one that runs, [CheckVersion] compares it with the one that the program was built with. How a
// module that imports this one is built is in docs/install.md.
package torch
