// Package optim has optimisers that compute what PyTorch's compute, gradient clipping and moving averages of weights.
//
// An optimiser is given the gradients, in the order of its parameters, so that it works with [torch.Grad], which leaves
// nothing behind; [Grads] collects what [torch.Backward] left. Work on all parameters is a handful of calls over whole
// lists (_foreach_*), whatever the number of parameters. State belongs to the scope given to the constructor.
package optim
