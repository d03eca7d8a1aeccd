package models

import (
	"fmt"
	"iter"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// StyleSynthesis makes images of styles: a learned constant 4 x 4, then per size two modulated convolutions, the first of
// which doubles the size, and a conversion to colours whose results are summed, each doubled with the filter [1 3 3 1]
// (the skip generator of section 4.1).
type StyleSynthesis struct {
	Blocks   []*styleBlock // for 4, 8, ... pixels
	styleDim int64
	filter   *resampler
}

// styleBlock is one size of the synthesis.
type styleBlock struct {
	Const *torch.Tensor `torch:"const"` // [C, 4, 4], in the first block only
	Conv0 *styleConv    // in the others, doubles the size
	Conv1 *styleConv
	ToRGB *styleRGB
}

func newStyleSynthesis(b nn.Builder, c StyleConfig) *StyleSynthesis {
	y := &StyleSynthesis{styleDim: int64(c.StyleDim), filter: newResampler(b)}
	for r := 4; r <= c.Resolution; r *= 2 {
		out, size := c.channels(r), int64(r)
		k := &styleBlock{}
		if r == 4 {
			k.Const = b.Param(out, 4, 4)
			b.Normal(k.Const, 0, 1)
		} else {
			k.Conv0 = newStyleConv(b, c, c.channels(r/2), out, size, y.filter)
		}
		k.Conv1 = newStyleConv(b, c, out, out, size, nil)
		k.ToRGB = newStyleRGB(b, c, out)
		y.Blocks = append(y.Blocks, k)
	}
	return y
}

// Children implements [nn.Parent]: b4, b8 and so on.
func (y *StyleSynthesis) Children() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for i, k := range y.Blocks {
			if !yield(fmt.Sprint("b", 4<<i), k) {
				return
			}
		}
	}
}

// NumStyles is L, the number of styles that an image is made of: 2 log2(R) - 2, 8 at 32 pixels and 18 at 1024. It is the
// number of convolutions and one more; the colours of each size but the last share the style of the next convolution.
func (y *StyleSynthesis) NumStyles() int64 { return int64(2 * len(y.Blocks)) }

// Resolution is the height and width of the images.
func (y *StyleSynthesis) Resolution() int64 { return 4 << (len(y.Blocks) - 1) }

// Broadcast repeats w [N, D] for every layer: [N, L, D], without copying.
func (y *StyleSynthesis) Broadcast(w *torch.Tensor) *torch.Tensor {
	if w.Dim() != 2 {
		panic(styleError("StyleSynthesis.Broadcast", w, "[N %d]", y.styleDim))
	}
	return w.Unsqueeze(1).Expand(-1, y.NumStyles(), -1)
}

// Forward makes images [N, 3, R, R] of ws [N, L, D]. They are not squashed: about [-1, 1], as the discriminator sees real
// images. It panics on another number or length of styles.
func (y *StyleSynthesis) Forward(ws *torch.Tensor, noise StyleNoise) *torch.Tensor {
	if ws.Dim() != 3 || ws.Size(1) != y.NumStyles() || ws.Size(2) != y.styleDim {
		panic(styleError("StyleSynthesis", ws, "[N %d %d]", y.NumStyles(), y.styleDim))
	}
	out := torch.ScopeOf("StyleSynthesis", ws)
	// Only what goes on to the next layer outlives its layer: of 64 pictures at 256 x 256 the rest is 20 GB.
	all := out.Child()
	defer all.Close()
	w := all.Use(ws).Unbind(1)
	x := all.Use(y.Blocks[0].Const).Unsqueeze(0)
	next := func(old *torch.Tensor, f func(s *torch.Scope) *torch.Tensor) *torch.Tensor {
		n := within(all, f)
		old.Free()
		return n
	}
	var image *torch.Tensor
	for i, k := range y.Blocks {
		if i > 0 {
			x = next(x, func(s *torch.Scope) *torch.Tensor { return k.Conv0.forward(s.Use(x), s.Use(w[2*i-1]), noise) })
		}
		x = next(x, func(s *torch.Scope) *torch.Tensor { return k.Conv1.forward(s.Use(x), s.Use(w[2*i]), noise) })
		rgb := func(s *torch.Scope) *torch.Tensor { return k.ToRGB.forward(s.Use(x), s.Use(w[2*i+1])) }
		if image == nil {
			image = within(all, rgb)
			continue
		}
		image = next(image, func(s *torch.Scope) (out *torch.Tensor) {
			colours := rgb(s)
			precise(image, func() { out = y.filter.double(s.Use(image)).Add(colours) })
			return out
		})
	}
	return out.Adopt(image)
}

// StyleGenerator is the generator of StyleGAN2. As a [Generator] it makes the images to look at; a trainer calls its two
// parts, with styles mixed in between and random noise.
type StyleGenerator struct {
	Mapping   *StyleMapping
	Synthesis *StyleSynthesis
}

// Forward maps latents [N, Latent] to images [N, 3, R, R] without truncation and with constant noise, so that equal
// latents give equal images. It panics on another length of the latents.
func (g *StyleGenerator) Forward(z *torch.Tensor) *torch.Tensor {
	return g.Sample(z, 1, -1, StyleNoise{})
}

// Sample is Forward with truncation of the first cutoff layers ([StyleMapping.TruncateLayers]) and with noise of choice.
func (g *StyleGenerator) Sample(z *torch.Tensor, psi float64, cutoff int64, noise StyleNoise) *torch.Tensor {
	ws := g.Synthesis.Broadcast(g.Mapping.Forward(z))
	return g.Synthesis.Forward(g.Mapping.TruncateLayers(ws, psi, cutoff), noise)
}

// FixedTensors implements [FixedTensors].
func (g *StyleGenerator) FixedTensors() map[string]*torch.Tensor { return g.Synthesis.filter.fixed() }

// LatentDim implements [Sized].
func (g *StyleGenerator) LatentDim() int64 { return g.Mapping.latent }

// Resolution implements [Sized].
func (g *StyleGenerator) Resolution() int64 { return g.Synthesis.Resolution() }

var (
	_ Generator = (*StyleGenerator)(nil)
	_ Sized     = (*StyleGenerator)(nil)
)
