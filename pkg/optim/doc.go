// Package optim has optimisers that compute what PyTorch's compute, gradient clipping and moving averages of weights.
//
// An optimiser is given the gradients, in the order of its parameters, so that it works with [torch.Grad], which leaves
// nothing behind; [Grads] collects what [torch.Backward] left.
//
//	opt := optim.NewAdam(root, params, optim.DefaultAdamOptions())
//	for ... {
//		err := root.Scoped(func(s *torch.Scope) error {
//			opt.Step(torch.Grad(loss(s), params, torch.GradOptions{}))
//			return nil
//		})
//	}
//
// Work on all parameters is a handful of calls over whole lists (_foreach_*), whatever the number of parameters. State
// lives in a sealed scope of the optimiser's own inside the scope given to the constructor, temporaries in one that every
// step closes: the number of live tensors is the same after a step as before it.
//
// A [Masked] optimiser leaves out a step whose gradients are not finite without the host's waiting to learn that; with
// Capturable, [Adam] keeps all that a step depends on with the parameters, so that a CUDA graph can replay it.
//
// Constructors panic with [*torch.Error] on settings that cannot be, such as a negative learning rate, and Step on another
// number of gradients. [ClipGradNorm] returns an error for a gradient that is not finite, LoadState for a state that does not
// fit: those are known at run time only.
//
// An optimiser is used by one goroutine at a time, and while it steps nobody else may use its parameters.
package optim
