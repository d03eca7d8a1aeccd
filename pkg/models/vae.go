package models

import (
	"fmt"
	"math/bits"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// VAEConfig is the size of a [VAE]. Zero values mean the defaults that are named here.
type VAEConfig struct {
	Resolution int // a power of two from 8 to 1024
	Latent     int // length of the latent vector, 128
	Width      int // channels of the first level, 32; they double with each level, up to 16 times as many
}

// VAE is the convolutional autoencoder of PyTorch-VAE's VanillaVAE (Subramanian 2020), with its names of tensors: levels
// that halve the size to 2 x 2 by convolutions of stride 2 with batch norm and leaky ReLU, and their mirror. At 64 pixels
// it is that network; at other sizes it has more or fewer levels.
//
// The decoder's last activation is left to the loss: [VAE.Decode] returns values without bounds.
type VAE struct {
	Encoder      []nn.Sequential `torch:"encoder"`
	Mu           *nn.Linear      `torch:"fc_mu"`
	LogVar       *nn.Linear      `torch:"fc_var"`
	DecoderInput *nn.Linear      `torch:"decoder_input"`
	Decoder      []nn.Sequential `torch:"decoder"`
	Final        nn.Sequential   `torch:"final_layer"`
	config       VAEConfig
	deepest      int64 // channels at 2 x 2
}

// vaeSlope is the slope of PyTorch's leaky ReLU where none is given.
const vaeSlope = 0.01

// Resolve fills in the defaults.
func (c VAEConfig) Resolve() VAEConfig {
	if c.Latent == 0 {
		c.Latent = 128
	}
	if c.Width == 0 {
		c.Width = 32
	}
	return c
}

// Validate returns an error for sizes that cannot be made; zero values are taken for the defaults.
func (c VAEConfig) Validate() error {
	c = c.Resolve()
	if r := uint(c.Resolution); c.Resolution < 8 || c.Resolution > 1024 || bits.OnesCount(r) != 1 {
		return fmt.Errorf("models: vae: got resolution %d vs a power of two from 8 to 1024", c.Resolution)
	}
	if c.Latent < 1 || c.Width < 1 {
		return fmt.Errorf("models: vae: got latent %d, width %d vs positive numbers", c.Latent, c.Width)
	}
	return nil
}

// NewVAE builds the network in b's scope, in training mode, with PyTorch's initial values. It returns the error of
// [VAEConfig.Validate], and one when memory runs out.
func NewVAE(b nn.Builder, c VAEConfig) (v *VAE, err error) {
	c = c.Resolve()
	if err = c.Validate(); err != nil {
		return nil, err
	}
	if err = torch.Try(func() { v = newVAE(b, c) }); err != nil {
		return nil, fmt.Errorf("models: vae at %d: %w", c.Resolution, err)
	}
	return v, nil
}

func newVAE(b nn.Builder, c VAEConfig) *VAE {
	v := &VAE{config: c}
	var widths []int64
	for i := range bits.Len(uint(c.Resolution)) - 2 { // levels from the image to 2 x 2
		widths = append(widths, int64(c.Width)<<min(i, 4))
	}
	in := int64(3)
	for _, w := range widths {
		conv := nn.NewConv2d(b, in, w, 3, nn.Conv2dOptions{Stride: 2, Padding: 1})
		v.Encoder = append(v.Encoder, nn.Sequential{conv, nn.NewBatchNorm2d(b, w), nn.LeakyReLU(vaeSlope)})
		in = w
	}
	v.deepest = in
	v.Mu, v.LogVar = nn.NewLinear(b, in*4, int64(c.Latent)), nn.NewLinear(b, in*4, int64(c.Latent))
	v.DecoderInput = nn.NewLinear(b, int64(c.Latent), in*4)
	up := nn.Conv2dOptions{Stride: 2, Padding: 1, OutputPadding: 1}
	for i := len(widths) - 1; i > 0; i-- {
		w := widths[i-1]
		v.Decoder = append(v.Decoder, nn.Sequential{
			nn.NewConvTranspose2d(b, widths[i], w, 3, up), nn.NewBatchNorm2d(b, w), nn.LeakyReLU(vaeSlope)})
	}
	w := widths[0]
	v.Final = nn.Sequential{nn.NewConvTranspose2d(b, w, w, 3, up), nn.NewBatchNorm2d(b, w), nn.LeakyReLU(vaeSlope),
		nn.NewConv2d(b, w, 3, 3, nn.Conv2dOptions{Padding: 1})}
	return v
}

// Encode maps images [N, 3, R, R] in [-1, 1] to the means and the logarithms of the variances of their latents, both
// [N, L]. It panics on another size.
func (v *VAE) Encode(x *torch.Tensor) (mu, logvar *torch.Tensor) {
	for _, l := range v.Encoder {
		x = l.Forward(x)
	}
	x = x.Flatten(1)
	return exact(x, v.Mu.Forward), exact(x, v.LogVar.Forward)
}

// Decode maps latents [N, L] to values [N, 3, R, R] without bounds. It panics on another length of the latents.
func (v *VAE) Decode(z *torch.Tensor) *torch.Tensor {
	x := v.DecoderInput.Forward(z).Reshape(-1, v.deepest, 2, 2)
	for _, l := range v.Decoder {
		x = l.Forward(x)
	}
	return v.Final.Forward(x)
}

// LatentDim implements [Sized].
func (v *VAE) LatentDim() int64 { return int64(v.config.Latent) }

// Resolution implements [Sized].
func (v *VAE) Resolution() int64 { return int64(v.config.Resolution) }
