package nn

import (
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Builder makes the tensors of layers: in a scope, on a device, with random numbers from a generator.
type Builder struct {
	Scope     *torch.Scope
	Generator *torch.Generator // nil: libtorch's default generator
	Device    torch.Device
	DType     torch.DType // of parameters; float32 if not given
}

func (b Builder) options() torch.Options { return torch.Options{DType: b.DType, Device: b.Device} }

// Param makes a parameter of zeros.
func (b Builder) Param(shape ...int64) *torch.Tensor {
	return b.Scope.Zeros(shape, b.options()).RequiresGrad(true)
}

// Buffer makes a buffer with every element set to value.
func (b Builder) Buffer(value float64, shape ...int64) *torch.Tensor {
	if shape == nil {
		shape = []int64{}
	}
	return b.Scope.Full(shape, value, b.options())
}

// fill draws on the CPU, so that a seed gives the same network on every device.
func (b Builder) fill(p *torch.Tensor, draw func(t *torch.Tensor)) {
	s := torch.NewScope()
	defer s.Close()
	t := s.Empty(p.Shape(), torch.Options{DType: b.DType})
	draw(t)
	torch.NoGrad(func() { p.Copy_(t) })
}

// Normal fills p from a normal distribution.
func (b Builder) Normal(p *torch.Tensor, mean, std float64) {
	b.fill(p, func(t *torch.Tensor) { t.Normal_(mean, std, b.Generator) })
}

// Uniform fills p from [-bound, bound).
func (b Builder) Uniform(p *torch.Tensor, bound float64) {
	b.fill(p, func(t *torch.Tensor) { t.Uniform_(-bound, bound, b.Generator) })
}

// Constant sets every element of p to v.
func (b Builder) Constant(p *torch.Tensor, v float64) { torch.NoGrad(func() { p.Fill_(v) }) }

// Fans are the numbers of inputs and outputs that one element of a weight [out, in, ...] serves.
func Fans(w *torch.Tensor) (in, out float64) {
	shape := w.Shape()
	area := 1.0
	for _, d := range shape[2:] {
		area *= float64(d)
	}
	return float64(shape[1]) * area, float64(shape[0]) * area
}

// XavierUniform fills a weight uniformly with bound gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010).
func (b Builder) XavierUniform(w *torch.Tensor, gain float64) {
	in, out := Fans(w)
	b.Uniform(w, gain*math.Sqrt(6/(in+out)))
}

// Default fills a weight and its bias (may be nil) as PyTorch does for linear and convolutional layers: both uniform with
// bound 1/sqrt(fan_in).
func (b Builder) Default(w, bias *torch.Tensor) {
	in, _ := Fans(w)
	b.Uniform(w, 1/math.Sqrt(in))
	if bias != nil {
		b.Uniform(bias, 1/math.Sqrt(in))
	}
}
