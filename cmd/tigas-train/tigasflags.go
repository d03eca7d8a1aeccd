package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// tigasFlags are the flags of the TIGAS term.
type tigasFlags struct {
	Model        string    `json:"model"`
	Weight       float64   `json:"weight"`
	Start        string    `json:"start"`
	Warmup       string    `json:"warmup"`
	Every        int64     `json:"every"`
	NoCompensate bool      `json:"no_compensate"`
	Form         string    `json:"form"`
	Scales       []float64 `json:"scales"`
	NoAntialias  bool      `json:"no_antialias"`
	Augment      bool      `json:"augment"`
}

func (t *tigasFlags) register(f *pflag.FlagSet, weight float64) {
	f.Float64Var(&t.Weight, "tigas-weight", weight, "weight of the TIGAS term; 0: no detector")
	f.StringVar(&t.Model, "tigas-model", "", modelHelp+" (default embedded for demo data, else hub)")
	f.StringVar(&t.Start, "tigas-start", "0", "no term before this point: 20kimg, 500step or 2epoch")
	f.StringVar(&t.Warmup, "tigas-warmup", "auto", "the weight rises from 0 over this length: 10epoch, 500step, 20kimg, 0, or auto: a fifth of the run")
	f.Int64Var(&t.Every, "tigas-every", 1, "apply the term on every k-th generator step, k times as strong")
	f.BoolVar(&t.NoCompensate, "tigas-no-compensate", false, "with --tigas-every: do not multiply by k")
	f.StringVar(&t.Form, "tigas-form", "linear", "linear: 1-s; log: -log s, stronger while everything looks generated; logit: log on the detector's own logit")
	f.Var((*numbers)(&t.Scales), "tigas-scales", "score at these scales and average, e.g. 1,0.5; none: at 1")
	f.BoolVar(&t.NoAntialias, "tigas-no-antialias", false, "shrink for --tigas-scales by sampling, as torch's interpolate")
	f.BoolVar(&t.Augment, "tigas-augment", false, "change the images slightly before scoring, so that the detector is harder to fool")
}

func (t tigasFlags) validate() error {
	if err := finite("tigas-weight", t.Weight); err != nil {
		return err
	}
	if t.Every < 1 {
		return usagef("--tigas-every: got %d vs at least 1", t.Every)
	}
	if _, err := tigas.ParseForm(t.Form); err != nil {
		return &hinted{code: exitUsage, err: err}
	}
	return nil
}

// schedule is the weight over the run. kimg is the run's length, for the automatic warm-up.
func (t tigasFlags) schedule(kimg float64) (sched.Schedule, error) {
	start, err := sched.ParseSpan(t.Start)
	if err != nil {
		return nil, usagef("--tigas-start: %s", err)
	}
	warm := sched.Span{N: kimg / 5, Unit: sched.Kimg}
	if t.Warmup != "auto" {
		if warm, err = sched.ParseSpan(t.Warmup); err != nil {
			return nil, usagef("--tigas-warmup: %s", err)
		}
	}
	w, err := sched.NewWarmup(t.Weight, warm, start)
	if err != nil {
		return nil, usagef("%s", err)
	}
	return w, nil
}

func (t tigasFlags) interval() sched.Interval {
	return sched.Interval{Every: t.Every, Compensate: !t.NoCompensate}
}

func (t tigasFlags) options(seed int64) tigas.LossOptions {
	form, _ := tigas.ParseForm(t.Form) // validated
	o := tigas.LossOptions{Range: tigas.Symmetric, Form: form, Scales: t.Scales, NoAntialias: t.NoAntialias}
	if t.Augment {
		o.Augment = tigas.DefaultAugment(uint64(seed))
	}
	return o
}

// open loads the detector, or returns nil when the weight is 0.
func (t tigasFlags) open(ctx context.Context, console *monitor.Console, s *torch.Scope, device torch.Device,
	dtype torch.DType, d dataFlags) (*tigas.Detector, error) {
	if t.Weight == 0 {
		return nil, nil
	}
	o := tigas.OpenOptions{Device: device, Height: d.Resolution, Logit: t.Form == tigas.Logit.String(), DType: dtype}
	detector, err := openDetector(ctx, console, s, t.Model, d.demo(), o)
	var h *hinted
	if t.Model == "" && errors.As(err, &h) && h.code == exitData && h.hint != "" {
		h.hint += "; --tigas-weight 0 trains without one"
	}
	return detector, err
}

func (t tigasFlags) describe(d *tigas.Detector) string {
	if d == nil {
		return ", no TIGAS term"
	}
	in := ""
	if d.DType != torch.Float32 {
		in = fmt.Sprintf(" in %s", d.DType)
	}
	return fmt.Sprintf(" + %g * TIGAS (%s, detector %s %.12s%s)", t.Weight, t.Form, d.Name, d.SHA256, in)
}
