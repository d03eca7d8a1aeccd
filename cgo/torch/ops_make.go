package torch

// Options say what a new tensor is like. The zero value is a float32 tensor on the CPU.
type Options struct {
	DType  DType  // of the elements; DefaultDType: Float32, or what the function says
	Device Device // where they are; the zero value is the CPU
}

func (o Options) dtype() DType {
	if o.DType == DefaultDType {
		return Float32
	}
	return o.DType
}

func options(o []Options) Options {
	if len(o) == 0 {
		return Options{}
	}
	return o[0]
}

// Zeros returns a tensor of zeros in s. It panics on a negative size, and when memory runs out.
func (s *Scope) Zeros(shape []int64, o ...Options) *Tensor {
	p := options(o)
	return s.Call("aten::zeros", shape, p.dtype(), nil, p.Device)
}

// Ones returns a tensor of ones in s, as [Scope.Zeros] does of zeros.
func (s *Scope) Ones(shape []int64, o ...Options) *Tensor {
	p := options(o)
	return s.Call("aten::ones", shape, p.dtype(), nil, p.Device)
}

// Full returns a tensor in s whose elements are all value.
func (s *Scope) Full(shape []int64, value float64, o ...Options) *Tensor {
	p := options(o)
	return s.Call("aten::full", shape, value, p.dtype(), nil, p.Device)
}

// Empty returns a tensor in s whose elements are arbitrary.
func (s *Scope) Empty(shape []int64, o ...Options) *Tensor {
	p := options(o)
	return s.Call("aten::empty.memory_format", shape, p.dtype(), nil, p.Device)
}

// Randn returns standard normal numbers. g may be nil for the default generator.
func (s *Scope) Randn(g *Generator, shape []int64, o ...Options) *Tensor {
	p := options(o)
	return s.Call("aten::randn.generator", shape, g, p.dtype(), nil, p.Device)
}

// Rand returns numbers uniform in [0, 1). g may be nil for the default generator.
func (s *Scope) Rand(g *Generator, shape []int64, o ...Options) *Tensor {
	p := options(o)
	return s.Call("aten::rand.generator", shape, g, p.dtype(), nil, p.Device)
}

// Arange returns the integers start, start+1, ... end-1 as int64 unless options say otherwise.
func (s *Scope) Arange(start, end int64, o ...Options) *Tensor {
	p := options(o)
	if p.DType == DefaultDType {
		p.DType = Int64
	}
	return s.Call("aten::arange.start", start, end, p.DType, nil, p.Device)
}

// Scalar returns a float32 tensor without dimensions (or of the type that options give).
func (s *Scope) Scalar(v float64, o ...Options) *Tensor { return s.Full([]int64{}, v, o...) }

// ZerosLike returns zeros of t's shape, type and device.
func (t *Tensor) ZerosLike() *Tensor { return opZerosLike.call1(t) }

// OnesLike returns ones of t's shape, type and device.
func (t *Tensor) OnesLike() *Tensor { return opOnesLike.call1(t) }

// RandnLike returns standard normal numbers of t's shape, type and device, from the default generator.
func (t *Tensor) RandnLike() *Tensor { return opRandnLike.call1(t) }

// RandLike returns uniform numbers of t's shape, type and device, from the default generator.
func (t *Tensor) RandLike() *Tensor { return opRandLike.call1(t) }

// To converts to another element type; t itself if it has it already. Gradients flow back.
func (t *Tensor) To(d DType) *Tensor { return opToDType.call1(t, d) }

// ToDevice copies to another device; t itself if it is there already. Gradients flow back.
func (t *Tensor) ToDevice(d Device) *Tensor {
	if t.Device() == d {
		return t
	}
	return opToDevice.call1(t, d, t.DType())
}

// Clone copies t to storage of its own, inside the graph: gradients flow back.
func (t *Tensor) Clone() *Tensor { return opClone.call1(t) }

// Detach returns t outside the graph; both share storage.
func (t *Tensor) Detach() *Tensor { return opDetach.call1(t) }

// Contiguous returns t with its elements in row-major order; t itself if they are already.
func (t *Tensor) Contiguous() *Tensor { return opContiguous.call1(t) }

var (
	opZerosLike  = op("aten::zeros_like")
	opOnesLike   = op("aten::ones_like")
	opRandnLike  = op("aten::randn_like")
	opRandLike   = op("aten::rand_like")
	opToDType    = op("aten::to.dtype")
	opToDevice   = op("aten::to.device")
	opClone      = op("aten::clone")
	opDetach     = op("aten::detach")
	opContiguous = op("aten::contiguous")
)
