package models

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// UNet is the denoising network of diffusion models (Ho et al. 2020, arXiv 2006.11239, after Ronneberger et al. 2015): a
// way down in residual blocks that halves the size, two blocks at the bottom, and a way up that sees at each level what
// the way down had there. Every block is told the timestep. It is the network of Hugging Face diffusers' UNet2DModel
// (Apache-2.0), by architecture, names of tensors, and initial values.
//
// Norms are over groups of channels of one image, so that images of a batch do not see each other. Only dropout tells
// training from evaluation mode.
type UNet struct {
	ConvIn  *nn.Conv2d    `torch:"conv_in"`
	Time    *unetTime     `torch:"time_embedding"`
	Down    []*unetStage  `torch:"down_blocks"`
	Up      []*unetStage  `torch:"up_blocks"`
	Mid     *unetStage    `torch:"mid_block"`
	NormOut *nn.GroupNorm `torch:"conv_norm_out"`
	ConvOut *nn.Conv2d    `torch:"conv_out"`
	config  UNetConfig
}

// NewUNet builds the network in b's scope, in training mode, with PyTorch's initial values. It returns an error that says
// what does not fit in c, and one when memory runs out.
func NewUNet(b nn.Builder, c UNetConfig) (*UNet, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.Resolve().clone()
	var u *UNet
	if err := torch.Try(func() { u = buildUNet(b, c) }); err != nil {
		return nil, fmt.Errorf("models: unet at %d: %w", c.Resolution, err)
	}
	return u, nil
}

func buildUNet(b nn.Builder, c UNetConfig) *UNet {
	parts := unetParts{b, c, 4 * int64(c.Channels[0])}
	first := int64(c.Channels[0])
	u := &UNet{
		config: c, Time: newUNetTime(b, c),
		ConvIn: nn.NewConv2d(b, 3, first, 3, nn.Conv2dOptions{Padding: 1}),
	}
	// What the way down leaves for the way up, by the number of channels.
	skips := []int64{first}
	width := first
	for i, n := range c.Channels {
		stage := &unetStage{}
		for range c.Blocks {
			stage.add(parts, width, int64(n), c.Attention[i])
			width = int64(n)
			skips = append(skips, width)
		}
		if i < len(c.Channels)-1 {
			stage.Downsamplers = []*unetResample{parts.down(width)}
			skips = append(skips, width)
		}
		u.Down = append(u.Down, stage)
	}
	u.Mid = &unetStage{Resnets: []*unetResnet{parts.resnet(width, width)}}
	u.Mid.add(parts, width, width, c.MidAttention)
	for i, n := range slices.Backward(c.Channels) {
		stage := &unetStage{}
		for range c.Blocks + 1 {
			skip := skips[len(skips)-1]
			skips = skips[:len(skips)-1]
			stage.add(parts, width+skip, int64(n), c.Attention[i])
			width = int64(n)
		}
		if i > 0 {
			stage.Upsamplers = []*unetResample{parts.up(width)}
		}
		u.Up = append(u.Up, stage)
	}
	u.NormOut = parts.norm(first)
	u.ConvOut = nn.NewConv2d(b, first, 3, 3, nn.Conv2dOptions{Padding: 1})
	return u
}

// Config is what the network was built from, with the defaults filled in.
func (u *UNet) Config() UNetConfig { return u.config.clone() }

// Resolution is the height and width of the images.
func (u *UNet) Resolution() int64 { return int64(u.config.Resolution) }

// Forward maps noisy images x [N, 3, R, R] and their timesteps [N], integers or not, to predictions [N, 3, R, R], whose
// meaning depends on what the network was trained for. It panics on any other shape. Intermediate results are freed as
// soon as neither the network nor a gradient needs them.
func (u *UNet) Forward(x, timesteps *torch.Tensor) *torch.Tensor {
	r := int64(u.config.Resolution)
	if shape := x.Shape(); len(shape) != 4 || !slices.Equal(shape[1:], []int64{3, r, r}) {
		panic(&torch.Error{Op: "UNet", Msg: fmt.Sprintf("got images %v vs [N 3 %d %d]", shape, r, r)})
	}
	if shape := timesteps.Shape(); !slices.Equal(shape, []int64{x.Size(0)}) {
		panic(&torch.Error{Op: "UNet", Msg: fmt.Sprintf("got timesteps %v vs [%d], one for each image", shape, x.Size(0))})
	}
	return within(torch.ScopeOf("UNet", x, timesteps), func(s *torch.Scope) *torch.Tensor {
		return u.forward(s.Use(x), s.Use(timesteps))
	})
}

func (u *UNet) forward(x, timesteps *torch.Tensor) *torch.Tensor {
	emb := u.Time.forward(timesteps, x.DType()).SiLU() // each block begins with it
	h := u.ConvIn.Forward(x)
	skips := []*torch.Tensor{h}
	for _, stage := range u.Down {
		for i := range stage.Resnets {
			h = stage.block(i, emb, h)
			skips = append(skips, h)
		}
		for _, l := range stage.Downsamplers {
			h = l.Forward(h)
			skips = append(skips, h)
		}
	}
	for i := range u.Mid.Resnets {
		h = u.Mid.midBlock(i, emb, h)
	}
	for _, stage := range u.Up {
		for i := range stage.Resnets {
			skip := skips[len(skips)-1]
			skips = skips[:len(skips)-1]
			y := stage.block(i, emb, h, skip)
			h.Free()
			skip.Free()
			h = y
		}
		for _, l := range stage.Upsamplers {
			y := l.Forward(h)
			h.Free()
			h = y
		}
	}
	return u.ConvOut.Forward(u.NormOut.Forward(h).SiLU())
}

// within runs f in a child of s, and frees what it computed but the result, which s gets.
func within(s *torch.Scope, f func(s *torch.Scope) *torch.Tensor) *torch.Tensor {
	child := s.Child()
	defer child.Close()
	return s.Adopt(f(child))
}

// oldUNetNames are those that diffusers gave the parts of attention up to version 0.17; published weights still have them.
var oldUNetNames = strings.NewReplacer(
	".query.", ".to_q.", ".key.", ".to_k.", ".value.", ".to_v.", ".proj_attn.", ".to_out.0.")

// UNetStateDict returns the tensors of a diffusers checkpoint with the names of a [UNet]: files from before diffusers 0.18,
// google/ddpm-cifar10-32 among them, name the parts of attention query, key, value and proj_attn. Other names stay.
func UNetStateDict(dict map[string]*torch.Tensor) map[string]*torch.Tensor {
	out := make(map[string]*torch.Tensor, len(dict))
	for name, t := range dict {
		out[oldUNetNames.Replace(name)] = t
	}
	return out
}
