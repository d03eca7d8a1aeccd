package diagnose

import (
	"fmt"
	"math"
)

const (
	// The score of the slowest demo run rises by 0.037 within the first ten ticks at full weight, that of the one StyleGAN
	// that failed by less than 0.01 in its whole length.
	leastRise = 0.02
	// So many ticks at full weight, and so much of the run: the score of a StyleGAN first falls a little, because images get
	// structure before they get good.
	// The score of the demo GAN begins to move at kimg 16, of the diffusion model at 12, of the StyleGAN at 6: a short run,
	// and the beginning of a long one, say nothing.
	riseTicks = 10
	riseShare = 0.15
	riseKimg  = 20.0
	// Of the score of real pictures: one that is nearly there has no room to rise.
	highShare = 0.8
	// What one raises the weight for is a gradient of the term that is a tenth of the rest. Above one half the weight is not
	// what is missing.
	wantRatio   = 0.1
	enoughRatio = 0.5
)

// scoreNotRising compares the score with what it was when the term began and when it got its full weight.
func scoreNotRising(v *view) (Finding, bool) {
	score, since := v.at("score"), v.withFullWeight("score")
	n := len(since)
	if n < riseTicks || v.kimg-since[0].kimg < max(riseKimg, riseShare*v.TotalKimg) {
		return Finding{}, false
	}
	if _, large := weightTooLarge(v); large {
		return Finding{}, false // one asks for less weight or for more, not for both
	}
	if _, dead := deadNetwork(v); dead {
		return Finding{}, false // that is why
	}
	// Blocks, because single ticks are noise. A score that has risen and fallen again is another story: the best block counts.
	w := max(3, n/5)
	base, now, best := min(score[:w].mean(), since[:w].mean()), since.tail(w).mean(), math.Inf(-1)
	for end := n; end-w >= w; end -= w {
		best = max(best, since[end-w:end].mean())
	}
	real, known := v.last("data_score")
	if !known {
		real.v = 1
	}
	if best-base >= leastRise || now >= highShare*real.v {
		return Finding{}, false
	}
	f := Finding{
		Severity: Warning, Kimg: v.kimg,
		Title: "the score does not rise",
		Evidence: fmt.Sprintf("score %s at %s, when the term had its full weight, and %s at %s", three(since[:w].mean()),
			at(since[0].kimg), three(now), at(v.kimg)),
	}
	if known {
		f.Evidence += "; real pictures score " + three(real.v)
	}
	ratio := v.ratio()
	if ratio > 0 {
		f.Evidence += "; the term's gradient is " + num(ratio) + " times that of the rest"
	}
	higher := 2.0
	if ratio > 0 {
		higher = min(max(wantRatio/ratio, 2), 5)
	}
	higher = round(min(v.Weight*higher, v.mostWeight()), 1)
	if higher <= v.Weight || v.Weight > v.usualWeight() || ratio > enoughRatio || v.onlyTerm() {
		f.Remedy = "the weight is not what is missing: try --tigas-form log, and see with " + check +
			" whether the detector has a slope"
	} else {
		f.Remedy = "raise the weight: --tigas-weight " + flag(higher)
	}
	return f, true
}

// withFullWeight is what a series is since the weight of the term became what it is to be: nothing while it still rises, and
// not what was before it was changed for the rest of the run.
func (v *view) withFullWeight(name string) series {
	w, target := v.at("tigas_weight"), v.Weight
	if len(w) == 0 { // logs of earlier versions
		w = v.at("tigas_loss").over(v.at("tigas"))
		target = w.highest()
	}
	i := len(w)
	for i > 0 && math.Abs(w[i-1].v-target) <= 0.05*target {
		i--
	}
	if v.Weight == 0 || i == len(w) {
		return nil
	}
	s := v.at(name)
	for len(s) > 0 && s[0].step < w[i].step {
		s = s[1:]
	}
	return s
}

// ratio is that of the term's gradient to the rest's, on the images or the network's output and in the mean over the steps,
// lately; 0: not known.
func (v *view) ratio() float64 {
	s := v.withFullWeight("tigas_grad_ratio").tail(recent)
	if len(s) < recent {
		return 0
	}
	return max(0, s.median()) / float64(v.Every) // the log has it for the steps with the term
}

