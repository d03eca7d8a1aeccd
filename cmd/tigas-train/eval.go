package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/metric"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// evalCommand is the command line of `eval`.
type evalCommand struct {
	data, model string
	n           int
	seed        int64
	json        bool
	sampling    samplingFlags
	sys         systemFlags
}

// evaluation is what `eval` says of a run.
type evaluation struct {
	Run      string   `json:"run"`
	Snapshot string   `json:"snapshot"`
	Samples  int      `json:"samples"`
	Seed     int64    `json:"seed"`
	Data     string   `json:"data"`
	Pictures int      `json:"pictures"`
	Broken   int      `json:"broken,omitempty"` // pictures that cannot be read, others stand in for them
	Distance float64  `json:"frechet_random_features"`
	Score    *float64 `json:"score,omitempty"` // mean; of real pictures beside it
	Real     *float64 `json:"score_real,omitempty"`
	Model    string   `json:"model,omitempty"`
}

func newEval() *cobra.Command {
	var e evalCommand
	cmd := &cobra.Command{
		Use:   "eval RUN...",
		Short: "Measure how near a run's pictures are to real ones",
		Long: `Draw pictures with the model of a run folder (its newest snapshot) or of one snapshot file, and print
a Fréchet distance between them and real pictures, and their mean TIGAS score. The distance is taken on
a fixed random network that no part of the training saw. It is not FID: compare it with other runs
on the same data only. Runs on the demo pictures are compared with demo pictures that were held out.`,
		Example: `  tigas-train eval runs/a runs/b
  tigas-train eval runs/style --data held-out/ --n 10000 --trunc 0.7
  tigas-train eval runs/diffusion --steps 20 --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("%s takes run folders or snapshots; got none", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if e.n < 2 || e.n > 10_000_000 {
				return usagef("--n: got %d vs 2 to 10000000", e.n)
			}
			e.sampling.given = cmd.Flags().Changed
			device, err := e.sys.start()
			if err != nil {
				return err
			}
			console := e.sys.console(cmd.ErrOrStderr())
			if err := e.check(console, args, device); err != nil {
				return err
			}
			for _, path := range args {
				r, err := e.measure(cmd.Context(), console, path, device)
				if err != nil {
					return err
				}
				if err = r.print(cmd.OutOrStdout(), e.json); err != nil {
					return coded(exitOutput, err)
				}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&e.data, "data", "", "real pictures (default those of the run; for the demo, held-out ones)")
	f.StringVar(&e.model, "model", "", modelHelp+"; none: no score (default that of the run)")
	f.IntVar(&e.n, "n", 2048, "number of samples, and of real pictures where there are as many")
	f.Int64Var(&e.seed, "seed", 0, "seed of the latents")
	f.BoolVar(&e.json, "json", false, "print one JSON object for each run")
	e.sampling.register(f)
	e.sys.register(f)
	return cmd
}

func (r evaluation) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	score := ""
	if r.Score != nil {
		score = fmt.Sprintf("  score %.4f (real %.4f)", *r.Score, *r.Real)
	}
	_, err := fmt.Fprintf(w, "distance %.3f%s  %d samples of %s against %d pictures of %s\n", r.Distance, score, r.Samples,
		monitor.Printable(r.Run), r.Pictures, monitor.Printable(r.Data))
	return err
}

// enough is how many pictures give a distance that is more than noise: the covariance of the features has FeatureWidth
// dimensions.
const enough = 2 * metric.FeatureWidth

// check reads every run before the first one is measured, which takes long.
func (e *evalCommand) check(console *monitor.Console, paths []string, device torch.Device) error {
	var families []string
	for _, path := range paths {
		err := torch.Scoped(func(s *torch.Scope) error {
			m, err := loadRun(s, path, device)
			if err != nil {
				return err
			}
			families = append(families, m.config.Command)
			if err = e.sampling.set(s, m, e.seed); err != nil {
				return err
			}
			set, err := e.pictures(m.config.Data)
			if err == nil && min(e.n, set.Len()) < enough {
				console.Warn("%d samples against %d pictures of %s: below %d the distance says little", e.n, min(e.n, set.Len()), set.Name(), enough)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	slices.Sort(families)
	return e.sampling.refuse(slices.Compact(families)...)
}

// evalBatch is how many real pictures are in memory at once.
const evalBatch = 64

func (e *evalCommand) measure(ctx context.Context, console *monitor.Console, path string, device torch.Device) (r evaluation, err error) {
	root := torch.NewScope()
	defer root.Close()
	m, err := loadRun(root, path, device)
	if err != nil {
		return r, err
	}
	if err = e.sampling.set(root, m, e.seed); err != nil {
		return r, err
	}
	size := m.size
	set, err := e.pictures(m.config.Data)
	if err != nil {
		return r, err
	}
	detector, err := e.detector(ctx, console, root, m, device)
	if err != nil {
		return r, err
	}
	features, err := metric.NewRandomFeatures(root)
	if err != nil {
		return r, err
	}
	crop, err := data.ParseCrop(m.config.Data.Crop)
	if err != nil {
		return r, coded(exitSnapshot, err)
	}
	transform := data.Transform{Resolution: size, Crop: crop, Mirror: m.config.Data.Mirror} // as it was trained
	loader, err := data.NewLoader(set, data.LoaderOptions{Batch: evalBatch, Transform: transform})
	if err != nil {
		return r, coded(exitData, err)
	}
	r = evaluation{Run: path, Snapshot: m.file, Samples: e.n, Seed: e.seed, Data: set.Name(), Pictures: min(e.n, set.Len())}
	real, fake := measured{stats: metric.NewStats(root, metric.FeatureWidth)}, measured{stats: metric.NewStats(root, metric.FeatureWidth)}
	left := r.Pictures
	for b, err := range loader.Batches(ctx) {
		if stopped := interrupted(ctx, r.Pictures-left, r.Pictures, "pictures"); stopped != nil {
			return r, stopped
		}
		if err != nil {
			return r, err
		}
		n := min(left, b.N)
		err = root.Scoped(func(s *torch.Scope) error {
			x := torch.FromSlice(s, b.Pixels[:n*3*size*size], int64(n), 3, int64(size), int64(size)).ToDevice(device)
			real.add(trainers.Normalize(x), features, detector)
			return nil
		})
		if err != nil {
			return r, err
		}
		if left -= n; left == 0 {
			break
		}
	}
	for _, b := range loader.Broken() {
		console.Warn("%s: picture %d is left out: %v", set.Name(), b.Index, b.Err)
		r.Broken++
	}
	show := progress(console, "drawing", e.n)
	err = m.draw(ctx, root, e.n, e.seed, func(first int, x *torch.Tensor) error {
		fake.add(x, features, detector)
		show(first + int(x.Size(0)))
		return nil
	})
	if err != nil {
		return r, err
	}
	if r.Distance, err = metric.Frechet(real.stats, fake.stats); err != nil {
		return r, coded(exitData, err)
	}
	if detector != nil {
		r.Model, r.Score, r.Real = detector.Name, fake.mean(), real.mean()
	}
	return r, nil
}

// measured gathers pictures of one kind.
type measured struct {
	stats *metric.Stats
	score float64 // sum
}

// add takes images in [-1, 1].
func (m *measured) add(x *torch.Tensor, f *metric.RandomFeatures, d *tigas.Detector) {
	m.stats.Add(f.Of(x))
	if d != nil {
		torch.NoGrad(func() { m.score += d.Score(tigas.Symmetric.ToUnit(x)).Sum().Float64() })
	}
}

func (m *measured) mean() *float64 {
	v := m.score / float64(m.stats.N())
	return &v
}

// pictures are those that samples are compared with.
func (e *evalCommand) pictures(d dataFlags) (data.Dataset, error) {
	if e.data != "" {
		d.Data = e.data
	}
	if d.demo() {
		return data.NewDemo(d.Resolution, true), nil
	}
	set, err := data.Open(d.Data, d.Resolution)
	return set, coded(exitData, err)
}

// detector is the one that is named, or that of the run; nil for none.
func (e *evalCommand) detector(ctx context.Context, console *monitor.Console, s *torch.Scope, m *loadedRun, d torch.Device) (*tigas.Detector, error) {
	t := m.config.TIGAS.Flags
	model := e.model
	if model == "" {
		if model = t.Model; t.Weight == 0 && !m.config.Data.demo() {
			model = "none"
		}
	}
	if model == "none" {
		return nil, nil
	}
	return openDetector(ctx, console, s, model, m.config.Data.demo(), tigas.OpenOptions{Device: d, Height: m.size})
}
