package diagnose

import "fmt"

const (
	// Samples of the demo runs have 0.67 to 0.97 of the data's diversity, and fall to no less than 0.76 of what they had. Two
	// sets of samples below 0.6 are no accident, and 0.4 needs no second one.
	shrunk    = 0.6
	collapsed = 0.4
	// Samples that were never different can only be judged when the run is half over.
	alikeShare   = 0.5
	alikeSamples = 3
	// An untrained GAN has 0.005 of the data's diversity. What has less, twice in a row, draws the same picture always.
	same        = 0.002
	sameSamples = 2
	// The mean over fewer pictures says little: the thresholds are those of 64.
	leastSamples = 16
)

// enoughSamples tells whether values of the samples are of enough pictures.
func (v *view) enoughSamples() bool { return v.Samples == 0 || v.Samples >= leastSamples }

// modeCollapse compares the diversity of the samples with the highest that it was, and with that of the data. What is higher
// than the data does not count: StyleGAN's first images are twice as different as real ones.
func modeCollapse(v *view) (Finding, bool) {
	s := v.trained("sample_diversity")
	data, ok := v.last("data_diversity")
	n := len(s)
	if !ok || data.v <= 0 || n == 0 || s[n-1].kimg < young || !v.enoughSamples() {
		return Finding{}, false
	}
	if _, dead := deadNetwork(v); dead {
		return Finding{}, false // that is why
	}
	now := s[n-1]
	f := Finding{Title: "the samples become alike", Severity: Problem}
	since := func(below float64) float64 { // when the samples fell below a diversity, for good
		i := n - 1
		for i > 0 && s[i-1].v < below && s[i-1].kimg >= young {
			i--
		}
		return s[i].kimg
	}
	best := point{}
	for _, p := range s[:n-1] {
		if p.v >= best.v {
			best = p
		}
	}
	usual := min(best.v, data.v)
	fallen := fmt.Sprintf("diversity %s at %s, after %s at %s; real pictures have %s", num(now.v), at(now.kimg),
		num(best.v), at(best.kimg), num(data.v))
	switch {
	case now.v < collapsed*usual:
		f.Kimg = since(collapsed * usual)
	case n >= sameSamples && s[n-2].kimg >= young && s.tail(sameSamples).highest() < same*data.v:
		f.Title, f.Kimg = "all samples are the same", since(same*data.v)
	case n > 2 && now.v < shrunk*usual && s[n-2].v < shrunk*usual:
		f.Severity, f.Kimg = Warning, since(shrunk*usual)
	case n >= alikeSamples && now.v < collapsed*data.v && v.past(alikeShare):
		f.Severity, f.Title, f.Kimg = Warning, "the samples are alike", now.kimg
		fallen = fmt.Sprintf("diversity %s at %s, and never more than %s; real pictures have %s", num(now.v), at(now.kimg),
			num(max(best.v, now.v)), num(data.v))
	default:
		return Finding{}, false
	}
	if best.v < collapsed*data.v {
		best = point{} // there is nothing to go back to
	}
	f.Evidence, f.Remedy = fallen, v.moreDiverse(best)
	return f, true
}

// moreDiverse is what keeps the samples of a family apart. best is where they were.
func (v *view) moreDiverse(best point) string {
	lighter := v.halfWeight()
	switch v.Family {
	case "gan":
		switch v.Objective {
		case "tigas-only":
			return "the score alone does not keep samples apart: " + withCritic
		case "wgan-gp":
			return back(best.kimg, lighter, v.slower("G"))
		}
		return back(best.kimg, lighter, v.slower("G")) + "; or begin a new run with --loss wgan-gp"
	case "stylegan":
		return back(best.kimg, lighter, "--pl-weight 2") + "; for a small data set add --aug color,translation,cutout"
	case "vae":
		if v.Weight > 0 {
			return back(best.kimg, lighter, "--tigas-on recon")
		}
		return back(best.kimg, "--beta 0.5") + "; or try --free-bits 0.25"
	}
	return back(best.kimg, lighter, v.slower("net"))
}

const (
	// Of the data's detail. The demo runs end with 0.67 to 0.81 and a VAE without the term, which is blurred to look at, with 0.44.
	blurred = 0.5
	// Sharpness is what a network learns last.
	blurShare   = 0.5
	blurSamples = 5 // where the length of the run is not known
	// Samples that gained so much since the last time are on their way.
	gaining = 1.1
)

// late tells whether there are two sets of samples, the last one in the part of a run where fine detail can be judged.
func (v *view) late(s series) bool {
	n := len(s)
	return n >= 2 && s[n-1].kimg >= max(young, blurShare*v.TotalKimg) && (v.TotalKimg > 0 || n >= blurSamples)
}

// blurrySamples compares the fine detail of the samples with that of the data.
func blurrySamples(v *view) (Finding, bool) {
	s := v.trained("sample_detail")
	data, ok := v.last("data_detail")
	if !ok || data.v <= 0 || !v.late(s) || !v.enoughSamples() {
		return Finding{}, false
	}
	now, before := s[len(s)-1], s[len(s)-2]
	if now.v >= blurred*data.v || now.v > gaining*before.v {
		return Finding{}, false
	}
	if _, dead := deadNetwork(v); dead {
		return Finding{}, false // that is why
	}
	f := Finding{
		Severity: Warning, Kimg: now.kimg,
		Title: "the samples are blurred",
		Evidence: fmt.Sprintf("fine detail %s at %s and %s at %s; real pictures have %s", num(before.v), at(before.kimg), num(now.v),
			at(now.kimg), num(data.v)),
	}
	longer := ""
	if v.TotalKimg > 0 {
		longer = fmt.Sprintf("train longer: --kimg %g", 2*v.TotalKimg)
	}
	lighter := v.halfWeight()
	if lighter != "" {
		lighter = "lower the weight of the term, which may be in conflict with the rest of the loss: " + lighter
	}
	switch v.Family {
	case "gan":
		sharper := "let the critic see more: --critic-steps 5"
		switch v.Objective {
		case "tigas-only":
			sharper = "the score alone may not ask for detail: " + withCritic
		case "wgan-gp":
			sharper = "let the critic see more: --gp-lambda 5"
		}
		f.Remedy = list("; ", lighter, sharper, longer)
	case "stylegan":
		f.Remedy = list("; ", lighter, "weaken R1, which may be too strong: "+v.gamma(0.5, "half"), longer)
	case "vae":
		// A squared error is least for the mean of all pictures that a latent may stand for.
		f.Severity = Info
		f.Remedy = "that is what VAEs do: try --beta 0.5"
		if v.Weight == 0 {
			f.Remedy += ", and let the term make them sharper: --tigas-weight 0.1"
		} else {
			f.Remedy += ", and let the term judge samples too: --tigas-on both"
		}
	default:
		f.Remedy = list("; ", lighter, "sample in more steps: --sample-steps 100", longer)
	}
	return f, true
}

// gamma is the flag for a multiple of R1's weight, in words where that is not known.
func (v *view) gamma(by float64, words string) string {
	if v.Gamma > 0 {
		return "--gamma " + significant(by*v.Gamma, 2)
	}
	return words + " of the present --gamma"
}
