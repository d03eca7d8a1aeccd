package models

import "github.com/tigas-train/tigas-train/cgo/torch"

// StyleNoiseMode is where the noise of the synthesis comes from.
type StyleNoiseMode uint8

const (
	NoiseConst  StyleNoiseMode = iota // the network's own buffers: equal styles give equal images
	NoiseRandom                       // new for every image, as in training
	NoiseNone                         // zeros: the smoothest images
)

// StyleNoise is the noise that every convolution of the synthesis adds, one number per pixel times the layer's learned
// strength. The zero value is constant noise.
type StyleNoise struct {
	Mode StyleNoiseMode
	// Generator of NoiseRandom, on the device of the images; nil is libtorch's default generator.
	Generator *torch.Generator
}

// RandomNoise is new noise for every image, from g.
func RandomNoise(g *torch.Generator) StyleNoise { return StyleNoise{Mode: NoiseRandom, Generator: g} }

// draw returns noise for y [N, C, R, R] that broadcasts to it, nil for none.
func (n StyleNoise) draw(y, constant *torch.Tensor) *torch.Tensor {
	switch n.Mode {
	case NoiseConst:
		return y.Scope().Use(constant)
	case NoiseRandom:
		o := torch.Options{DType: y.DType(), Device: y.Device()}
		return y.Scope().Randn(n.Generator, []int64{y.Size(0), 1, y.Size(2), y.Size(3)}, o)
	}
	return nil
}
