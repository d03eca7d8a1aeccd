package trainers

import (
	"fmt"

	"github.com/tigas-train/tigas-train/pkg/sched"
)

// WeightAdvice returns the warning that the recipe's table has for the weight of a GAN or StyleGAN, "" when there is none:
// they are trained with 0.05 to 0.1 after a warm-up.
func WeightAdvice(final float64, atStart bool) string {
	switch {
	case final > 0.2:
		return fmt.Sprintf("--tigas-weight %g is large: above 0.2 the detector outweighs the adversarial loss and the "+
			"generator learns to fool it instead of the critic; 0.05 to 0.1 is usual", final)
	case final > 0.01 && atStart:
		return fmt.Sprintf("--tigas-weight %g from the first step: the generator cannot make pictures yet; a warm-up "+
			"(--tigas-warmup auto, a fifth of the run) lets the critic learn first", final)
	}
	return ""
}

// VAEWeightAdvice is [WeightAdvice] for a VAE, which the table gives 0.1 to 0.2 from the start: reconstructions resemble
// their images early.
func VAEWeightAdvice(final float64, _ bool) string {
	if final > 0.4 {
		return fmt.Sprintf("--tigas-weight %g is large: it outweighs the reconstruction, whose squared error per value "+
			"falls below 0.05 soon; 0.1 to 0.2 is usual", final)
	}
	return ""
}

// StartsFull tells whether a schedule has its final weight from the beginning.
func StartsFull(w sched.Schedule, final float64) bool {
	return w != nil && final != 0 && w.At(sched.Progress{}) == final
}

// DiffusionWeightAdvice is [WeightAdvice] for a diffusion model, which the table gives 0.01 to 0.05 at late timesteps only.
// limit is the timestep below which images are scored, usual the one that [DiffusionOptions.TermLimit] has by default.
func DiffusionWeightAdvice(final float64, limit, usual int) string {
	switch {
	case final > 0.1:
		return fmt.Sprintf("--tigas-weight %g is large: above 0.1 the network draws what the detector likes instead of "+
			"removing noise; 0.01 to 0.05 is usual", final)
	case final > 0 && limit > usual+usual/10:
		return fmt.Sprintf("--tigas-max-timestep %d: so early in sampling there is no image yet that a detector could judge; "+
			"%d is usual for this schedule and prediction", limit, usual)
	}
	return ""
}
