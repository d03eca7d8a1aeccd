package sched

import (
	"fmt"
	"math"
)

// Noise is the noise schedule of a diffusion process of T steps: how much of the image is left at step t,
//
//	x_t = sqrt(AlphaBar(t)) x_0 + sqrt(1 - AlphaBar(t)) noise,   0 <= t < T
//
// (Ho et al. 2020, arXiv 2006.11239). It is computed in float64 and never changes.
type Noise struct {
	kind string
	bars []float64 // AlphaBar
}

// Kinds of noise schedules.
const (
	LinearNoise  = "linear"  // betas from 1e-4 to 0.02 in a straight line, scaled by 1000/T (Ho et al. 2020)
	CosineNoise  = "cosine"  // AlphaBar is a squared cosine (Nichol and Dhariwal 2021, arXiv 2102.09672)
	SigmoidNoise = "sigmoid" // AlphaBar is a sigmoid from -3 to 3 (Jabri et al. 2022, arXiv 2212.11972)
)

// maxBeta keeps the last steps of a schedule from removing everything at once, as Nichol and Dhariwal have it.
const maxBeta = 0.999

// NewNoise returns the schedule of a kind with T steps, 1 to 100,000.
func NewNoise(kind string, steps int) (*Noise, error) {
	if steps < 1 || steps > 100_000 {
		return nil, fmt.Errorf("sched: noise: got %d steps vs 1 to 100000", steps)
	}
	n := &Noise{kind: kind, bars: make([]float64, steps)}
	total := float64(steps)
	// left is how much of the image is left after a share u of the process, up to a factor.
	var beta func(t int) float64
	fromLeft := func(left func(u float64) float64) {
		beta = func(t int) float64 { return 1 - left(float64(t+1)/total)/left(float64(t)/total) }
	}
	switch kind {
	case LinearNoise:
		beta = func(t int) float64 {
			u := 0.0
			if steps > 1 {
				u = float64(t) / float64(steps-1)
			}
			return 1000 / total * (1e-4 + (0.02-1e-4)*u)
		}
	case CosineNoise:
		fromLeft(func(u float64) float64 {
			c := math.Cos((u + 0.008) / 1.008 * math.Pi / 2)
			return c * c
		})
	case SigmoidNoise:
		sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
		fromLeft(func(u float64) float64 { return sigmoid(3) - sigmoid(6*u-3) })
	default:
		return nil, fmt.Errorf("sched: noise: got the schedule %q vs linear, cosine or sigmoid", kind)
	}
	bar := 1.0
	for t := range n.bars {
		bar *= 1 - min(max(beta(t), 0), maxBeta)
		n.bars[t] = bar
	}
	return n, nil
}

// Kind is the name that [NewNoise] takes: [LinearNoise], [CosineNoise] or [SigmoidNoise].
func (n *Noise) Kind() string { return n.kind }

// Steps is T, the number of timesteps; they are 0 to T-1.
func (n *Noise) Steps() int { return len(n.bars) }

// AlphaBar is the share of the image's variance that is left at step t, falling from nearly 1 to nearly 0; 1 for t = -1,
// the image itself. It panics for any other t outside of 0 to T-1.
func (n *Noise) AlphaBar(t int) float64 {
	if t == -1 {
		return 1
	}
	return n.bars[t]
}

// Beta is the variance of the noise that step t adds: 1 - AlphaBar(t) / AlphaBar(t-1).
func (n *Noise) Beta(t int) float64 { return 1 - n.AlphaBar(t)/n.AlphaBar(t-1) }

// SNR is the ratio of signal to noise at step t, AlphaBar / (1 - AlphaBar).
func (n *Noise) SNR(t int) float64 { return n.AlphaBar(t) / (1 - n.AlphaBar(t)) }

// Before is the number of steps whose AlphaBar is at least least: t < Before is the part of the process where an image can
// be told from noise well enough to judge it.
func (n *Noise) Before(least float64) int {
	for t, bar := range n.bars {
		if bar < least {
			return t
		}
	}
	return len(n.bars)
}
