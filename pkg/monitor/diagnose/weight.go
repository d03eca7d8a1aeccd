package diagnose

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/pkg/monitor"
)

const (
	// Above 1 the generator climbs the detector more than the critic; at 3 the critic hardly matters.
	dominating = 1.0
	dominates  = 3.0
	// What a weight is lowered to: a third of the rest.
	wantShare = 0.3
	// From this weight on there should be a warm-up: the recipe gives 0 to 0.01 to the beginning of a GAN.
	beginWeight = 0.01
	// The beginning of a run: the automatic warm-up has this length.
	beginShare = 0.2
	beginTicks = recent // where the length of the run is not known
)

// weightTooLarge compares the term with the rest of the loss: their gradients where the log has them, which of a VAE it has
// not with --tigas-on prior, else their values.
func weightTooLarge(v *view) (f Finding, found bool) {
	ratio := v.ratio()
	switch {
	case v.Weight == 0 || v.kimg < young || v.Objective == "tigas-only":
		return f, false
	case ratio > 0:
		f.Evidence = fmt.Sprintf("the gradient of the term is %s times that of the rest, median of the last %d ticks, at %s",
			num(ratio), recent, at(v.kimg))
	case v.Family == "vae" || v.Family == "diffusion":
		shares := v.shares().tail(recent)
		if len(shares) < recent || v.Weight <= v.usualWeight() {
			return f, false // a value says little of the gradient: alone it is no reason to doubt a usual weight
		}
		ratio = shares.median()
		f.Evidence = fmt.Sprintf("the term is %s times the rest of the loss, median of the last %d ticks, at %s, with a weight of "+
			"%g; up to %g is usual",
			num(ratio), recent, at(v.kimg), v.Weight, v.usualWeight())
	}
	if ratio <= dominating {
		return f, false
	}
	f.Title, f.Severity, f.Kimg = "the term outweighs the rest of the loss", Warning, v.kimg
	if ratio > dominates {
		f.Severity = Problem
	}
	f.Remedy = "lower the weight: " + v.lighter(wantShare/ratio)
	if v.AtStart && v.adversarial() {
		f.Remedy += " --tigas-warmup auto"
	}
	return f, true
}

// shares is the term over the rest of the loss, in the mean over all steps of a tick.
func (v *view) shares() (out series) {
	term, total := v.withFullWeight("tigas_loss"), v.at("total")
	for _, p := range term.over(total) {
		// The log has the mean over the steps with the term, and that of the total over all.
		part := p.v / float64(v.Every)
		if part < 1 && part >= 0 {
			out = append(out, point{p.step, p.kimg, part / (1 - part)})
		}
	}
	return out
}

// noWarmup looks for a GAN whose generator had to please the detector before it could draw anything.
func noWarmup(v *view) (Finding, bool) {
	w := v.at("tigas_weight")
	if len(w) == 0 {
		w = v.at("tigas_loss").over(v.at("tigas"))
	}
	if !v.AtStart || !v.adversarial() || v.Weight <= beginWeight || len(w) == 0 || w[0].v < 0.95*v.Weight {
		return Finding{}, false
	}
	f := Finding{
		Severity: Info, Kimg: w[0].kimg,
		Title:    "the term had its full weight from the first step",
		Evidence: fmt.Sprintf("weight %s at %s", num(w[0].v), at(w[0].kimg)),
		Remedy:   "next time a warm-up lets the critic learn first: --tigas-warmup auto, or 10epoch",
	}
	if s, ok := v.last("sample_score"); ok {
		f.Evidence += fmt.Sprintf("; samples score %s at %s", three(s.v), at(s.kimg))
	}
	if v.TotalKimg > 0 && !v.past(beginShare) || v.TotalKimg == 0 && len(w) <= beginTicks {
		f.Severity = Warning
		f.Remedy = "begin again with a warm-up, which lets the critic learn first: --tigas-warmup auto, or 10epoch"
	}
	return f, true
}

const (
	// Of the time of a step. Less is the price of the term; at 0.6 a run takes two and a half times as long.
	slowInfo = 0.4
	slowWarn = 0.6
	// What --tigas-every is to bring it down to, and the most that it may be: StyleGAN's lazy regularisation, the term's
	// model, goes to 16.
	wantTime  = 0.2
	mostEvery = 16
	slowTicks = 5
)

// slowDetector looks at where the time of a step goes, without that of pictures and snapshots.
func slowDetector(v *view) (Finding, bool) {
	const name = monitor.PhasePrefix + "tigas"
	s := v.at(name).tail(recent)
	if v.Weight == 0 || len(s) < slowTicks {
		return Finding{}, false
	}
	all, detector := 0.0, 0.0
	for _, t := range v.tracks {
		phase, ok := strings.CutPrefix(t.name, monitor.PhasePrefix)
		if !ok || phase == "pictures" || phase == "snapshot" {
			continue
		}
		for _, p := range slices.Backward(t.points) {
			if p.step < s[0].step {
				break
			}
			if p.v <= 0 {
				continue
			}
			all += p.v
			if t.name == name {
				detector += p.v
			}
		}
	}
	share := detector / all
	if !(share > slowInfo) || !finite(all) {
		return Finding{}, false
	}
	f := Finding{
		Severity: Info, Kimg: s[len(s)-1].kimg,
		Title: "the detector takes most of the time",
		Evidence: fmt.Sprintf("%s of a step at %s, mean of the last %d ticks: %s of %s seconds", percent(share), at(v.kimg), len(s),
			num(detector/float64(len(s))), num(all/float64(len(s)))),
	}
	if share > slowWarn {
		f.Severity = Warning
	}
	// c/k of the detector beside the rest r is a share of 0.2 when c/k = r/4.
	k := math.Ceil(float64(v.Every) * share / max(1-share, 1e-9) * (1 - wantTime) / wantTime)
	every := int(min(k, mostEvery))
	if every <= v.Every {
		f.Remedy = "a smaller detector: tigas-train detector train --width 8"
		return f, true
	}
	rest := 1 - share
	f.Remedy = fmt.Sprintf("--tigas-every %d brings that to %s", every,
		percent(1-rest/(rest+share*float64(v.Every)/float64(every))))
	return f, true
}
