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
)

// modeCollapse compares the diversity of the samples with the highest that it was, and with that of the data. What is higher
// than the data does not count: StyleGAN's first images are twice as different as real ones.
func modeCollapse(v *view) (Finding, bool) {
	s := v.trained("sample_diversity")
	data, ok := v.last("data_diversity")
	n := len(s)
	if !ok || data.v <= 0 || n == 0 || s[n-1].kimg < young {
		return Finding{}, false
	}
	now := s[n-1]
	f := Finding{Title: "the samples become alike", Severity: Problem, Kimg: now.kimg}
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
	case n > 2 && now.v < shrunk*usual && s[n-2].v < shrunk*usual:
		f.Severity, f.Kimg = Warning, s[n-2].kimg
	case n >= alikeSamples && now.v < collapsed*data.v && v.past(alikeShare):
		f.Severity, f.Title = Warning, "the samples are alike"
		fallen = fmt.Sprintf("diversity %s at %s, and never more than %s; real pictures have %s", num(now.v), at(now.kimg),
			num(max(best.v, now.v)), num(data.v))
	default:
		return Finding{}, false
	}
	f.Evidence, f.Remedy = fallen, v.moreDiverse(best)
	return f, true
}

// moreDiverse is what keeps the samples of a family apart. best is where they were.
func (v *view) moreDiverse(best point) string {
	back := ""
	if best.v > 0 {
		back = "go back to a snapshot of " + at(best.kimg) + " (--resume RUN/snapshots/FILE)"
	}
	lighter := v.lighter(0.5)
	switch v.Family {
	case "gan":
		switch v.Objective {
		case "tigas-only":
			return "nothing but a critic keeps samples apart: a new run with --loss wgan-gp and --tigas-weight 0.1"
		case "wgan-gp":
			return list(", ", back, lighter, v.slower("G"))
		}
		return list(", ", back, lighter, v.slower("G"), "or a new run with --loss wgan-gp")
	case "stylegan":
		return list(", ", back, lighter, "--pl-weight 2", "for a small data set --aug color,translation,cutout")
	case "vae":
		if v.Weight > 0 {
			return list(", ", back, lighter, "--tigas-on recon")
		}
		return list(", ", back, "--beta 0.5", "or --free-bits 0.25")
	}
	return list(", ", back, lighter, v.slower("net"))
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

// blurrySamples compares the fine detail of the samples with that of the data.
func blurrySamples(v *view) (Finding, bool) {
	s := v.trained("sample_detail")
	data, ok := v.last("data_detail")
	n := len(s)
	if !ok || data.v <= 0 || n < 2 || s[n-1].kimg < max(young, blurShare*v.TotalKimg) || v.TotalKimg == 0 && n < blurSamples {
		return Finding{}, false
	}
	now, before := s[n-1], s[n-2]
	if now.v >= blurred*data.v || now.v > gaining*before.v {
		return Finding{}, false
	}
	f := Finding{
		Severity: Warning, Kimg: now.kimg,
		Title: "the samples are blurred",
		Evidence: fmt.Sprintf("fine detail %s at %s and %s at %s; real pictures have %s", num(before.v), at(before.kimg), num(now.v),
			at(now.kimg), num(data.v)),
	}
	longer := ""
	if v.TotalKimg > 0 {
		longer = fmt.Sprintf("a longer run: --kimg %g", 2*v.TotalKimg)
	}
	lighter := v.lighter(0.5)
	if lighter != "" {
		lighter = "the term may be in conflict with the rest of the loss: " + lighter
	}
	switch v.Family {
	case "gan":
		sharper := "--critic-steps 5"
		if v.Objective == "wgan-gp" {
			sharper = "--gp-lambda 5"
		}
		f.Remedy = list("; ", lighter, "a critic that sees more: "+sharper, longer)
	case "stylegan":
		f.Remedy = list("; ", lighter, "R1 may be too strong: half of --gamma", longer)
	case "vae":
		// A squared error is least for the mean of all pictures that a latent may stand for.
		f.Severity = Info
		f.Remedy = "that is what VAEs do: --beta 0.5"
		if v.Weight == 0 {
			f.Remedy += ", and the term makes them sharper: --tigas-weight 0.1"
		} else {
			f.Remedy += ", and the term makes samples sharper with --tigas-on both"
		}
	default:
		f.Remedy = list("; ", lighter, "more steps of sampling: --sample-steps 100", longer)
	}
	return f, true
}