const (
	// A mean over 64 pictures is known to 0.04 or so. Real pictures lose some of their score too, with some detectors
	// nearly all: then nothing can be said.
	gapWarn    = 0.15
	gapProblem = 0.4
	gapTimes   = 2.0
	// Samples that are above real pictures by more than the noise are no better than real.
	aboveWarn    = 0.1
	aboveProblem = 0.25
	// Samples score as real ones when they are no further below. That is what one wants, unless the term outweighs the rest:
	// then nothing else has said that they are like real pictures.
	asReal = 0.05
	// Of the data's detail, late in a run. Samples of the demo runs have less than it then, noise that a detector takes for a
	// picture 1.4 times as much.
	noisy = 1.3
)

// detectorFooled looks for a score that is not that of the pictures but of a pattern in them.
func detectorFooled(v *view) (Finding, bool) {
	s, ok := v.last("sample_score")
	p, ok2 := v.last("sample_score_perturbed")
	d, ok3 := v.last("data_score")
	dp, ok4 := v.last("data_score_perturbed")
	if v.Weight == 0 || !ok || !ok3 || s.step <= 0 || s.kimg < young || !v.enoughSamples() {
		return Finding{}, false
	}
	gaps := ok2 && ok4 && p.step == s.step
	gap, usual := s.v-p.v, max(0, d.v-dp.v)
	over := s.v - d.v
	fragile := gaps && gap > usual+gapWarn && gap > gapTimes*usual
	passes, ratio := over >= -asReal, v.ratio()
	alone := passes && v.outweighs()
	noise := v.noise()
	grainy := noise > 0 && s.v >= highShare*d.v
	if !fragile && over <= aboveWarn && !alone && !grainy {
		return Finding{}, false
	}
	f := Finding{
		Severity: Warning, Kimg: s.kimg,
		Title:    "the generator fools the detector",
		Evidence: fmt.Sprintf("at %s samples score %s and real pictures %s", at(s.kimg), three(s.v), three(d.v)),
	}
	if gaps {
		f.Evidence += fmt.Sprintf("; after a small blur or compression %s and %s", three(p.v), three(dp.v))
	}
	if alone {
		f.Evidence += fmt.Sprintf("; the weight is %g, where up to %g is usual", v.Weight, v.usualWeight())
		if ratio > 0 {
			f.Evidence += fmt.Sprintf(", and the term's gradient %s times that of the rest", num(ratio))
		}
	}
	if grainy || alone && noise > 0 {
		f.Evidence += fmt.Sprintf("; the samples have %s times the fine detail of real pictures, as noise has", num(noise))
	}
	if fragile && gap > usual+gapProblem || over > aboveProblem || alone && noise > 0 {
		f.Severity = Problem
	}
	harder := "--tigas-augment"
	if v.Augmented {
		harder = "--tigas-scales 1,0.5"
	}
	lighter := v.halfWeight()
	switch {
	case lighter == "":
		f.Remedy = "make that harder: " + harder + "; or " + withCritic
	case alone:
		f.Remedy = "begin again, or go back to a snapshot from before, with a lower weight and a detector that is harder to fool: " +
			harder + " " + lighter
	default:
		f.Remedy = "make that harder and lower the weight: " + harder + " " + lighter
	}
	return f, true
}

// outweighs tells whether the rest of the loss has little to say beside the term.
func (v *view) outweighs() bool {
	f, found := weightTooLarge(v)
	return found && f.Severity >= Warning
}

// noise is the fine detail of the samples over that of the data where it is well above it, late in the run and not about to
// fall; else 0.
func (v *view) noise() float64 {
	s := v.trained("sample_detail")
	data, ok := v.last("data_detail")
	if !ok || data.v <= 0 || !v.late(s) {
		return 0
	}
	now, before := s[len(s)-1].v, s[len(s)-2].v
	if now <= noisy*data.v || before <= noisy*data.v || now*gaining < before {
		return 0
	}
	return now / data.v
}
