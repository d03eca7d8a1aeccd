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
	riseTicks = 10
	riseShare = 0.15
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
	if n < riseTicks || v.kimg-since[0].kimg < max(young, riseShare*v.TotalKimg) {
		return Finding{}, false
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
		Severity: Warning, Kimg: since[0].kimg,
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
	higher = round(min(v.Weight*higher, v.mostWeight()))
	if higher <= v.Weight || ratio > enoughRatio {
		f.Remedy = "the weight is not what is missing: try --tigas-form log, and with tigas-train detector check " +
			"whether the detector has a slope"
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
)

// detectorFooled looks for a score that is not that of the pictures but of a pattern in them.
func detectorFooled(v *view) (Finding, bool) {
	s, ok := v.last("sample_score")
	p, ok2 := v.last("sample_score_perturbed")
	d, ok3 := v.last("data_score")
	dp, ok4 := v.last("data_score_perturbed")
	if v.Weight == 0 || !ok || !ok3 || s.step <= 0 || s.kimg < young {
		return Finding{}, false
	}
	gaps := ok2 && ok4 && p.step == s.step
	gap, usual := s.v-p.v, max(0, d.v-dp.v)
	over := s.v - d.v
	fragile := gaps && gap > usual+gapWarn && gap > gapTimes*usual
	if !fragile && over <= aboveWarn {
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
	if fragile && gap > usual+gapProblem || over > aboveProblem {
		f.Severity = Problem
	}
	harder := "--tigas-augment"
	if v.Augmented {
		harder = "--tigas-scales 1,0.5"
	}
	f.Remedy = "make that harder and lower the weight: " + harder + " " + v.lighter(0.5)
	return f, true
}
