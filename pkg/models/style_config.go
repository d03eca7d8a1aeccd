package models

import (
	"fmt"
	"math/bits"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// StyleConfig is the size of a StyleGAN2 pair. Zero values mean the defaults that are named here, those of the paper.
type StyleConfig struct {
	Resolution    int `json:"resolution"`   // height and width of the images: a power of two from 8 to 1024; no default
	Latent        int `json:"latent"`       // length of a latent vector z, 512
	StyleDim      int `json:"style_dim"`    // length of a style vector w, 512
	MappingLayers int `json:"map_depth"`    // layers from z to w, 8; StyleGAN2-ADA has 2 for small images
	ChannelBase   int `json:"channel_base"` // feature maps at r x r: min(ChannelBase / r, ChannelMax); 32768, below 512 pixels 16384
	ChannelMax    int `json:"channel_max"`  // 512
	MbstdGroup    int `json:"mbstd_group"`  // images that share a minibatch standard deviation, 4
}

// DemoStyleConfig is a pair that trains on two cores: 16 channels at the full size and twice as many at each half of it,
// up to 64, latents and styles of 64 and two mapping layers. At 32 pixels a step with a batch of 16 takes a fifth of a
// second.
func DemoStyleConfig(resolution int) StyleConfig {
	return StyleConfig{
		Resolution: resolution, Latent: 64, StyleDim: 64, MappingLayers: 2, ChannelBase: 16 * resolution, ChannelMax: 64,
	}
}

// Resolve replaces zeros by the defaults.
func (c StyleConfig) Resolve() StyleConfig {
	base := 16384
	if c.Resolution >= 512 {
		base = 32768
	}
	for _, f := range []struct {
		v   *int
		def int
	}{
		{&c.Latent, 512}, {&c.StyleDim, 512}, {&c.MappingLayers, 8}, {&c.ChannelBase, base}, {&c.ChannelMax, 512},
		{&c.MbstdGroup, 4},
	} {
		if *f.v == 0 {
			*f.v = f.def
		}
	}
	return c
}

// Validate returns an error for a resolved config that no network has.
func (c StyleConfig) Validate() error {
	r := c.Resolution
	if r < 8 || r > 1024 || bits.OnesCount(uint(r)) != 1 {
		return fmt.Errorf("models: stylegan2: got resolution %d vs a power of two from 8 to 1024", r)
	}
	for _, f := range []struct {
		name string
		v    int
	}{
		{"latent", c.Latent}, {"style dim", c.StyleDim}, {"mapping layers", c.MappingLayers}, {"channel max", c.ChannelMax},
		{"minibatch group", c.MbstdGroup},
	} {
		if f.v < 1 {
			return fmt.Errorf("models: stylegan2: got %s %d vs a positive number", f.name, f.v)
		}
	}
	if c.ChannelBase < r {
		return fmt.Errorf("models: stylegan2: got channel base %d vs at least the resolution %d", c.ChannelBase, r)
	}
	return nil
}

// channels is the number of feature maps at r x r.
func (c StyleConfig) channels(r int) int64 { return int64(min(c.ChannelBase/r, c.ChannelMax)) }

// NewStyleGAN2 builds the networks of StyleGAN2 (Karras et al. 2019, arXiv 1912.04958) in b's scope, with the initial
// values of the paper. It returns an error, which says what would be right, for a config that no network has; and one
// when memory runs out.
//
// Tensors have the names of the published checkpoints, which load with their resample_filter tensors left out
// ([nn.LoadOptions], AllowUnexpected): the filter is always [1 3 3 1].
func NewStyleGAN2(b nn.Builder, c StyleConfig) (*StyleGenerator, *StyleDiscriminator, error) {
	var d *StyleDiscriminator
	g, err := NewStyleGenerator(b, c)
	if err != nil {
		return nil, nil, err
	}
	if err = torch.Try(func() { d = newStyleDiscriminator(b, c.Resolve()) }); err != nil {
		return nil, nil, fmt.Errorf("models: stylegan2: discriminator at %d: %w", c.Resolution, err)
	}
	return g, d, nil
}

// NewStyleGenerator builds the generator alone: for a moving average, or to sample. Errors are those of [NewStyleGAN2].
func NewStyleGenerator(b nn.Builder, c StyleConfig) (*StyleGenerator, error) {
	c = c.Resolve()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	var g *StyleGenerator
	err := torch.Try(func() {
		g = &StyleGenerator{Mapping: newStyleMapping(b, c), Synthesis: newStyleSynthesis(b, c)}
	})
	if err != nil {
		return nil, fmt.Errorf("models: stylegan2: generator at %d: %w", c.Resolution, err)
	}
	return g, nil
}
