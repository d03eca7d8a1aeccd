package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/roc"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// checkDetector is one call of `detector check`.
type checkDetector struct {
	Real, Fake         []string
	Size, Batch, Limit int
	Workers            int
	Seed               int64
	JSON, ROC, Plot    string
	MinAUC             float64
	model              string
	sys                systemFlags
	console            *monitor.Console
	out                io.Writer
	detector           *tigas.Detector
}

func newDetectorCheck() *cobra.Command {
	o := checkDetector{Batch: 32, Limit: 5000}
	cmd := &cobra.Command{
		Use:   "check DETECTOR",
		Short: "Is a detector worth using as a loss? ROC curve and area on your own pictures",
		Long: `Score your own real and generated pictures with a detector and say whether it tells
them apart: the area under the ROC curve (0.5: it guesses, 1: it is never wrong), the
accuracy at 0.5, what is left of both when the pictures are compressed, blurred, noisy or
scaled, and whether its score has a gradient where a generator would need one. A detector
that guesses on your pictures moves a generator in random directions: the verdict says so.`,
		Example: `  tigas-train detector check tigas.pt --real photos/ --fake samples/
  tigas-train detector check hub --real photos/ --fake samples/ --roc roc.png --plot scores.png --json check.json
  tigas-train detector check tigas.pt --real photos/ --fake samples/ --min-auc 0.8    # exit code 3 below`,
		Args: oneArg("a detector: a file, hub or embedded"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.model, o.out = args[0], cmd.OutOrStdout()
			o.console = o.sys.console(cmd.ErrOrStderr())
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.Real, "real", nil, "real pictures: folder, .zip, CIFAR-10, MNIST or demo; may be repeated")
	f.StringArrayVar(&o.Fake, "fake", nil, "generated pictures, likewise")
	f.IntVar(&o.Limit, "limit", o.Limit, "pictures of each kind that are looked at, evenly over the set; 0: all")
	f.IntVar(&o.Size, "size", 0, "height and width that pictures are scaled to (default the detector's own)")
	f.IntVar(&o.Batch, "batch", o.Batch, "pictures that are scored at once")
	f.IntVar(&o.Workers, "workers", 0, "decoding goroutines (default one for each core, at most 8)")
	f.Int64Var(&o.Seed, "seed", 0, "seed of the noise in degraded pictures")
	f.StringVar(&o.JSON, "json", "", "write all figures to `FILE`, - for standard output in place of the table")
	f.StringVar(&o.ROC, "roc", "", "write the ROC curve to `FILE.png`")
	f.StringVar(&o.Plot, "plot", "", "write the histograms of both kinds' scores to `FILE.png`")
	f.Float64Var(&o.MinAUC, "min-auc", 0, "exit with code 3 when the area is lower, for scripts")
	o.sys.register(f)
	return cmd
}

func (o *checkDetector) validate() error {
	switch {
	case len(o.Real) == 0 || len(o.Fake) == 0:
		return usagef("detector check wants both --real and --fake").withHint("--fake takes the samples of the generator that you " +
			"want to train, or of one like it")
	case o.Limit < 0:
		return usagef("--limit: got %d vs at least 1, or 0 for all", o.Limit)
	case o.Size < 0 || o.Size > 4096:
		return usagef("--size: got %d vs 1 to 4096", o.Size)
	case o.Workers < 0 || o.Workers > 1024:
		return usagef("--workers: got %d vs 1 to 1024", o.Workers)
	case o.Batch < 1 || o.Batch > 4096:
		return usagef("--batch: got %d vs 1 to 4096", o.Batch)
	case !(o.MinAUC >= 0 && o.MinAUC <= 1):
		return usagef("--min-auc: got %v vs 0 to 1", o.MinAUC)
	}
	return checkOutputs(o.outputs()...)
}

// outputs are the files that were asked for.
func (o *checkDetector) outputs() []output {
	return []output{{"--json", o.JSON, ".json"}, {"--roc", o.ROC, ".png"}, {"--plot", o.Plot, ".png"}}
}

func (o *checkDetector) run(ctx context.Context) error {
	if err := o.validate(); err != nil {
		return err
	}
	if err := prepareOutputs(o.outputs()...); err != nil {
		return err
	}
	device, err := o.sys.start()
	if err != nil {
		return err
	}
	var sets [2]data.Dataset
	for i, paths := range [][]string{o.Real, o.Fake} {
		if sets[i], err = openSets([]string{"real", "fake"}[i], paths, max(o.Size, 32)); err != nil {
			return err
		}
	}
	return torch.Scoped(func(root *torch.Scope) error {
		o.detector, err = openDetector(ctx, o.console, root, o.model, false, tigas.OpenOptions{Device: device, Height: o.Size})
		if err != nil {
			return err
		}
		if o.Size == 0 {
			o.Size = o.detector.ImageSize
		}
		j, err := trainers.JudgeDetector(ctx, o.detector, sets[0], sets[1], trainers.JudgeOptions{Size: o.Size, Batch: o.Batch,
			Most: o.Limit, Workers: o.Workers, Seed: o.Seed, OnProgress: func(done, total int) {
				o.console.Status("scored %d of %d pictures", done, total)
			}, OnBroken: func(_ bool, l []data.Broken) {
				for _, b := range l {
					o.console.Warn("skipping a picture: %v", b.Err)
				}
			}})
		o.console.Done()
		if err != nil {
			if ctx.Err() != nil {
				return &hinted{code: exitInterrupt, err: errors.New("stopped before all pictures were scored: nothing was written")}
			}
			if errors.Is(err, data.ErrNoImages) {
				return coded(exitData, err)
			}
			return err
		}
		return o.report(sets, j)
	})
}

// report prints what was found and writes the figures. What was measured is printed before anything can fail.
func (o *checkDetector) report(sets [2]data.Dataset, j *trainers.Judgement) error {
	var err error
	if o.JSON == "-" {
		err = o.writeJSON(o.out, sets, j)
	} else {
		o.print(sets, j)
	}
	if o.JSON != "" && o.JSON != "-" {
		err = errors.Join(err, monitor.WriteFile(o.JSON, func(w io.Writer) error { return o.writeJSON(w, sets, j) }))
	}
	err = errors.Join(err, o.figures(j))
	if err != nil {
		return coded(exitOutput, err)
	}
	if j.Figures.AUC < o.MinAUC {
		return (&hinted{code: exitData, err: fmt.Errorf("detector %s has an area under the ROC curve of %.4f vs at least %g", o.detector.Name,
			j.Figures.AUC, o.MinAUC)}).withHint("train one of your own: tigas-train detector train --real DIR --fake DIR --out RUN")
	}
	return nil
}

// figures draws what was asked for.
func (o *checkDetector) figures(j *trainers.Judgement) error {
	var errs []error
	draw := func(path string, make func() (image.Image, error)) {
		if path == "" {
			return
		}
		img, err := make()
		if err == nil {
			err = monitor.WritePNG(path, img)
		}
		errs = append(errs, err)
	}
	name := shortName(o.detector.Name)
	draw(o.ROC, func() (image.Image, error) {
		curve, err := roc.New(j.Real, j.Fake)
		if err != nil {
			return nil, err
		}
		return monitor.ROC(name, curve)
	})
	draw(o.Plot, func() (image.Image, error) {
		return monitor.ScoreHistogram("Scores by "+name, 0.5, monitor.Population{Name: "real", Scores: wide(j.Real)},
			monitor.Population{Name: "generated", Scores: wide(j.Fake)})
	})
	return errors.Join(errs...)
}

func (o *checkDetector) print(sets [2]data.Dataset, j *trainers.Judgement) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(o.out, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	f := j.Figures
	row("detector", "%s, sha256 %.12s, at %dx%d", o.detector.Name, o.detector.SHA256, o.Size, o.Size)
	row("real", "%s: %d pictures, mean score %.3f", sets[0].Name(), f.Real, f.MeanReal)
	row("generated", "%s: %d pictures, mean score %.3f", sets[1].Name(), f.Fake, f.MeanFake)
	row("ROC", "area %.4f, accuracy at 0.5 %.3f", f.AUC, f.Accuracy)
	for _, d := range j.Degraded {
		row("", "%-8s area %.4f, accuracy %.3f  (%s)", d.Kind, d.AUC, d.Accuracy, d.Setting)
	}
	row("slope", "%.2g: what a step of 1/255 along the gradient adds to a generated picture's score", f.Slope)
	row("saturated", "%.0f%% of the generated pictures (s(1-s) < 0.01)", 100*f.Saturated)
	if n := j.BrokenReal + j.BrokenFake; n > 0 {
		row("broken", "%d picture(s) could not be decoded and were left out", n)
	}
	row("verdict", "%s", j.Verdict.Text)
	for _, a := range j.Verdict.Advice {
		row("advice", "%s", a)
	}
}

// checkJSON is what --json writes.
type checkJSON struct {
	Detector string                     `json:"detector"`
	SHA256   string                     `json:"sha256"`
	Size     int                        `json:"size"`
	Real     string                     `json:"real"`
	Fake     string                     `json:"fake"`
	Figures  trainers.DetectorFigures   `json:"figures"`
	Degraded []trainers.DegradedFigures `json:"degraded"`
	Verdict  trainers.DetectorVerdict   `json:"verdict"`
	Broken   int                        `json:"broken"`
	Scores   checkScores                `json:"scores"`
}

type checkScores struct {
	Real []float32 `json:"real"`
	Fake []float32 `json:"fake"`
}

func (o *checkDetector) writeJSON(w io.Writer, sets [2]data.Dataset, j *trainers.Judgement) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(checkJSON{o.detector.Name, o.detector.SHA256, o.Size, sets[0].Name(), sets[1].Name(), j.Figures, j.Degraded,
		j.Verdict, j.BrokenReal + j.BrokenFake, checkScores{j.Real, j.Fake}})
}

func wide(l []float32) []float64 {
	out := make([]float64, len(l))
	for i, v := range l {
		out[i] = float64(v)
	}
	return out
}
