// Package nn has the layers that networks are built from, and the walk over a network's tensors.
//
// # Modules
//
// Any struct is a module. A field of type *torch.Tensor with a tag is a parameter, or a buffer:
//
//	type BatchNorm2d struct {
//		Weight      *torch.Tensor `torch:"weight"`
//		RunningMean *torch.Tensor `torch:"running_mean,buffer"`
//		...
//	}
//
// Fields that are modules themselves, slices of modules and [Sequential] give dotted names, so that [StateDict] has
// PyTorch's keys in PyTorch's order: within a module first its parameters, then its buffers, then its parts, each in the
// order of the fields. A part's name is its tag or, without one, the field's name in lower case; within a slice it is the
// index. An embedded struct without a tag is no part: its fields count as the outer module's. Skipped are unexported
// fields, tensors that are nil or have no tag, and anything tagged "-". A module whose parts are not fields implements
// [Parent].
//
// # Memory
//
// Parameters are made in the scope of a [Builder], which is sealed after construction: what Forward computes belongs to
// the scope of its input and is freed with it.
//
//	b := nn.Builder{Scope: root.Child(), Generator: g}
//	net := nn.Sequential{nn.NewLinear(b, 2, 16), nn.ReLU, nn.NewLinear(b, 16, 1)}
//	b.Scope.Seal()
//
// # What panics
//
// Constructors of layers return no errors, and neither does Forward: both panic with [*torch.Error] on sizes that do not
// fit, as operations do. [Load] and what reads files return errors.
//
// # Goroutines
//
// Forward may run in several goroutines at once, each with inputs of its own, as long as no layer writes: batch norms do
// in training mode. [Train], [Load] and the initialisers need exclusion.
package nn
