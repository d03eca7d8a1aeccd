package diagnose

import (
	"fmt"
	"math"
	"strings"
)

const (
	// A norm goes up and down by a factor of 5 in the demo runs. Thirty times the median is far outside of that, a thousand
	// times is where optimisers break.
	exploding = 30
	exploded  = 1000
	// Norms rise by orders of magnitude while a critic with small weights wakes up, so the median is one of many ticks, and
	// nothing is said in the first quarter of a run.
	calmTicks = 20
	calmShare = 0.25
	// Single updates that are left out do no harm. In half of the last ticks they are no accident.
	skipsWarn    = 2
	skipsProblem = recent / 2
)

// badGradients looks for updates that were left out, returns to a snapshot, losses that are NaN, and norms that explode.
func badGradients(v *view) (f Finding, found bool) {
	f = Finding{Title: "gradients are not finite, or grow too large"}
	var evidence []string
	net, usual := "", 0.0
	say := func(s Severity, kimg float64, format string, a ...any) {
		if !found || s > f.Severity {
			f.Severity, f.Kimg = s, kimg
		}
		found = true
		evidence = append(evidence, fmt.Sprintf(format, a...))
	}

	if n := len(v.rewinds); n > 0 && len(v.skips) > 0 {
		s, last := Warning, v.rewinds[n-1]
		if v.lately(v.rewinds, recent) > 0 {
			s = Problem
		}
		say(s, last.kimg, "%s to an earlier snapshot, the last one to %s", times(n, "return"), at(last.kimg))
	}
	if len(v.skips) > 0 {
		now, s, first := v.lately(v.skips, recent), Info, v.skips[0]
		if now >= skipsWarn {
			s = Warning
		}
		if now >= skipsProblem {
			s = Problem
		}
		net = v.skips[len(v.skips)-1].name
		say(s, first.kimg, "updates of %s were left out in %s since %s, %d of them among the last %d", clean(net),
			times(v.lately(v.skips, v.entries), "tick"), at(first.kimg), now, recent)
	}
	if len(v.nans) > 0 {
		now, s, first := v.lately(v.nans, recent), Info, v.nans[0]
		if now > 0 {
			s = Warning
		}
		if now >= skipsWarn {
			s = Problem
		}
		if net == "" {
			net, _ = strings.CutSuffix(first.name, normSuffix)
		}
		say(s, first.kimg, "%s had no finite value in %s since %s, %d of them among the last %d", clean(first.name),
			times(v.lately(v.nans, v.entries), "whole tick"), at(first.kimg), now, recent)
	}
	if t, ratio, median, ok := v.steepest(); ok {
		s, p := Warning, t.points[len(t.points)-1]
		if ratio > exploded {
			s = Problem
		}
		net, usual = strings.TrimSuffix(t.name, normSuffix), median
		say(s, p.kimg, "the gradient of %s has a norm of %s at %s, %s times its median of %s before",
			clean(net), num(ratio*median), at(p.kimg), num(ratio), num(median))
	}
	if !found {
		return f, false
	}
	f.Evidence = strings.Join(evidence, "; ")
	if usual == 0 {
		usual = v.at(net + normSuffix).median()
	}
	f.Remedy = v.lowerRate(net)
	if clip := v.clipper(net, usual); clip != "" {
		f.Remedy += ", and clip the gradient: " + clip
	}
	if f.Severity == Info {
		f.Remedy = "such updates are left out by themselves; should they go on, " + f.Remedy
	}
	return f, true
}

// steepest is the gradient whose norm has grown most, if one explodes now. Of three ticks the middle one counts: a single
// spike is what clipping and Adam are for.
func (v *view) steepest() (worst *track, ratio, median float64, ok bool) {
	ratio = exploding
	for _, t := range v.tracks {
		n := len(t.points) - 3
		if !t.norm || n < calmTicks || !v.past(calmShare) {
			continue
		}
		now := t.points.tail(3).median()
		low := 0 // counted first, because sorting each norm for its median would take longer than all other rules
		for _, p := range t.points[:n] {
			if p.v < now/ratio {
				low++
			}
		}
		if low <= n/2 {
			continue
		}
		if m := t.points[:n].median(); m > 0 && finite(now/m) {
			worst, ratio, median, ok = t, now/m, m, true
		}
	}
	return worst, ratio, median, ok
}

