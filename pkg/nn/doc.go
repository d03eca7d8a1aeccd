// Package nn has the layers that networks are built from, and the walk over a network's tensors.
//
// Any struct is a module. A field of type *torch.Tensor with a tag is a parameter, or a buffer:
//
//	type Linear struct {
//		Weight *torch.Tensor `torch:"weight"`
//		Bias   *torch.Tensor `torch:"bias"`
//	}
//
// Fields that are modules themselves, slices of modules and [Sequential] give dotted names, so that [StateDict] has
// PyTorch's keys: a field's tag or, without one, its name in lower case; the index within a slice. A nil tensor is
// left out.
//
// Parameters are made in a scope that is sealed after construction: what Forward computes belongs to the scope of its
// input and is freed with it.
package nn
