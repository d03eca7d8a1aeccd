package trainers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// GANOptions are the settings of [NewGAN]. Zero values of the fields marked auto are filled by [GANOptions.Resolve].
type GANOptions struct {
	Arch        string `json:"arch"`       // "dcgan" or "resnet"
	Resolution  int    `json:"resolution"` // height and width: 32, 64 or 128
	Latent      int    `json:"latent"`     // length of the latent vector
	GenWidth    int    `json:"ngf"`        // channels of the generator's last hidden layer; auto: by architecture, 64 or (ResNet at 32) 256
	CriticWidth int    `json:"ndf"`        // of the critic's first layer; auto: 64 or (ResNet at 32) 128

	// Networks of one's own in place of those of Arch, made in the builder's scope; nil: Arch's. A generator of one's own makes
	// images of Resolution from latents of length Latent, and is made a second time for the average. A critic of one's own sees
	// real and generated images apart.
	Generator func(nn.Builder) (models.Generator, error) `json:"-"`
	Critic    func(nn.Builder) (models.Critic, error)    `json:"-"`

	Loss        GANLoss `json:"loss"`
	CriticSteps int     `json:"critic_steps"` // critic updates before each generator update; auto: 5 for Wasserstein losses, 1 else
	GPLambda    float64 `json:"gp_lambda"`    // weight of the gradient penalty of wgan-gp
	Clip        float64 `json:"clip"`         // limit on the critic's weights of wgan-clip
	GenLR       float64 `json:"g_lr"`         // auto: by loss
	CriticLR    float64 `json:"d_lr"`         // auto: by loss
	Beta1       float64 `json:"beta1"`        // of Adam; auto (negative): 0 for Wasserstein losses, 0.5 else
	Beta2       float64 `json:"beta2"`        // of Adam; auto: 0.9 for Wasserstein losses, 0.999 else
	ClipGrad    float64 `json:"clip_grad"`    // largest norm of the generator's gradient; 0: no limit
	EMAKimg     float64 `json:"ema_kimg"`     // half-life of the averaged generator in thousands of images; 0: no average
	Batch       int     `json:"batch"`

	// ChannelsLast keeps images in memory pixel by pixel, as the matrix units of GPUs want them, and not channel by channel.
	ChannelsLast bool `json:"channels_last"`

	Term tigas.Term `json:"-"` // the TIGAS term; its zero value is absent
}

// DefaultGANOptions are those of `tigas-train gan`.
func DefaultGANOptions() GANOptions {
	return GANOptions{
		Arch: "dcgan", Resolution: 32, Latent: 128,
		Loss: WGANGP, GPLambda: 10, Clip: 0.01, Beta1: -1, EMAKimg: 10, Batch: 64,
	}
}

// Resolve fills the widths that are left to the architecture, see [models.Config], and the fields that are left to the loss, as the papers have them: WGAN-GP Adam 1e-4 with betas (0, 0.9), WGAN
// with clipping RMSprop 5e-5, the others Adam 2e-4 with betas (0.5, 0.999) as DCGAN.
func (o GANOptions) Resolve() GANOptions {
	lr, b1, b2, steps := 2e-4, 0.5, 0.999, 1
	switch o.Loss {
	case WGANGP:
		lr, b1, b2, steps = 1e-4, 0, 0.9, 5
	case WGANClip:
		lr, b1, b2, steps = 5e-5, 0, 0.9, 5
	}
	ngf, ndf := models.DefaultWidths(o.Arch, o.Resolution)
	if o.GenWidth == 0 {
		o.GenWidth = ngf
	}
	if o.CriticWidth == 0 {
		o.CriticWidth = ndf
	}
	if o.GenLR == 0 {
		o.GenLR = lr
	}
	if o.CriticLR == 0 {
		o.CriticLR = lr
	}
	if o.Beta1 < 0 {
		o.Beta1 = b1
	}
	if o.Beta2 == 0 {
		o.Beta2 = b2
	}
	if o.CriticSteps == 0 {
		o.CriticSteps = steps
	}
	return o
}

// Validate returns an error that names the first field that cannot be used, by the name of its flag.
func (o GANOptions) Validate() error {
	if _, err := ParseGANLoss(string(o.Loss)); err != nil {
		return err
	}
	if !slices.Contains(models.Archs, o.Arch) {
		return fmt.Errorf("trainers: --arch: got %q vs one of %s", o.Arch, strings.Join(models.Archs, ", "))
	}
	err := inRange(
		limits{"batch", float64(o.Batch), 1, 1 << 20},
		limits{"latent", float64(o.Latent), 1, 1 << 16},
		limits{"ngf", float64(o.GenWidth), 1, 1 << 14},
		limits{"ndf", float64(o.CriticWidth), 1, 1 << 14},
		limits{"critic-steps", float64(o.CriticSteps), 1, 1000},
		limits{"gp-lambda", o.GPLambda, 0, 1e6},
		limits{"clip", o.Clip, 1e-9, 1e3},
		limits{"g-lr", o.GenLR, 0, 10},
		limits{"d-lr", o.CriticLR, 0, 10},
		limits{"beta1", o.Beta1, 0, 0.9999999},
		limits{"beta2", o.Beta2, 0, 0.9999999},
		limits{"clip-grad", o.ClipGrad, 0, 1e12},
		limits{"ema-kimg", o.EMAKimg, 0, 1e9},
	)
	if err != nil {
		return err
	}
	if o.builds() {
		if err = o.config().Validate(o.Arch); err != nil {
			return fmt.Errorf("trainers: --resolution: %w", err)
		}
	}
	return o.Term.Options.Validate(o.Term.Detector)
}

// builds tells whether any network is that of Arch.
func (o GANOptions) builds() bool {
	return o.Generator == nil || o.Critic == nil && o.Loss != TIGASOnly
}

// pair makes the networks.
func (o GANOptions) pair(b nn.Builder) (p models.Pair, err error) {
	if o.builds() {
		if p, err = models.NewGAN(b, o.Arch, o.config()); err != nil {
			return p, err
		}
	}
	if o.Generator != nil {
		if p.Generator, err = o.generator(b); err != nil {
			return p, err
		}
	}
	switch {
	case o.Loss == TIGASOnly:
		p.Critic = nil
	case o.Critic != nil:
		p.Critic, err = o.Critic(b)
	}
	return p, err
}

// generator makes the generator alone.
func (o GANOptions) generator(b nn.Builder) (models.Generator, error) {
	if o.Generator != nil {
		g, err := o.Generator(b)
		if n, ok := g.(models.Sized); err == nil && ok && (n.LatentDim() != int64(o.Latent) || n.Resolution() != int64(o.Resolution)) {
			return nil, fmt.Errorf("trainers: got a generator for latents of %d and images of %d vs --latent %d, --resolution %d",
				n.LatentDim(), n.Resolution(), o.Latent, o.Resolution)
		}
		return g, err
	}
	p, err := models.NewGAN(b, o.Arch, o.config())
	return p.Generator, err
}
