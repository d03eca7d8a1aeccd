package main

import (
	"math"

	"github.com/spf13/pflag"

	"github.com/tigas-train/tigas-train/pkg/sched"
)

// lrFlags are the flags of a learning rate that changes over the run.
type lrFlags struct {
	Rate   float64
	Warmup string
	Decay  string
}

// register takes the values that l has as defaults.
func (l *lrFlags) register(f *pflag.FlagSet) {
	f.Float64Var(&l.Rate, "lr", l.Rate, "learning rate")
	f.StringVar(&l.Warmup, "lr-warmup", l.Warmup, "the learning rate rises from 0 over this length: 500step, 20kimg or 0")
	f.StringVar(&l.Decay, "lr-decay", l.Decay, "then it stays (none) or falls to 0 until the end of the run (cosine, linear)")
}

// schedule is the learning rate over a run of some thousand images in batches.
func (l lrFlags) schedule(kimg float64, batch int) (sched.Any, error) {
	fail := func(err error) (sched.Any, error) { return sched.Any{}, err }
	if math.IsNaN(l.Rate) || l.Rate <= 0 || l.Rate > 10 {
		return fail(usagef("--lr: got %v vs a number above 0, at most 10", l.Rate))
	}
	warm, err := sched.ParseSpan(l.Warmup)
	if err != nil {
		return fail(usagef("--lr-warmup: %s", err))
	}
	switch warm.Unit {
	case sched.Step:
		warm = sched.Span{N: warm.N * float64(batch) / 1000, Unit: sched.Kimg}
	case sched.Kimg:
	default:
		if warm.N != 0 {
			return fail(usagef("--lr-warmup: got %s vs a number of steps or kimg", l.Warmup))
		}
		warm = sched.Span{Unit: sched.Kimg}
	}
	rest := sched.Span{N: max(kimg-warm.N, 0), Unit: sched.Kimg}
	var s sched.Schedule
	switch l.Decay {
	case "none":
		s = sched.Constant{Value: l.Rate}
	case "cosine":
		s = sched.Cosine{From: l.Rate, Over: rest}
	case "linear":
		s = sched.Linear{From: l.Rate, Over: rest}
	default:
		return fail(usagef("--lr-decay: got %q vs none, cosine or linear", l.Decay))
	}
	if warm.N > 0 {
		s = sched.Chain{First: sched.Linear{To: l.Rate, Over: warm}, For: warm, Then: s}
	}
	return sched.Any{Schedule: s}, nil
}

// stepsToKimg sets the length of a run that is given in steps.
func stepsToKimg(f *pflag.FlagSet, steps int64, batch int, kimg *float64) error {
	if !f.Changed("steps") {
		return nil
	}
	if f.Changed("kimg") {
		return usagef("--steps and --kimg: got both vs one length of the run")
	}
	if steps < 1 || steps > 1e12 {
		return usagef("--steps: got %d vs at least 1", steps)
	}
	*kimg = float64(steps) * float64(batch) / 1000
	return nil
}
