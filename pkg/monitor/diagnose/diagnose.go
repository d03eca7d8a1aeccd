// Package diagnose reads the log of a run and says what is wrong with it: which disease, by which numbers, and which flag
// helps.
//
// A rule speaks when the numbers leave little doubt, and is silent otherwise: an alarm that is often wrong is soon not read.
// Its thresholds stand beside it with their reasons; many come from the log files of runs that went well, which are in testdata.
package diagnose

import (
	"fmt"
	"slices"

	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// Run is what the log does not say about a run. The zero value of a field is not known, or none.
type Run struct {
	Family    string  // gan, stylegan, vae or diffusion
	Objective string  // of a gan, the name of its loss: wgan-gp, tigas-only
	Weight    float64 // of the TIGAS term after its warm-up; 0: no term
	AtStart   bool    // the term has its full weight from the first step
	Every     int     // the term is applied on every so many steps; 0: 1
	Augmented bool    // the detector sees images that were changed slightly
	ClipGrad  float64 // largest norm of the gradient; 0: no limit
	TotalKimg float64 // length of the run in thousands of images
	Samples   int     // pictures that the samples' values are of; 0: not known, taken for 64
	Gamma     float64 // of a stylegan, the weight of R1
}

// Severity says how much a finding matters.
type Severity int

const (
	Info    Severity = iota // worth knowing: nothing has to be done
	Warning                 // the run could be better
	Problem                 // what comes of this run will be of little use
)

// String is the severity in one word of small letters.
func (s Severity) String() string {
	switch s {
	case Info:
		return "info"
	case Warning:
		return "warning"
	case Problem:
		return "problem"
	}
	return fmt.Sprintf("severity %d", int(s))
}

// Finding is one thing that is wrong. Its texts are one line each.
type Finding struct {
	Rule     string // the ID of the [Rule]
	Severity Severity
	Title    string  // what is wrong
	Evidence string  // what was measured, where, and against what
	Remedy   string  // what to change: "--flag value" where it has values
	Kimg     float64 // since when it holds, or when it was seen
}

// String is the finding in one line, without the severity.
func (f Finding) String() string {
	return fmt.Sprintf("%s (%s): %s; %s", f.Title, f.Rule, f.Evidence, f.Remedy)
}

// Rule is one disease.
type Rule struct {
	ID       string   // stable, small letters with hyphens
	LooksFor string   // in words
	Remedy   string   // in general; that of a finding has the values
	Severity Severity // the highest that it gives

	check func(*view) (Finding, bool)
}

var rules = []Rule{
	{"bad-gradients", "gradients that are not finite or grow by orders of magnitude",
		"lower the learning rate, clip the gradient", Problem, badGradients},
	{"dead-network", "a network whose gradient is 0: it does not learn any more",
		"begin again, or go back to a snapshot from before, with a lower learning rate", Problem, deadNetwork},
	{"term-dropped", "steps in which the detector gave no finite score or gradient",
		"look at the detector; clipping does not help", Problem, termDropped},
	{"mode-collapse", "samples that become alike",
		"go back to a snapshot, lower the weight of the term, keep the critic strong", Problem, modeCollapse},
	{"detector-fooled", "a score that a small blur or compression of the samples takes away, one far above that of real pictures, " +
		"or one as theirs while the term outweighs the rest or the samples are noisy",
		"make it harder with --tigas-augment, lower the weight", Problem, detectorFooled},
	{"weight-too-large", "a term that outweighs the rest of the loss",
		"lower the weight", Problem, weightTooLarge},
	{"critic-won", "a discriminator that is never wrong any more",
		"make the discriminator slower or regularise it more", Problem, criticWon},
	{"posterior-collapse", "a VAE whose decoder ignores the latents",
		"lower --beta, raise --free-bits", Problem, posteriorCollapse},
	{"loss-diverging", "a VAE or diffusion model whose error rises",
		"lower the learning rate, from an earlier snapshot", Problem, lossDiverging},
	{"term-never-ran", "a term with a weight that has not been applied once",
		"let it begin sooner, or apply it more often", Warning, termNeverRan},
	{"weight-not-reached", "a warm-up of the term that is longer than the run",
		"set --tigas-warmup auto, or train longer", Warning, weightNotReached},
	{"score-not-rising", "a score that stays low with the full weight",
		"raise the weight; if it is high already, look at the detector", Warning, scoreNotRising},
	{"blurry-samples", "samples with much less fine detail than the data, late in the run",
		"by family: lower the weight or the regulariser; for a VAE turn to the term itself", Warning, blurrySamples},
	{"no-warmup", "a term with its full weight from the first step of a GAN or StyleGAN",
		"set --tigas-warmup auto", Warning, noWarmup},
	{"slow-detector", "a detector that takes most of a step's time",
		"call it less often with --tigas-every", Warning, slowDetector},
}

// Rules returns all rules, in the order in which their findings of one severity come.
func Rules() []Rule { return slices.Clone(rules) }

// Check looks for everything that is wrong with a run, at most one finding for each rule: the most severe first, then in the
// order of [Rules]. entries are the log from its beginning, as [monitor.ReadLog] returns them, with or without those that
// the run has trained again since. It keeps nothing and changes nothing.
func Check(r Run, entries []monitor.LogEntry) []Finding {
	v := newView(r, entries)
	var found []Finding
	for _, rule := range rules {
		if f, ok := rule.check(v); ok {
			f.Rule = rule.ID
			found = append(found, f)
		}
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return int(b.Severity - a.Severity) })
	return found
}
