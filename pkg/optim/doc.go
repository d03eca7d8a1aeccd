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
// An optimiser is used by one goroutine at a time, and while it steps nobody else may use its parameters.
package optim
