package nn

import (
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// fill draws on the CPU, so that a seed gives the same network on every device.
func (b Builder) fill(p *torch.Tensor, draw func(t *torch.Tensor)) {
	s := b.Scope.Child()
	defer s.Close()
	torch.NoGrad(func() {
		t := s.Empty(p.Shape(), torch.Options{DType: p.DType()})
		draw(t)
		p.Copy_(t)
	})
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

// Fans are the numbers of inputs and outputs that one element of a weight [out, in, ...] serves: in and out times the
// size of the kernel. Like PyTorch's, they take the weight of a transposed convolution, [in, out, ...], the wrong way
// round. It panics on a weight with fewer than two dimensions.
func Fans(w *torch.Tensor) (in, out float64) {
	shape := w.Shape()
	if len(shape) < 2 {
		panic(&torch.Error{Op: "nn.Fans", Msg: "got " + w.String() + " vs a weight with two dimensions or more"})
	}
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

// XavierNormal fills a weight from a normal distribution with deviation gain * sqrt(2 / (fan_in + fan_out)).
func (b Builder) XavierNormal(w *torch.Tensor, gain float64) {
	in, out := Fans(w)
	b.Normal(w, 0, gain*math.Sqrt(2/(in+out)))
}

// KaimingUniform fills a weight uniformly with bound gain * sqrt(3 / fan_in) (He et al. 2015, arXiv 1502.01852). The gain
// is sqrt(2) before ReLU and sqrt(2 / (1+a²)) before a leaky ReLU of slope a.
func (b Builder) KaimingUniform(w *torch.Tensor, gain float64) {
	in, _ := Fans(w)
	b.Uniform(w, gain*math.Sqrt(3/in))
}

// KaimingNormal fills a weight from a normal distribution with deviation gain / sqrt(fan_in); see [Builder.KaimingUniform].
func (b Builder) KaimingNormal(w *torch.Tensor, gain float64) {
	in, _ := Fans(w)
	b.Normal(w, 0, gain/math.Sqrt(in))
}

// Orthogonal fills a weight [out, in, ...], taken as a matrix [out, D], so that its rows are orthogonal with norm gain,
// or its columns when it has more rows than columns (Saxe et al. 2014, arXiv 1312.6120).
func (b Builder) Orthogonal(w *torch.Tensor, gain float64) {
	if w.Dim() < 2 || w.Numel() == 0 {
		panic(&torch.Error{Op: "nn.Orthogonal", Msg: "got " + w.String() + " vs a weight with two dimensions or more"})
	}
	rows := w.Size(0)
	cols := w.Numel() / rows
	b.fill(w, func(t *torch.Tensor) {
		m := t.Reshape(rows, cols)
		m.Normal_(0, 1, b.Generator)
		if rows < cols {
			m = m.Transpose(0, 1)
		}
		r := torch.CallMulti("aten::linalg_qr", m)
		// Signs that make the factor unique, so that it is uniform over all orthogonal matrices.
		q := r[0].(*torch.Tensor).Mul(torch.Call("aten::diagonal", r[1].(*torch.Tensor)).Sign())
		if rows < cols {
			q = q.Transpose(0, 1)
		}
		t.Copy_(q.MulScalar(gain).Reshape(t.Shape()...))
	})
}

// Default fills a weight and its bias (may be nil) as PyTorch does for linear and convolutional layers, weight first: both
// uniform with bound 1/sqrt(fan_in), which is what kaiming_uniform with a = sqrt(5) comes to.
func (b Builder) Default(w, bias *torch.Tensor) {
	in, _ := Fans(w)
	b.Uniform(w, 1/math.Sqrt(in))
	if bias != nil {
		b.Uniform(bias, 1/math.Sqrt(in))
	}
}
