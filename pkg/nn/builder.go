package nn

import "github.com/tigas-train/tigas-train/cgo/torch"

// Builder makes the tensors of layers: in a scope, on a device, with random numbers from a generator. Seal the scope when
// the network is complete.
type Builder struct {
	Scope     *torch.Scope
	Generator *torch.Generator // of the CPU; nil: libtorch's default generator
	Device    torch.Device
	DType     torch.DType // of parameters and running statistics; float32 if not given
}

func (b Builder) options() torch.Options { return torch.Options{DType: b.DType, Device: b.Device} }

// Param makes a parameter of zeros.
func (b Builder) Param(shape ...int64) *torch.Tensor {
	return b.Scope.Zeros(shape, b.options()).RequiresGrad(true)
}

// Buffer makes a buffer with every element set to value; a scalar without a shape.
func (b Builder) Buffer(value float64, shape ...int64) *torch.Tensor {
	if shape == nil {
		shape = []int64{}
	}
	return b.Scope.Full(shape, value, b.options())
}
