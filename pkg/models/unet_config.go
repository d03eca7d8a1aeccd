package models

import (
	"fmt"
	"slices"
	"strings"
)

// UNetConfig is the size of a [UNet]. Zero values mean the defaults that are named here; the comments name diffusers'
// setting where it has another name.
type UNetConfig struct {
	Resolution   int     `json:"sample_size"`        // sample_size: height and width of the images; 2^(levels-1) divides it
	Channels     []int   `json:"block_out_channels"` // widths of the levels, the first one at full resolution, each next one at half
	Blocks       int     `json:"layers_per_block"`   // layers_per_block: residual blocks of a level on the way down, and one more on the way up; 2
	Attention    []bool  `json:"attention"`          // which levels have self-attention after each block (AttnDownBlock2D, AttnUpBlock2D); nil: none
	HeadDim      int     `json:"attention_head_dim"` // channels of an attention head; 0: one head with all channels (None)
	MidAttention bool    `json:"add_attention"`      // add_attention: self-attention between the two blocks at the bottom
	Dropout      float64 `json:"dropout"`            // probability in the residual blocks, 0 to below 1
	Groups       int     `json:"norm_num_groups"`    // norm_num_groups: groups of all norms; they divide each of the channels; 32
	NormEps      float64 `json:"norm_eps"`           // norm_eps: what norms add to the variance; 1e-5
	FlipSinToCos bool    `json:"flip_sin_to_cos"`    // flip_sin_to_cos: cosines before sines in the embedding of the timestep
	FreqShift    float64 `json:"freq_shift"`         // freq_shift: 1 spreads its frequencies over both ends of the range, 0 leaves the lower one out
	PadFarSides  bool    `json:"pad_far_sides"`      // downsample_padding 0: halving pads right and bottom only, as TensorFlow does, not all around
}

// unetPreset is a size with a name.
type unetPreset struct {
	name string
	make func(resolution int) UNetConfig
}

var unetPresets = []unetPreset{
	{"demo", func(int) UNetConfig {
		return UNetConfig{
			Channels: []int{8, 16, 32, 64}, Blocks: 1, Attention: []bool{false, false, true, false}, HeadDim: 32,
			MidAttention: true, Groups: 4, FlipSinToCos: true,
		}
	}},
	{"small", func(resolution int) UNetConfig {
		c := UNetConfig{
			Channels: []int{64, 128, 128, 256}, Blocks: 2, Attention: make([]bool, 4), HeadDim: 64,
			MidAttention: true, Groups: 32, FlipSinToCos: true,
		}
		level := 0
		for size := resolution; size > 16 && level < len(c.Channels)-1; size /= 2 {
			level++
		}
		c.Attention[level] = true
		return c
	}},
	{"ddpm-cifar10", func(int) UNetConfig {
		return UNetConfig{
			Channels: []int{128, 256, 256, 256}, Blocks: 2, Attention: []bool{false, true, false, false},
			MidAttention: true, Dropout: 0.1, Groups: 32, NormEps: 1e-6, FreqShift: 1, PadFarSides: true,
		}
	}},
	{"ddpm-hf", func(int) UNetConfig {
		return UNetConfig{
			Channels: []int{128, 128, 256, 256, 512, 512}, Blocks: 2,
			Attention: []bool{false, false, false, false, true, false}, HeadDim: 8,
			MidAttention: true, Groups: 32, FlipSinToCos: true,
		}
	}},
}

// UNetPresets are the names that [UNetPreset] takes:
//
//   - "demo", 0.6M parameters: something to look at within minutes on two cores. Its cost is at full resolution, which
//     therefore has few channels, and its parameters are at the bottom, where they cost little.
//   - "small", 17.2M: for up to 64 pixels on modest hardware. Narrow at full resolution, which is where a U-Net's time
//     goes, and as wide as the published ones at the bottom; attention at 16 pixels, as in the paper.
//   - "ddpm-cifar10", 35.7M: Ho et al. 2020 (arXiv 2006.11239) at 32 pixels, with the weights' names and the settings of
//     google/ddpm-cifar10-32.
//   - "ddpm-hf", 113.7M: that of diffusers' unconditional training script, for 64 pixels and more.
var UNetPresets = func() []string {
	var names []string
	for _, p := range unetPresets {
		names = append(names, p.name)
	}
	return names
}()

// UNetPreset returns the size with a name for a resolution. It returns an error, which lists what there is, for an unknown
// name, and for a resolution that the levels cannot halve.
func UNetPreset(name string, resolution int) (UNetConfig, error) {
	for _, p := range unetPresets {
		if p.name == name {
			c := p.make(resolution)
			c.Resolution = resolution
			if err := c.Validate(); err != nil {
				return UNetConfig{}, fmt.Errorf("%w, for the preset %s", err, name)
			}
			return c, nil
		}
	}
	return UNetConfig{}, fmt.Errorf("models: unet: got preset %q vs one of %s", name, strings.Join(UNetPresets, ", "))
}

// Resolve fills in the defaults.
func (c UNetConfig) Resolve() UNetConfig {
	if c.Blocks == 0 {
		c.Blocks = 2
	}
	if c.Groups == 0 {
		c.Groups = 32
	}
	if c.NormEps == 0 {
		c.NormEps = 1e-5
	}
	if c.Attention == nil {
		c.Attention = make([]bool, len(c.Channels))
	}
	return c
}

// Validate returns an error that names the first setting that does not fit; zero values are taken for the defaults.
func (c UNetConfig) Validate() error {
	c = c.Resolve()
	bad := func(format string, args ...any) error { return fmt.Errorf("models: unet: "+format, args...) }
	levels := len(c.Channels)
	if levels == 0 || levels > 16 {
		return bad("got %d levels of channels vs 1 to 16", levels)
	}
	if least := 1 << (levels - 1); c.Resolution < least || c.Resolution%least != 0 {
		return bad("got resolution %d vs a multiple of %d, which %d levels can halve", c.Resolution, least, levels)
	}
	if c.Blocks < 1 || c.Groups < 1 {
		return bad("got %d blocks, %d groups vs positive numbers", c.Blocks, c.Groups)
	}
	for _, n := range c.Channels {
		if n < 1 || n%c.Groups != 0 {
			return bad("got %d of channels %v vs multiples of the %d groups", n, c.Channels, c.Groups)
		}
	}
	if half := c.Channels[0] / 2; c.Channels[0]%2 != 0 || c.FreqShift < 0 || c.FreqShift >= float64(half) {
		return bad("got %d channels at first, frequency shift %g vs an even number and a shift from 0 to below half of it",
			c.Channels[0], c.FreqShift)
	}
	if len(c.Attention) != levels {
		return bad("got attention for %d levels vs %d levels of channels", len(c.Attention), levels)
	}
	if c.HeadDim < 0 {
		return bad("got head dimension %d vs 0 or more", c.HeadDim)
	}
	for i, n := range c.Channels {
		if (c.Attention[i] || c.MidAttention && i == levels-1) && c.HeadDim > 0 && n%c.HeadDim != 0 {
			return bad("got head dimension %d vs a divisor of the %d channels of level %d", c.HeadDim, n, i)
		}
	}
	if !(c.Dropout >= 0 && c.Dropout < 1) {
		return bad("got dropout %g vs 0 to below 1", c.Dropout)
	}
	if !(c.NormEps > 0) {
		return bad("got norm epsilon %g vs a positive number", c.NormEps)
	}
	return nil
}

// clone makes c independent of the caller's slices.
func (c UNetConfig) clone() UNetConfig {
	c.Channels, c.Attention = slices.Clone(c.Channels), slices.Clone(c.Attention)
	return c
}
