package trainers

import (
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// LossWeight says how the loss of a diffusion model weighs timesteps.
type LossWeight string

const (
	UniformWeight LossWeight = "none"    // 1: the simple loss of Ho et al. 2020 for eps
	MinSNR        LossWeight = "min-snr" // see [Prediction.MinSNRWeight]
	// NoiseWeight is the loss that UniformWeight is for eps, whatever is predicted: 1 for eps, SNR/(SNR+1) for v, SNR for x0.
	NoiseWeight LossWeight = "eps-equiv"
)

// DiffusionOptions are the settings of [NewDiffusion].
type DiffusionOptions struct {
	Resolution int               `json:"resolution"` // height and width of the images
	UNet       models.UNetConfig `json:"unet"`
	// Network makes a network of one's own in the builder's scope, in place of UNet; it is made a second time for the average.
	Network func(nn.Builder) (models.Denoiser, error) `json:"-"`

	Timesteps  int        `json:"timesteps"` // T
	Schedule   string     `json:"schedule"`  // of the noise, see [sched.NewNoise]
	Predict    Prediction `json:"predict"`
	LossWeight LossWeight `json:"loss_weight"`
	SNRGamma   float64    `json:"snr_gamma"` // of min-snr

	LR          sched.Any `json:"lr"` // learning rate of AdamW
	Beta1       float64   `json:"beta1"`
	Beta2       float64   `json:"beta2"`
	WeightDecay float64   `json:"weight_decay"`
	ClipGrad    float64   `json:"clip_grad"` // largest norm of the gradient; 0: no limit
	EMA         float64   `json:"ema"`       // decay of the averaged network for one step, after its warm-up; 0: no average
	Batch       int       `json:"batch"`

	// ChannelsLast keeps images in memory pixel by pixel, as the matrix units of GPUs want them, and not channel by channel.
	ChannelsLast bool `json:"channels_last"`

	Sampling Sampling `json:"sampling"` // how sample pictures are drawn while it trains

	// MaxTimestep limits the TIGAS term to images whose own timestep is below it. 0: as far as images can be judged, see
	// [DiffusionOptions.TermLimit].
	MaxTimestep int        `json:"tigas_max_timestep"`
	Term        tigas.Term `json:"-"` // the TIGAS term; its zero value is absent
}

// network makes the network.
func (o DiffusionOptions) network(b nn.Builder) (models.Denoiser, error) {
	if o.Network != nil {
		return o.Network(b)
	}
	return models.NewUNet(b, o.UNet)
}

// Sampling is how pictures are drawn from a diffusion model.
type Sampling struct {
	Method string  `json:"method"` // "ddim" or "ddpm"
	Steps  int     `json:"steps"`  // evaluations of the network for one picture
	Eta    float64 `json:"eta"`    // share of the noise that DDIM adds again, 0 to 1
}

// weight is that of the loss at a timestep.
func (o DiffusionOptions) weight(n *sched.Noise, t int) float64 {
	switch snr := n.SNR(t); o.LossWeight {
	case MinSNR:
		return o.Predict.MinSNRWeight(snr, o.SNRGamma)
	case NoiseWeight:
		return o.Predict.MinSNRWeight(snr, math.Inf(1))
	}
	return 1
}

// DefaultLossWeight is what a prediction is usually trained with: eps all timesteps alike, as DDPM, v and x0 with min-SNR.
func DefaultLossWeight(p Prediction) LossWeight {
	if p == PredictNoise {
		return UniformWeight
	}
	return MinSNR
}

// DefaultDiffusionOptions are the usual settings for images of 64 x 64, but for the network and the schedule of the learning
// rate, which depend on the resolution and the length of the run.
func DefaultDiffusionOptions() DiffusionOptions {
	return DiffusionOptions{
		Resolution: 64, Timesteps: 1000, Schedule: sched.CosineNoise, Predict: PredictV, LossWeight: MinSNR, SNRGamma: 5,
		LR: sched.Any{Schedule: sched.Constant{Value: 1e-4}}, Beta1: 0.9, Beta2: 0.999, ClipGrad: 1, EMA: 0.9999, Batch: 64,
		Sampling: Sampling{Method: MethodDDIM, Steps: 50},
	}
}

// Validate returns an error that names the first field that cannot be used, by the name of its flag.
func (o DiffusionOptions) Validate() error {
	if _, err := ParsePrediction(string(o.Predict)); err != nil {
		return fmt.Errorf("trainers: --predict: got %q vs eps, v or x0", o.Predict)
	}
	switch o.LossWeight {
	case UniformWeight, MinSNR, NoiseWeight:
	default:
		return fmt.Errorf("trainers: --loss-weight: got %q vs none, min-snr or eps-equiv", o.LossWeight)
	}
	if o.Network == nil {
		if o.UNet.Resolution != o.Resolution {
			return fmt.Errorf("trainers: --resolution: got %d, and a network for %d", o.Resolution, o.UNet.Resolution)
		}
		if err := o.UNet.Validate(); err != nil {
			return fmt.Errorf("trainers: --arch: %w", err)
		}
	}
	if _, err := sched.NewNoise(o.Schedule, o.Timesteps); err != nil {
		return fmt.Errorf("trainers: --schedule, --timesteps: %w", err)
	}
	if o.LR.Schedule == nil {
		return fmt.Errorf("trainers: --lr: got no learning rate")
	}
	if o.MaxTimestep < 0 || o.MaxTimestep > o.Timesteps {
		return fmt.Errorf("trainers: --tigas-max-timestep: got %d vs 1 to --timesteps %d, or 0 for the default", o.MaxTimestep, o.Timesteps)
	}
	err := inRange(
		limits{"batch", float64(o.Batch), 1, 1 << 20},
		limits{"snr-gamma", o.SNRGamma, 1e-6, 1e6},
		limits{"beta1", o.Beta1, 0, 0.9999999},
		limits{"beta2", o.Beta2, 0, 0.9999999},
		limits{"weight-decay", o.WeightDecay, 0, 10},
		limits{"clip-grad", o.ClipGrad, 0, 1e12},
		limits{"ema", o.EMA, 0, 0.9999999999},
		limits{"sample-steps", float64(o.Sampling.Steps), 1, float64(o.Timesteps)},
	)
	if err != nil {
		return err
	}
	if err = o.Sampling.Validate(o.Timesteps); err != nil {
		return err
	}
	return o.Term.Options.Validate(o.Term.Detector)
}

// Validate returns an error that names the field that cannot be used for a process of T steps.
func (s Sampling) Validate(steps int) error {
	if s.Method != MethodDDIM && s.Method != MethodDDPM {
		return fmt.Errorf("trainers: --sampler: got %q vs ddim or ddpm", s.Method)
	}
	if s.Steps < 1 || s.Steps > steps {
		return fmt.Errorf("trainers: sampling: got %d steps vs 1 to the %d of the noise", s.Steps, steps)
	}
	if s.Eta > 0 && s.Method == MethodDDPM {
		return fmt.Errorf("trainers: --eta: it is for ddim; ddpm has noise of its own")
	}
	return inRange(limits{"eta", s.Eta, 0, 1})
}

// TermLimit is the timestep below which images are scored: MaxTimestep, or by default that up to which AlphaBar is at least
// 1/4, for eps 1/2. Beyond, the image that the network's output stands for is a blur that no detector was made for, and for
// eps its gradient grows without bounds.
func (o DiffusionOptions) TermLimit(n *sched.Noise) int {
	switch {
	case o.MaxTimestep > 0:
		return o.MaxTimestep
	case o.Predict == PredictNoise:
		return n.Before(0.5)
	}
	return n.Before(0.25)
}
