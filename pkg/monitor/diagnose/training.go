package diagnose

import (
	"fmt"
	"math"
)

const (
	// Of a loss that is 1.39 when the discriminator guesses: it is sure of nine pictures in ten, and then of 99 in 100. The
	// demo runs that went well end near 1, and the one that failed had 0.25.
	surely    = 0.2
	certainly = 0.02
	wonTicks  = 20
)

// criticWon looks for a discriminator that knows every picture: its gradient says nothing any more. Wasserstein critics have
// no such end, and the hinge loss is near 0 by design.
func criticWon(v *view) (Finding, bool) {
	d, real, fake := v.at("D"), v.at("scores_real"), v.at("scores_fake")
	logits := v.Family == "stylegan" || v.Family == "gan" && (v.Objective == "nonsaturating" || v.Objective == "bce")
	if !logits || len(d) < wonTicks || len(real) != len(d) || len(fake) != len(d) || v.kimg < young {
		return Finding{}, false
	}
	loss := d.tail(recent).median()
	gap := real.tail(recent).mean() - fake.tail(recent).mean()
	before := real[:len(real)-recent].mean() - fake[:len(fake)-recent].mean()
	if loss >= surely || loss < 0 || !(gap > before) {
		return Finding{}, false
	}
	f := Finding{
		Severity: Warning, Kimg: v.kimg,
		Title: "the discriminator has won",
		Evidence: fmt.Sprintf("its loss is %s at %s, where guessing gives 1.39; its outputs for real and generated pictures are "+
			"%s apart, after %s before",
			num(loss), at(v.kimg), num(gap), num(before)),
	}
	if loss < certainly {
		f.Severity = Problem
	}
	if v.Family == "stylegan" {
		f.Remedy = "strengthen R1: " + v.gamma(2, "twice the value") + "; with few pictures add --aug color,translation,cutout --mirror"
	} else {
		f.Remedy = v.lowerRate("D") + "; or begin a new run with --loss wgan-gp, which has no such end"
	}
	return f, true
}

const (
	// A divergence of a hundredth of a nat or so is none, whether it is a sum or a mean over dimensions. That alone would
	// do, but a batch of one picture has no active units either.
	deadUnits = 0.5
	deadKL    = 0.05
	deadTicks = 10
	deadShare = 0.2 // beta is still small before that
)

// posteriorCollapse looks for a VAE that encodes nothing.
func posteriorCollapse(v *view) (Finding, bool) {
	units, kl := v.at("active_units"), v.at("kl")
	if v.Family != "vae" || len(units) < deadTicks || len(kl) < deadTicks || !v.past(deadShare) {
		return Finding{}, false
	}
	u, k := units.tail(deadTicks/2).highest(), kl.tail(deadTicks/2).highest()
	if u >= deadUnits || k >= deadKL {
		return Finding{}, false
	}
	warm := "20000step"
	if v.TotalKimg > 0 {
		warm = significant(v.TotalKimg/2, 2) + "kimg"
	}
	return Finding{
		Severity: Problem, Kimg: units.tail(deadTicks / 2)[0].kimg,
		Title: "the decoder ignores the latents",
		Evidence: fmt.Sprintf("at most %s latent dimensions in use and a divergence of at most %s nats in the last %d ticks, at %s",
			num(u), num(max(k, 0)), deadTicks/2, at(v.kimg)),
		Remedy: "begin again with --reduction sum --beta 0.1 --free-bits 0.25 --kl-warmup " + warm,
	}, true
}

const (
	// Noise between ticks of few images is a factor of 1.8 in the smallest logs, and the median of five is far less noisy.
	rising       = 2.0
	risen        = 5.0
	risingTicks  = 20
	risingWindow = 5
	// While beta of a VAE rises, it gives up error for divergence: the demo's mse nearly doubles over a long --kl-warmup. An
	// error that rises while the divergence stays is another matter.
	fallenKL = 0.9
)

// lossDiverging looks for an error that is far above its best. Losses of a GAN have no direction, so it is for the others.
func lossDiverging(v *view) (Finding, bool) {
	s := v.at("mse")
	if v.Family != "vae" && v.Family != "diffusion" || len(s) < risingTicks || v.kimg < young {
		return Finding{}, false
	}
	if _, dead := posteriorCollapse(v); dead {
		return Finding{}, false // that is why
	}
	now, best := s.tail(risingWindow).median(), point{v: math.Inf(1)}
	for end := len(s) - risingWindow; end >= risingWindow; end -= risingWindow {
		if m := s[end-risingWindow : end].median(); m < best.v {
			best = point{step: s[end-1].step, kimg: s[end-1].kimg, v: m}
		}
	}
	if !(best.v > 0) || !(now > rising*best.v) {
		return Finding{}, false
	}
	kl, then := v.at("kl"), v.at("kl")
	for len(then) > 0 && then[len(then)-1].step > best.step {
		then = then[:len(then)-1]
	}
	traded := v.Family == "vae" && kl.tail(risingWindow).median() < fallenKL*then.tail(risingWindow).median()
	if traded {
		return Finding{}, false
	}
	i := len(s) - 1
	for i > 0 && s[i-1].step > best.step && s[i-1].v > rising*best.v {
		i--
	}
	f := Finding{
		Severity: Warning, Kimg: s[i].kimg,
		Title:    "the error rises",
		Evidence: fmt.Sprintf("mse %s at %s, after %s at %s", num(now), at(v.kimg), num(best.v), at(best.kimg)),
		Remedy:   back(best.kimg, v.slower("")),
	}
	if now > risen*best.v {
		f.Severity = Problem
	}
	return f, true
}
