package models

import (
	"fmt"
	"iter"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

const (
	// StyleAverageDecay is how fast the running mean of styles follows, the usual value of beta in
	// [StyleMapping.UpdateAverage]. StyleGAN2-ADA has 0.995, StyleGAN3 0.998.
	StyleAverageDecay = 0.998

	mappingMultiplier = 0.01 // of the learning rate, see [styleLinear]
)

// StyleMapping maps latents z [N, Latent] to styles w [N, StyleDim] through fully connected layers that learn at a
// hundredth of the rate. It keeps the running mean of w, from which truncation starts.
type StyleMapping struct {
	Layers  []*styleLinear
	Average *torch.Tensor // w_avg [StyleDim], a buffer
	latent  int64
}

func newStyleMapping(b nn.Builder, c StyleConfig) *StyleMapping {
	m := &StyleMapping{Average: b.Buffer(0, int64(c.StyleDim)), latent: int64(c.Latent)}
	in := m.latent
	for range c.MappingLayers {
		m.Layers = append(m.Layers, newStyleLinear(b, in, int64(c.StyleDim), mappingMultiplier, 0))
		in = int64(c.StyleDim)
	}
	return m
}

// Children implements [nn.Parent]: w_avg, fc0, fc1 and so on.
func (m *StyleMapping) Children() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		if !yield("w_avg", nn.Buffer{Tensor: m.Average}) {
			return
		}
		for i, l := range m.Layers {
			if !yield(fmt.Sprint("fc", i), l) {
				return
			}
		}
	}
}

// Forward maps z [N, Latent], scaled so that its mean square is 1, to w [N, StyleDim]. It panics on another length.
func (m *StyleMapping) Forward(z *torch.Tensor) *torch.Tensor {
	if z.Dim() != 2 || z.Size(1) != m.latent {
		panic(styleError("StyleMapping", z, "[N %d]", m.latent))
	}
	x := z.Mul(z.Square().MeanDim([]int64{1}, true).AddScalar(1e-8).Rsqrt())
	for _, l := range m.Layers {
		x = l.activated(x)
	}
	return x
}

// UpdateAverage moves the running mean towards that of w [N, StyleDim]: beta*average + (1-beta)*mean. A trainer calls it
// once a step with the styles of a batch, those that [MixStyles] puts in left out. Nothing is recorded for gradients.
func (m *StyleMapping) UpdateAverage(w *torch.Tensor, beta float64) {
	if d := m.Average.Size(0); w.Dim() != 2 || w.Size(1) != d {
		panic(styleError("StyleMapping.UpdateAverage", w, "[N %d]", d))
	}
	torch.NoGrad(func() { m.Average.Lerp_(w.MeanDim([]int64{0}, false), 1-beta) })
}

// Truncate returns average + psi*(w - average) for w [..., StyleDim]: styles nearer to the mean give more usual images
// of less variety (section 2 of the paper and Karras et al. 2018, arXiv 1812.04948, appendix B). A psi of 1 returns w
// itself, 0 the mean.
func (m *StyleMapping) Truncate(w *torch.Tensor, psi float64) *torch.Tensor {
	if psi == 1 {
		return w
	}
	return w.Sub(m.Average).MulScalar(psi).Add(m.Average)
}

// TruncateLayers is [StyleMapping.Truncate] for the first cutoff layers of ws [N, L, StyleDim], the coarse ones. A cutoff
// below 0, or of L and more, means all of them.
func (m *StyleMapping) TruncateLayers(ws *torch.Tensor, psi float64, cutoff int64) *torch.Tensor {
	if ws.Dim() != 3 {
		panic(styleError("StyleMapping.TruncateLayers", ws, "[N L %d]", m.Average.Size(0)))
	}
	n := ws.Size(1)
	if cutoff < 0 || cutoff >= n {
		return m.Truncate(ws, psi)
	}
	if cutoff == 0 || psi == 1 {
		return ws
	}
	return torch.Cat([]*torch.Tensor{m.Truncate(ws.Narrow(1, 0, cutoff), psi), ws.Narrow(1, cutoff, n-cutoff)}, 1)
}

// styleError says what shape an operation wanted.
func styleError(op string, got *torch.Tensor, format string, args ...any) *torch.Error {
	return &torch.Error{Op: op, Msg: "got " + got.String() + " vs " + fmt.Sprintf(format, args...)}
}
