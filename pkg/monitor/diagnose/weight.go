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
	// The ratio does not tell all: a term that has won pulls less. So far above the usual weight a smaller one is enough for
	// the same severity, of ten times the usual weight the next lower one, of fifty times the lowest.
	farWeight     = 10.0
	veryFarWeight = 50.0
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
	above := v.Weight / v.usualWeight()
	far, veryFar := above > (1-1e-9)*farWeight, above > (1-1e-9)*veryFarWeight
	if ratio <= wantShare || ratio <= dominating && !far {
		return f, false
	}
	f.Title, f.Severity, f.Kimg = "the term outweighs the rest of the loss", Warning, v.kimg
	if ratio > dominates || ratio > dominating && far || veryFar {
		f.Severity = Problem
	}
	if ratio <= dominating {
		f.Title = "the weight of the term is far above the usual one"
	}
	if far && !strings.Contains(f.Evidence, "is usual") {
		f.Evidence += fmt.Sprintf("; the weight is %g, and up to %g is usual", v.Weight, v.usualWeight())
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
		Remedy:   "next time let the critic learn first: --tigas-warmup auto",
	}
	if s, ok := v.last("sample_score"); ok {
		f.Evidence += fmt.Sprintf("; samples score %s at %s", three(s.v), at(s.kimg))
	}
	if v.TotalKimg > 0 && !v.past(beginShare) || v.TotalKimg == 0 && len(w) <= beginTicks {
		f.Severity = Warning
		f.Remedy = "begin again with a warm-up, which lets the critic learn first: --tigas-warmup auto"
	}
	return f, true
}

const (
	// A term that begins in the second half of a run is hardly meant to.
	neverShare   = 0.2
	neverLate    = 0.5
	neverTicks   = 5
	neverUnknown = 20 // ticks, where the length of the run is not known
)

// termNeverRan looks for a term that was asked for and has not had one step yet.
func termNeverRan(v *view) (Finding, bool) {
	if v.Weight == 0 || v.byName["score"] != nil || v.byName["tigas_dropped"] != nil || !v.past(neverShare) {
		return Finding{}, false
	}
	ticks, last := 0, point{}
	for _, t := range v.tracks {
		if n := len(t.points); t.trained && n > ticks {
			ticks, last = n, t.points[n-1]
		}
	}
	if ticks < neverTicks || v.TotalKimg == 0 && ticks < neverUnknown {
		return Finding{}, false
	}
	f := Finding{
		Severity: Warning, Kimg: v.kimg,
		Title:    "the detector has not judged one picture",
		Evidence: fmt.Sprintf("no score in the log until %s, with a weight of %g", at(v.kimg), v.Weight),
	}
	w, known := v.last("tigas_weight")
	switch {
	case known && w.v == 0:
		if v.TotalKimg > 0 && !v.past(neverLate) {
			f.Severity = Info // it may be meant
		}
		f.Evidence += ": that is still 0 by its start or its warm-up, of which those in epochs rise after whole ones only"
		f.Remedy = "let the term begin sooner: --tigas-start 0 --tigas-warmup auto"
	case int64(v.Every) > last.step:
		f.Evidence += fmt.Sprintf(": the term is for every %dth step, and there have been %d", v.Every, last.step)
		f.Remedy = "apply it more often: --tigas-every 1"
	case v.Family == "diffusion":
		f.Evidence += ", and no reason: images with little noise only are judged, and there may have been none"
		f.Remedy = "begin again without --tigas-max-timestep; its default follows the schedule"
	default:
		f.Evidence += ", and no reason"
		f.Remedy = "begin the term at once: --tigas-start 0 --tigas-warmup auto --tigas-every 1"
	}
	return f, true
}

const (
	// Less than this share of its weight is a term that was not tried.
	hardly = 0.5
	// Before the end of the run its weight then is known from how it rises, but for what one changes meanwhile.
	reachShare  = 0.1
	reachTicks  = 5
	reachMargin = 1.25
	atEnd       = 1 - 1e-3
)

// weightNotReached looks for a warm-up that is longer than the run.
func weightNotReached(v *view) (Finding, bool) {
	s := v.at("tigas_weight")
	n := len(s)
	if v.Weight == 0 || v.TotalKimg == 0 || !v.past(reachShare) || n < reachTicks {
		return Finding{}, false
	}
	now := s[n-1]
	from := n - 1 // the last rise: a weight that stays was changed, or is what it is to be
	for from > 0 && s[from-1].v <= s[from].v {
		from--
	}
	rise := s[max(from, n/2):]
	by, over := now.v-rise[0].v, now.kimg-rise[0].kimg
	if now.v >= 0.95*v.Weight || !(by > 0) || !(over > 0) {
		return Finding{}, false
	}
	full := now.kimg + (v.Weight-now.v)/by*over // when it would have all of its weight
	final := min(v.Weight, now.v+by/over*max(0, v.TotalKimg-now.kimg))
	if !finite(full) || full > 1e9 || full <= v.TotalKimg || !v.past(atEnd) && full < reachMargin*v.TotalKimg {
		return Finding{}, false
	}
	f := Finding{
		Severity: Info, Kimg: now.kimg,
		Title: "the run ends before the term has its full weight",
		Evidence: fmt.Sprintf("the weight is %s at %s and rises to about %s until %s, of %g", num(now.v), at(now.kimg), num(final),
			at(v.TotalKimg), v.Weight),
		Remedy: fmt.Sprintf("shorten the warm-up to a fifth of the run: --tigas-warmup auto; or train longer: --kimg %s",
			significant(reachMargin*full, 2)),
	}
	if v.past(atEnd) {
		f.Evidence = fmt.Sprintf("the weight was %s at the end, %s, of %g", num(now.v), at(now.kimg), v.Weight)
	}
	if final < hardly*v.Weight {
		f.Severity = Warning
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
		f.Remedy = "make a smaller detector: tigas-train detector train --real DIR --fake DIR --width 8"
		return f, true
	}
	rest := 1 - share
	f.Remedy = fmt.Sprintf("call it less often: --tigas-every %d brings that to %s", every,
		percent(1-rest/(rest+share*float64(v.Every)/float64(every))))
	return f, true
}
