package trainers

import (
	"fmt"
	"math"
	"strings"

	"github.com/tigas-train/tigas-train/pkg/roc"
)

// DetectorFigures say how well a detector tells real images from generated ones.
type DetectorFigures struct {
	Real      int     `json:"real"` // number of images
	Fake      int     `json:"fake"`
	AUC       float64 `json:"auc"`       // area under the ROC curve, 0.5 = guessing
	Accuracy  float64 `json:"accuracy"`  // with the limit at 0.5; the mean of the shares of both kinds that are right
	Loss      float64 `json:"loss"`      // binary cross-entropy against the smoothed targets, the mean of both kinds
	MeanReal  float64 `json:"mean_real"` // mean scores
	MeanFake  float64 `json:"mean_fake"`
	Saturated float64 `json:"saturated"` // share of generated images whose score s has s(1-s) < 0.01: no gradient
	// Slope is how much the score of a generated image changes, to first order, when its pixels move along the gradient by
	// 1/255 (root mean square): the median over up to 256 images. What a generator can use is about 0.01 and more. It is
	// not known from scores: 0 in the figures of [JudgeScores].
	Slope float64 `json:"slope"`
}

// saturation is the derivative of the score with respect to the logit below which a generator learns nothing to speak of.
const saturation = 0.01

// JudgeScores compares the scores of real and of generated images, in [0, 1]. smoothing is that of the targets. Figures of
// a kind without images are 0, the area is then 0.5.
func JudgeScores(real, fake []float32, smoothing float64) DetectorFigures {
	f := DetectorFigures{Real: len(real), Fake: len(fake), AUC: roc.Area(real, fake)}
	var right, loss [2]float64
	var flat int
	for k, l := range [][]float32{real, fake} {
		target := 1 - smoothing
		if k == 1 {
			target = smoothing
		}
		var sum, ok, ce float64
		for _, v := range l {
			s := float64(v)
			sum += s
			if (s > 0.5) == (k == 0) {
				ok++
			}
			c := min(max(s, 1e-7), 1-1e-7) // a score of float32 is 0 or 1 beyond
			ce -= target*math.Log(c) + (1-target)*math.Log(1-c)
			if k == 1 && s*(1-s) < saturation {
				flat++
			}
		}
		n := max(1, float64(len(l)))
		right[k], loss[k] = ok/n, ce/n
		if k == 0 {
			f.MeanReal = sum / n
		} else {
			f.MeanFake = sum / n
		}
	}
	f.Accuracy, f.Loss = (right[0]+right[1])/2, (loss[0]+loss[1])/2
	f.Saturated = float64(flat) / max(1, float64(len(fake)))
	return f
}

// better tells whether f is a better validation than g: the larger area, then the larger slope. Areas above 0.995 count as
// equal: there the scores only move further apart, and a score that is flat is no loss. A slope that is 1 % larger is no news.
func (f DetectorFigures) better(g DetectorFigures) bool {
	const enough = 0.995
	a, b := min(f.AUC, enough), min(g.AUC, enough)
	return a > b || a == b && f.Slope > 1.01*g.Slope
}

// DetectorVerdict is what figures on test images mean for the detector's use.
type DetectorVerdict struct {
	Useless   bool     `json:"useless"`   // as a loss
	Flat      bool     `json:"flat"`      // its score hardly changes with the image
	Saturated bool     `json:"saturated"` // for most generated images; see [DetectorFigures]
	Text      string   `json:"text"`
	Advice    []string `json:"advice,omitempty"`
}

const (
	usefulAUC = 0.6 // the least area of a detector that is of any use
	mostLost  = 0.2 // accuracy that a degradation may cost before advice is given
	flatSlope = 1e-3
)

// Verdict judges figures of test images that training has not seen, as they are and degraded.
func (f DetectorFigures) Verdict(degraded ...DegradedFigures) DetectorVerdict {
	var v DetectorVerdict
	chance := 0.5 + 2*roc.Chance(f.Real, f.Fake)
	switch {
	case chance >= 1:
		v.Useless = true
		v.Text = fmt.Sprintf("useless as far as can be told: %d real and %d generated test pictures are too few", f.Real, f.Fake)
		v.Advice = append(v.Advice, "give more pictures")
	case f.AUC <= 1-usefulAUC && f.AUC < 1-chance:
		v.Useless = true
		v.Text = fmt.Sprintf("useless as it stands: it takes generated pictures for real and real ones for generated (area %.3f)", f.AUC)
		v.Advice = append(v.Advice, "look whether --real and --fake are exchanged, or the detector says 1 for generated pictures: "+
			"export it with 1 - score then")
	case !(f.AUC >= usefulAUC): // NaN too
		v.Useless = true
		v.Text = fmt.Sprintf("useless: it hardly does better than guessing (area %.3f, want %g at least)", f.AUC, usefulAUC)
		v.Advice = append(v.Advice, "look whether the two sets differ at all; a detector trained on pictures like these may do better: "+
			"with more of them, a larger --resolution, a weaker --augment or more --epochs")
	case f.AUC < chance:
		v.Useless = true
		v.Text = fmt.Sprintf("useless as far as can be told: with %d real and %d generated test pictures, guessing comes to an "+
			"area of up to %.3f too", f.Real, f.Fake, chance)
		v.Advice = append(v.Advice, "give more pictures")
	case f.AUC < 0.8:
		v.Text = "weak: it sees a difference and is wrong often"
		v.Advice = append(v.Advice, "give more pictures, a larger --resolution or --width, or more --epochs")
	case f.AUC < 0.95:
		v.Text = "fair"
	default:
		v.Text = "good on pictures like these; what it says of other generators is not known"
	}
	if !v.Useless && !(f.Slope >= flatSlope) {
		v.Useless, v.Flat = true, true
		v.Text = fmt.Sprintf("useless as a loss: it tells the two apart, but its score is flat around generated pictures (slope %.1e, "+
			"want %g at least), so a generator has nothing to climb", f.Slope, flatSlope)
		v.Advice = append(v.Advice, "one trained longer with more mixtures (detector train --mixup) has a slope")
	}
	if !v.Useless && f.Saturated > 0.5 {
		v.Saturated = true
		v.Advice = append(v.Advice, fmt.Sprintf("it is sure of %.0f%% of the generated pictures and gives a generator little "+
			"gradient: use --tigas-form log, or one trained with more --smoothing", 100*f.Saturated))
	}
	var weak []string
	for _, d := range degraded {
		if !v.Useless && d.Accuracy < f.Accuracy-mostLost {
			weak = append(weak, d.Kind)
		}
	}
	if weak != nil {
		v.Advice = append(v.Advice, fmt.Sprintf("it is misled by %s: train longer, with --augment strong", strings.Join(weak, ", ")))
	}
	return v
}
