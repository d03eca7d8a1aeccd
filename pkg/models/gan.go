package models

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// Generator maps latents [N, L] to images [N, 3, R, R] in [-1, 1].
type Generator interface {
	Forward(latents *torch.Tensor) *torch.Tensor
}

// Critic maps images to one number each, [N]: a score without bounds, or a logit.
type Critic interface {
	Forward(images *torch.Tensor) *torch.Tensor
}

// Config is the size of a pair.
type Config struct {
	Resolution int    // 32, 64 or 128
	Latent     int    // length of the latent vector
	Ngf, Ndf   int    // widths of generator and critic
	CriticNorm string // "none", "batch" (not with a gradient penalty) or "layer"
}

// Pair is a generator with its critic.
type Pair struct {
	Generator Generator
	Critic    Critic
}

// Archs are the names that [NewGAN] takes.
var Archs = []string{"dcgan", "resnet"}

// NewGAN builds a pair. It returns an error for an unknown architecture, and for a resolution that it cannot make.
func NewGAN(b nn.Builder, arch string, c Config) (Pair, error) {
	if c.Resolution != 32 && c.Resolution != 64 && c.Resolution != 128 {
		return Pair{}, fmt.Errorf("models: %s: got resolution %d vs 32, 64 or 128", arch, c.Resolution)
	}
	if c.Latent < 1 || c.Ngf < 1 || c.Ndf < 1 {
		return Pair{}, fmt.Errorf("models: %s: got latent %d, ngf %d, ndf %d vs positive numbers", arch, c.Latent, c.Ngf, c.Ndf)
	}
	switch c.CriticNorm {
	case "none", "batch", "layer":
	default:
		return Pair{}, fmt.Errorf("models: got critic norm %q vs none, batch or layer", c.CriticNorm)
	}
	switch arch {
	case "dcgan":
		return Pair{newDCGANGenerator(b, c), newDCGANCritic(b, c)}, nil
	case "resnet":
		return Pair{newResNetGenerator(b, c), newResNetCritic(b, c)}, nil
	}
	return Pair{}, fmt.Errorf("models: got architecture %q vs one of %v", arch, Archs)
}

// norm returns the critic's normalisation for c channels, nil for none.
func norm(b nn.Builder, name string, c int64) nn.Layer {
	switch name {
	case "batch":
		return nn.NewBatchNorm2d(b, c)
	case "layer":
		return nn.NewGroupNorm(b, 1, c)
	}
	return nil
}