func times(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

const (
	// No gradient of a network that learns is so small, and in single ticks of a critic that is never wrong it may be 0.
	deadNorm     = 1e-12
	deadNetTicks = 5
	// A network that was dead in the second tick has never lived.
	livedTicks = 2
)

// deadNetwork looks for a network whose gradient is 0: after a step so large that every unit is off, nothing leads back.
func deadNetwork(v *view) (Finding, bool) {
	if v.onlyTerm() {
		if w, ok := v.last("tigas_weight"); ok && w.v == 0 {
			return Finding{}, false // there is nothing to learn from before the term begins
		}
	}
	for _, net := range []string{"G", "VAE", "net", "D"} {
		s := v.at(net + normSuffix)
		i := len(s)
		for i > 0 && math.Abs(s[i-1].v) < deadNorm {
			i--
		}
		if len(s)-i < deadNetTicks {
			continue
		}
		what := map[string]string{"G": "generator", "D": "critic"}[net]
		if what == "" {
			what = "network"
		}
		lr, name := v.network(net)
		f := Finding{
			Severity: Problem, Kimg: s[i].kimg,
			Title: "the " + what + " is dead: it does not learn any more",
			Evidence: fmt.Sprintf("its gradient (%s) is %s in all %s since %s", net+normSuffix, num(s[len(s)-1].v),
				times(len(s)-i, "tick"), at(s[i].kimg)),
		}
		if rate := v.rate(name); rate > 0 {
			f.Evidence += fmt.Sprintf(", with a learning rate of %s", num(rate))
			if r := v.rates(); rate > absurd*r.high {
				f.Evidence += fmt.Sprintf(", where %g to %g is usual", r.low, r.high)
			}
		}
		if d, ok := v.last("sample_diversity"); ok && net != "D" && d.step >= s[i].step {
			f.Evidence += fmt.Sprintf("; diversity of the samples %s at %s", num(d.v), at(d.kimg))
		}
		healthy := 0.0
		if i >= livedTicks {
			healthy = s[i-1].kimg
		}
		f.Remedy = "no lower rate revives it: " + back(healthy, v.slower(net))
		if v.slower(net) == "" {
			f.Remedy += ", with a lower " + lr
		}
		return f, true
	}
	return Finding{}, false
}

const (
	// The term is left out in single steps without harm. One step in a hundred says that the detector has a weak place; in
	// half of them there is no term to speak of.
	droppedWarn    = 0.01
	droppedProblem = 0.5
)

// termDropped looks for steps in which the detector's score or gradient was not finite.
func termDropped(v *view) (Finding, bool) {
	dropped, ticks := v.at("tigas_dropped"), v.at("score").tail(recent)
	if v.Weight == 0 || len(dropped) == 0 || dropped.highest() <= 0 {
		return Finding{}, false
	}
	share := 0.0 // now: the log has the value only where something was dropped
	for _, p := range dropped {
		if len(ticks) > 0 && p.step >= ticks[0].step {
			share += p.v / float64(len(ticks))
		}
	}
	s := Info
	if share > droppedWarn {
		s = Warning
	}
	if share > droppedProblem {
		s = Problem
	}
	last := dropped[len(dropped)-1]
	return Finding{
		Severity: s, Kimg: dropped[0].kimg,
		Title: "the detector gives no finite score or gradient",
		Evidence: fmt.Sprintf("the term was left out in %s of the steps of the last %s, in %s at %s; first at %s",
			percent(share), times(max(len(ticks), 1), "tick"), percent(last.v), at(last.kimg), at(dropped[0].kimg)),
		Remedy: "the rest of the loss trains on; look at the detector with " + check + ", and try --tigas-form linear",
	}, true
}
