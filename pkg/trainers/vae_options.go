package trainers

import (
	"fmt"

	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// VAETerm says which images of a VAE the TIGAS term scores.
type VAETerm string

const (
	TermOnReconstructions VAETerm = "recon" // as the recipe has it
	TermOnPrior           VAETerm = "prior" // images decoded from random latents: what the VAE will be asked for
	TermOnBoth            VAETerm = "both"  // half a batch of each
)

// VAEOptions are the settings of [NewVAE].
type VAEOptions struct {
	Resolution int `json:"resolution"` // height and width: a power of two from 8 to 1024
	Latent     int `json:"latent"`     // length of the latent vector
	Width      int `json:"width"`      // channels of the first level

	// Network makes a network of one's own in the builder's scope, for images of Resolution and latents of length Latent; nil:
	// the usual one, of Width.
	Network func(nn.Builder) (models.Autoencoder, error) `json:"-"`

	Reconstruction ReconstructionKind `json:"recon"`
	Reduction      Reduction          `json:"reduction"`
	Beta           float64            `json:"beta"`      // weight of the KL term
	KLWarmup       sched.Span         `json:"kl_warmup"` // the weight rises from 0 over this length
	FreeBits       float64            `json:"free_bits"` // nats per latent dimension that cost nothing
	LR             sched.Any          `json:"lr"`        // learning rate of Adam
	Beta1          float64            `json:"beta1"`
	Beta2          float64            `json:"beta2"`
	ClipGrad       float64            `json:"clip_grad"` // largest norm of the gradient; 0: no limit
	Batch          int                `json:"batch"`

	// ChannelsLast keeps images in memory pixel by pixel, as the matrix units of GPUs want them, and not channel by channel.
	ChannelsLast bool `json:"channels_last"`

	TermOn VAETerm    `json:"tigas_on"`
	Term   tigas.Term `json:"-"` // the TIGAS term; its zero value is absent
}

// DefaultVAEOptions are the usual settings for images of 64 x 64, with the evidence lower bound after 10,000 steps of
// warm-up.
func DefaultVAEOptions() VAEOptions {
	return VAEOptions{
		Resolution: 64, Latent: 128, Width: 32, Reconstruction: MSEReconstruction, Reduction: SumReduction, Beta: 1, KLWarmup: sched.Span{N: 10_000, Unit: sched.Step},
		LR: sched.Any{Schedule: sched.Constant{Value: 1e-3}}, Beta1: 0.9, Beta2: 0.999, Batch: 64, TermOn: TermOnBoth,
	}
}

// Validate returns an error that names the first field that cannot be used, by the name of its flag.
func (o VAEOptions) Validate() error {
	if _, err := ParseReconstruction(string(o.Reconstruction)); err != nil {
		return fmt.Errorf("trainers: --recon: got %q vs mse, l1 or bce", o.Reconstruction)
	}
	if o.Reduction != SumReduction && o.Reduction != MeanReduction {
		return fmt.Errorf("trainers: --reduction: got %q vs sum or mean", o.Reduction)
	}
	switch o.TermOn {
	case TermOnReconstructions, TermOnPrior, TermOnBoth:
	default:
		return fmt.Errorf("trainers: --tigas-on: got %q vs recon, prior or both", o.TermOn)
	}
	if o.FreeBits > 0 && o.Reduction == MeanReduction {
		return fmt.Errorf("trainers: --free-bits: they are a limit on each latent dimension: use --reduction sum")
	}
	if o.LR.Schedule == nil {
		return fmt.Errorf("trainers: --lr: got no learning rate")
	}
	err := inRange(
		limits{"batch", float64(o.Batch), 1, 1 << 20},
		limits{"latent", float64(o.Latent), 1, 1 << 16},
		limits{"width", float64(o.Width), 1, 1 << 12},
		limits{"beta", o.Beta, 0, 1e6},
		limits{"free-bits", o.FreeBits, 0, 1e3},
		limits{"beta1", o.Beta1, 0, 0.9999999},
		limits{"beta2", o.Beta2, 0, 0.9999999},
		limits{"clip-grad", o.ClipGrad, 0, 1e12},
	)
	if err != nil {
		return err
	}
	if o.Network == nil {
		if err = o.config().Validate(); err != nil {
			return fmt.Errorf("trainers: --resolution: %w", err)
		}
	}
	return o.Term.Options.Validate(o.Term.Detector)
}

func (o VAEOptions) config() models.VAEConfig {
	return models.VAEConfig{Resolution: o.Resolution, Latent: o.Latent, Width: o.Width}
}

// network makes the network.
func (o VAEOptions) network(b nn.Builder) (models.Autoencoder, error) {
	if o.Network != nil {
		return o.Network(b)
	}
	return models.NewVAE(b, o.config())
}

// pixels is the number of values of an image.
func (o VAEOptions) pixels() float64 { return 3 * float64(o.Resolution) * float64(o.Resolution) }

// EffectiveBeta is the weight of the KL term seen from the sums of the evidence lower bound.
func (o VAEOptions) EffectiveBeta() float64 {
	if o.Reduction == MeanReduction {
		return o.Beta * EffectiveBeta(3, o.Resolution, o.Resolution, o.Latent)
	}
	return o.Beta
}
