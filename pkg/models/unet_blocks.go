package models

import (
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// unetParts makes the parts of a U-Net.
type unetParts struct {
	b        nn.Builder
	c        UNetConfig
	embedded int64 // channels of the embedded timestep
}

func (p unetParts) norm(channels int64) *nn.GroupNorm {
	l := nn.NewGroupNorm(p.b, int64(p.c.Groups), channels)
	l.Eps = p.c.NormEps
	return l
}

// unetStage is the blocks of one level, on one of the ways. Lists that do not apply are empty; parts with attention have
// it after each block, the middle has it before each block but the first.
type unetStage struct {
	Attentions   []*unetAttention
	Resnets      []*unetResnet
	Downsamplers []*unetResample // one, or none at the last level
	Upsamplers   []*unetResample
}

// add appends a residual block, and an attention that goes with it.
func (u *unetStage) add(p unetParts, in, out int64, attention bool) {
	if attention {
		u.Attentions = append(u.Attentions, p.attention(out))
	}
	u.Resnets = append(u.Resnets, p.resnet(in, out))
}

// block applies residual block i, and its attention if there is one, to xs joined by channels.
func (u *unetStage) block(i int, emb *torch.Tensor, xs ...*torch.Tensor) *torch.Tensor {
	return within(emb.Scope(), func(s *torch.Scope) *torch.Tensor {
		h := s.Use(xs[0])
		if len(xs) > 1 {
			h = s.Call("aten::cat", xs, 1)
		}
		h = u.Resnets[i].forward(h, emb)
		if len(u.Attentions) > 0 {
			h = u.Attentions[i].Forward(h)
		}
		return h
	})
}

// midBlock is block i of the middle, where attention goes before the block.
func (u *unetStage) midBlock(i int, emb, x *torch.Tensor) *torch.Tensor {
	return within(emb.Scope(), func(s *torch.Scope) *torch.Tensor {
		h := s.Use(x)
		if i > 0 && len(u.Attentions) > 0 {
			h = u.Attentions[i-1].Forward(h)
		}
		return u.Resnets[i].forward(h, emb)
	})
}

// unetResnet is norm-SiLU-conv, plus the timestep, norm-SiLU-dropout-conv, beside the identity or a convolution 1 x 1.
type unetResnet struct {
	Norm1       *nn.GroupNorm
	Conv1       *nn.Conv2d
	TimeEmbProj *nn.Linear `torch:"time_emb_proj"`
	Norm2       *nn.GroupNorm
	Dropout     *nn.Dropout
	Conv2       *nn.Conv2d
	Shortcut    *nn.Conv2d `torch:"conv_shortcut"` // nil when the block keeps the width
}

func (p unetParts) resnet(in, out int64) *unetResnet {
	same := nn.Conv2dOptions{Padding: 1}
	r := &unetResnet{
		Norm1: p.norm(in), Conv1: nn.NewConv2d(p.b, in, out, 3, same), TimeEmbProj: nn.NewLinear(p.b, p.embedded, out),
		Norm2: p.norm(out), Dropout: nn.NewDropout(p.c.Dropout), Conv2: nn.NewConv2d(p.b, out, out, 3, same),
	}
	if in != out {
		r.Shortcut = nn.NewConv2d(p.b, in, out, 1, nn.Conv2dOptions{})
	}
	return r
}

// forward maps x [N, in, H, W] and the activated embedding of the timestep, [N, embedded], to [N, out, H, W].
func (r *unetResnet) forward(x, emb *torch.Tensor) *torch.Tensor {
	h := r.Conv1.Forward(r.Norm1.Forward(x).SiLU())
	h = h.Add(r.TimeEmbProj.Forward(emb).Unsqueeze(2).Unsqueeze(3))
	h = r.Conv2.Forward(r.Dropout.Forward(r.Norm2.Forward(h).SiLU()))
	if r.Shortcut != nil {
		x = r.Shortcut.Forward(x)
	}
	return x.Add(h)
}

// unetAttention lets the positions of an image look at each other, in heads (Vaswani et al. 2017), and adds the result to
// the image.
type unetAttention struct {
	GroupNorm *nn.GroupNorm `torch:"group_norm"`
	Q         *nn.Linear    `torch:"to_q"`
	K         *nn.Linear    `torch:"to_k"`
	V         *nn.Linear    `torch:"to_v"`
	Out       []*nn.Linear  `torch:"to_out"` // one; diffusers has a dropout of 0 behind it
	heads     int64
}

func (p unetParts) attention(channels int64) *unetAttention {
	linear := func() *nn.Linear { return nn.NewLinear(p.b, channels, channels) }
	a := &unetAttention{
		GroupNorm: p.norm(channels), Q: linear(), K: linear(), V: linear(), Out: []*nn.Linear{linear()}, heads: 1,
	}
	if p.c.HeadDim > 0 {
		a.heads = channels / int64(p.c.HeadDim)
	}
	return a
}

// Forward maps x [N, C, H, W] to the same shape. The largest thing that it computes is the weights of all positions for all
// others, [N heads, HW, HW]; of that one copy is kept for the gradient and none without.
func (a *unetAttention) Forward(x *torch.Tensor) *torch.Tensor {
	c, height, width := x.Size(1), x.Size(2), x.Size(3)
	dim := c / a.heads
	tokens := a.GroupNorm.Forward(x.Flatten(2)).Transpose(1, 2)
	heads := func(t *torch.Tensor) *torch.Tensor { // [N, HW, C] to [N heads, HW, dim]
		return t.Reshape(-1, height*width, a.heads, dim).Transpose(1, 2).Reshape(-1, height*width, dim)
	}
	// The scale on the queries instead of on the scores: dim numbers for each position and not HW.
	q := heads(a.Q.Forward(tokens)).MulScalar(1 / math.Sqrt(float64(dim)))
	k, v := heads(a.K.Forward(tokens)), heads(a.V.Forward(tokens))
	scores := q.MatMul(k.Transpose(1, 2))
	weights := scores.Softmax(-1)
	scores.Free()
	y := weights.MatMul(v)
	weights.Free()
	y = y.Reshape(-1, a.heads, height*width, dim).Transpose(1, 2).Reshape(-1, height*width, c)
	return a.Out[0].Forward(y).Transpose(1, 2).Reshape(-1, c, height, width).Add(x)
}

// unetResample is a convolution 3 x 3 that halves the size, or one that comes after doubling it by copying pixels.
type unetResample struct {
	Conv *nn.Conv2d
	up   bool
	far  bool // pad right and bottom only
}

func (p unetParts) down(channels int64) *unetResample {
	o := nn.Conv2dOptions{Stride: 2, Padding: 1}
	if p.c.PadFarSides {
		o.Padding = 0
	}
	return &unetResample{Conv: nn.NewConv2d(p.b, channels, channels, 3, o), far: p.c.PadFarSides}
}

func (p unetParts) up(channels int64) *unetResample {
	return &unetResample{Conv: nn.NewConv2d(p.b, channels, channels, 3, nn.Conv2dOptions{Padding: 1}), up: true}
}

// Forward maps [N, C, H, W] to [N, C, H/2, W/2] or [N, C, 2H, 2W].
func (l *unetResample) Forward(x *torch.Tensor) *torch.Tensor {
	return within(x.Scope(), func(s *torch.Scope) *torch.Tensor {
		x := s.Use(x)
		switch {
		case l.up:
			x = nn.Upsample(x)
		case l.far:
			x = x.Pad([]int64{0, 1, 0, 1}, 0)
		}
		return l.Conv.Forward(x)
	})
}
