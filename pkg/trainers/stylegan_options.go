package trainers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// StyleGANOptions are the settings of [NewStyleGAN].
type StyleGANOptions struct {
	Net models.StyleConfig `json:"net"`

	Gamma    float64 `json:"gamma"`     // weight of R1; 0: none
	R1Every  int     `json:"r1_every"`  // steps between two updates for R1
	PLWeight float64 `json:"pl_weight"` // weight of the path-length penalty; 0: none
	PLEvery  int     `json:"pl_every"`  // steps between two updates for path length
	PLShrink int     `json:"pl_shrink"` // share of the batch that path length is taken of: 1 / PLShrink
	Mixing   float64 `json:"mixing"`    // probability that the layers' styles come of two latents
	Augment  string  `json:"aug"`       // DiffAugment: "none", or color, translation, cutout with commas between them

	GenLR    float64 `json:"g_lr"`
	CriticLR float64 `json:"d_lr"`
	Beta1    float64 `json:"beta1"` // of Adam
	Beta2    float64 `json:"beta2"`
	EMAKimg  float64 `json:"ema_kimg"` // half-life of the averaged generator in thousands of images; 0: no average
	EMARamp  float64 `json:"ema_ramp"` // the half-life is at most this share of the images seen; 0: no limit
	Batch    int     `json:"batch"`

	// ChannelsLast keeps images in memory pixel by pixel, as the matrix units of GPUs want them, and not channel by channel.
	ChannelsLast bool `json:"channels_last"`

	Term tigas.Term `json:"-"` // the TIGAS term; its zero value is absent
}

// stylePreset is a row of StyleGAN2-ADA's table of configurations.
type stylePreset struct {
	name                    string
	batch, group, layers    int
	base                    int // channel base; 0: by resolution
	lr, gamma, kimg, ramp   float64
	pathLength, styleMixing float64
}

var stylePresets = []stylePreset{
	{name: "stylegan2", batch: 32, group: 4, layers: 8, base: 32768, lr: 0.002, gamma: 10, kimg: 10, pathLength: 2, styleMixing: 0.9},
	{name: "paper256", batch: 64, group: 8, layers: 8, base: 16384, lr: 0.0025, gamma: 1, kimg: 20, pathLength: 2, styleMixing: 0.9},
	{name: "paper512", batch: 64, group: 8, layers: 8, base: 32768, lr: 0.0025, gamma: 0.5, kimg: 20, pathLength: 2, styleMixing: 0.9},
	{name: "paper1024", batch: 32, group: 4, layers: 8, base: 32768, lr: 0.002, gamma: 2, kimg: 10, pathLength: 2, styleMixing: 0.9},
	{name: "cifar", batch: 64, group: 32, layers: 2, base: 32768, lr: 0.0025, gamma: 0.01, kimg: 500, ramp: 0.05},
}

// StylePresets are the names that [StylePreset] takes.
var StylePresets = func() []string {
	names := []string{"auto"}
	for _, p := range stylePresets {
		names = append(names, p.name)
	}
	return names
}()

// StylePreset returns the settings of StyleGAN2-ADA (Karras et al. 2020, arXiv 2006.06676) with a name: "auto", which
// follows the resolution, or one of the paper's configurations. batch 0 means the preset's. cifar has the settings of the
// configuration, with the residual discriminator. Groups of the minibatch standard deviation are as large as the batch allows.
// It returns an error that lists the names for another one.
func StylePreset(name string, resolution, batch int) (StyleGANOptions, error) {
	p := stylePreset{name: "auto", batch: max(1, min(4096/max(resolution, 1), 32)), layers: 2, lr: 0.0025, ramp: 0.05,
		pathLength: 2, styleMixing: 0.9}
	if name == "auto" {
		if batch > 0 {
			p.batch = batch
		}
		if resolution >= 1024 {
			p.lr = 0.002
		}
		p.group, p.gamma, p.kimg = 4, R1Gamma(resolution, p.batch), float64(p.batch)*10/32
	} else {
		i := slices.IndexFunc(stylePresets, func(p stylePreset) bool { return p.name == name })
		if i < 0 {
			return StyleGANOptions{}, fmt.Errorf("trainers: --cfg: got %q vs one of %s", name, strings.Join(StylePresets, ", "))
		}
		p = stylePresets[i]
		if batch > 0 {
			p.batch = batch
		}
	}
	for p.group = min(p.group, p.batch); p.batch%p.group != 0; p.group-- {
	}
	return StyleGANOptions{
		Net:   models.StyleConfig{Resolution: resolution, MappingLayers: p.layers, ChannelBase: p.base, MbstdGroup: p.group}.Resolve(),
		Gamma: p.gamma, R1Every: 16, PLWeight: p.pathLength, PLEvery: 4, PLShrink: 2, Mixing: p.styleMixing, Augment: "none",
		GenLR: p.lr, CriticLR: p.lr, Beta1: 0, Beta2: 0.99, EMAKimg: p.kimg, EMARamp: p.ramp, Batch: p.batch,
	}, nil
}

// augment is nil for none.
func (o StyleGANOptions) augment() (DiffAugmentPolicy, error) {
	if o.Augment == "none" {
		return nil, nil
	}
	p, err := ParseDiffAugment(o.Augment)
	if err != nil {
		return nil, fmt.Errorf("trainers: --aug: got %q vs none, or color, translation, cutout with commas between them", o.Augment)
	}
	return p, nil
}

// Validate returns an error that names the first field that cannot be used, by the name of its flag.
func (o StyleGANOptions) Validate() error {
	n := o.Net
	if n.Resolution < 8 || n.Resolution > 1024 {
		return fmt.Errorf("trainers: --resolution: got %d vs a power of two from 8 to 1024", n.Resolution)
	}
	if _, err := o.augment(); err != nil {
		return err
	}
	err := inRange(
		limits{"batch", float64(o.Batch), 1, 1 << 20},
		limits{"latent", float64(n.Latent), 1, 1 << 16},
		limits{"style-dim", float64(n.StyleDim), 1, 1 << 16},
		limits{"map-depth", float64(n.MappingLayers), 1, 64},
		limits{"channel-base", float64(n.ChannelBase), float64(n.Resolution), 1 << 24},
		limits{"channel-max", float64(n.ChannelMax), 1, 1 << 14},
		limits{"mbstd-group", float64(n.MbstdGroup), 1, float64(o.Batch)},
		limits{"gamma", o.Gamma, 0, 1e6},
		limits{"r1-every", float64(o.R1Every), 1, 1e6},
		limits{"pl-weight", o.PLWeight, 0, 1e6},
		limits{"pl-every", float64(o.PLEvery), 1, 1e6},
		limits{"pl-shrink", float64(o.PLShrink), 1, 1e6},
		limits{"mixing", o.Mixing, 0, 1},
		limits{"g-lr", o.GenLR, 1e-12, 10},
		limits{"d-lr", o.CriticLR, 1e-12, 10},
		limits{"beta1", o.Beta1, 0, 0.9999999},
		limits{"beta2", o.Beta2, 0, 0.9999999},
		limits{"ema-kimg", o.EMAKimg, 0, 1e9},
		limits{"ema-ramp", o.EMARamp, 0, 1e9},
	)
	if err != nil {
		return err
	}
	if o.Batch%n.MbstdGroup != 0 {
		return fmt.Errorf("trainers: --mbstd-group: got %d vs a number that divides --batch %d", n.MbstdGroup, o.Batch)
	}
	if err = n.Validate(); err != nil {
		return fmt.Errorf("trainers: --resolution: %w", err)
	}
	return o.Term.Options.Validate(o.Term.Detector)
}
