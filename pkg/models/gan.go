package models

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// Generator maps latents [N, L] to images [N, 3, R, R] in [-1, 1]. A generator that also has the methods of [Sized] says
// what L and R are.
type Generator interface {
	Forward(latents *torch.Tensor) *torch.Tensor
}

// Critic maps images [N, 3, R, R] to one number each, [N] or [N, 1]: a score without bounds, or a logit.
type Critic interface {
	Forward(images *torch.Tensor) *torch.Tensor
}

// Sized is implemented by the generators of this package.
type Sized interface {
	LatentDim() int64  // length of a latent vector
	Resolution() int64 // height and width of the images
}

// Config is the size of a pair. Zero values mean the defaults that are named here.
type Config struct {
	Resolution int    // 32, 64 or 128
	Latent     int    // length of the latent vector, 128
	Ngf        int    // channels of the generator's last hidden layer, 64; ResNet at 32 has 256 in all layers
	Ndf        int    // channels of the critic's first layer, 64; ResNet at 32 has 128 in all layers
	CriticNorm string // "none" (the default), "layer" or "batch"; batch is wrong with a gradient penalty
}

// Pair is a generator with its critic.
type Pair struct {
	Generator Generator
	Critic    Critic
}

// arch is a way to build a pair.
type arch struct {
	name        string
	resolutions []int
	ngf, ndf    func(resolution int) int // default widths
	build       func(b nn.Builder, c Config) Pair
}

func always(v int) func(int) int { return func(int) int { return v } }

func at32(v, other int) func(int) int {
	return func(resolution int) int {
		if resolution == 32 {
			return v
		}
		return other
	}
}

var archs = []arch{
	{"dcgan", []int{32, 64, 128}, always(64), always(64), func(b nn.Builder, c Config) Pair {
		return Pair{newDCGANGenerator(b, c), newDCGANCritic(b, c)}
	}},
	{"resnet", []int{32, 64, 128}, at32(256, 64), at32(128, 64), func(b nn.Builder, c Config) Pair {
		return Pair{newResNetGenerator(b, c), newResNetCritic(b, c)}
	}},
}

// Archs are the names that [NewGAN] takes.
var Archs = func() []string {
	var names []string
	for _, a := range archs {
		names = append(names, a.name)
	}
	return names
}()

// DefaultWidths are the widths that [Config] stands for with zeros; 0, 0 for an unknown architecture.
func DefaultWidths(name string, resolution int) (ngf, ndf int) {
	for _, a := range archs {
		if a.name == name {
			return a.ngf(resolution), a.ndf(resolution)
		}
	}
	return 0, 0
}

// CriticNorms are the normalisations that a critic can have.
var CriticNorms = []string{"none", "layer", "batch"}

// resolve fills in the defaults of an architecture. It returns an error, which lists what there is, for an unknown
// architecture or normalisation and for a resolution that the architecture cannot make.
func (c Config) resolve(name string) (Config, arch, error) {
	i := slices.IndexFunc(archs, func(a arch) bool { return a.name == name })
	if i < 0 {
		return c, arch{}, fmt.Errorf("models: got architecture %q vs one of %s", name, strings.Join(Archs, ", "))
	}
	a := archs[i]
	if !slices.Contains(a.resolutions, c.Resolution) {
		return c, a, fmt.Errorf("models: %s: got resolution %d vs one of %v", name, c.Resolution, a.resolutions)
	}
	for _, f := range []struct {
		v   *int
		def int
	}{{&c.Latent, 128}, {&c.Ngf, a.ngf(c.Resolution)}, {&c.Ndf, a.ndf(c.Resolution)}} {
		if *f.v == 0 {
			*f.v = f.def
		}
	}
	if c.Latent < 1 || c.Ngf < 1 || c.Ndf < 1 {
		return c, a, fmt.Errorf("models: %s: got latent %d, ngf %d, ndf %d vs positive numbers", name, c.Latent, c.Ngf, c.Ndf)
	}
	if c.CriticNorm == "" {
		c.CriticNorm = "none"
	}
	if !slices.Contains(CriticNorms, c.CriticNorm) {
		return c, a, fmt.Errorf("models: got critic norm %q vs one of %s", c.CriticNorm, strings.Join(CriticNorms, ", "))
	}
	return c, a, nil
}

// Validate returns an error, which lists what there is, for an unknown architecture or normalisation and for a resolution
// that the architecture cannot make; zero values are taken for its defaults.
func (c Config) Validate(name string) error {
	_, _, err := c.resolve(name)
	return err
}

// NewGAN builds a pair in b's scope, in training mode. It returns the error of [Config.Validate], and one when memory runs
// out.
func NewGAN(b nn.Builder, name string, c Config) (Pair, error) {
	c, a, err := c.resolve(name)
	if err != nil {
		return Pair{}, err
	}
	var p Pair
	if err := torch.Try(func() { p = a.build(b, c) }); err != nil {
		return Pair{}, fmt.Errorf("models: %s at %d: %w", name, c.Resolution, err)
	}
	return p, nil
}

// norm returns the critic's normalisation for c channels, nil for none. The layer norm is a group norm with one group,
// which does not fix the size of the image.
func norm(b nn.Builder, name string, c int64) nn.Layer {
	switch name {
	case "batch":
		return nn.NewBatchNorm2d(b, c)
	case "layer":
		return nn.NewGroupNorm(b, 1, c)
	}
	return nil
}
