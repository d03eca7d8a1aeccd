package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// ganConfig is the content of config.json: what was run, enough to build the networks again.
type ganConfig struct {
	Command string              `json:"command"`
	Version string              `json:"version"`
	GAN     trainers.GANOptions `json:"gan"`
	Run     trainers.RunOptions `json:"run"`
	Data    dataFlags           `json:"data"`
	TIGAS   tigasConfig         `json:"tigas"`
	System  systemConfig        `json:"system"`
}

type tigasConfig struct {
	Flags  tigasFlags `json:"flags"`
	SHA256 string     `json:"sha256,omitempty"` // of the detector's file
	Weight sched.Any  `json:"weight"`
}

type systemConfig struct {
	Device   string `json:"device"`
	Threads  int    `json:"threads"`
	LibTorch string `json:"libtorch"`
}

func newGAN() *cobra.Command {
	g := trainers.DefaultGANOptions()
	var (
		r    trainers.RunOptions
		d    dataFlags
		t    tigasFlags
		sys  systemFlags
		out  string
		loss = string(g.Loss)
	)
	cmd := &cobra.Command{
		Use:   "gan",
		Short: "Train a GAN, with the TIGAS score in the generator's loss",
		Long: `Train a GAN. The generator's loss is the adversarial loss plus a weight times
1 - mean(score) of a frozen TIGAS detector. Without --data it trains on procedural
demo pictures, with the detector that is part of the program; the defaults are then
--latent 64 --ngf 16 --ndf 16 --batch 32 --ema-kimg 2 --kimg 100 --threads 1, with --g-lr 2e-3
--d-lr 2e-3 for wgan-gp, which two cores finish in about two minutes.`,
		Example: `  tigas-train gan --tigas-weight 0.1
  tigas-train gan --data photos/ --resolution 64 --tigas-model detector.pt --tigas-weight 0.1 --kimg 200 --out runs/a
  tigas-train gan --loss nonsaturating --arch resnet --device cuda
  tigas-train gan --loss tigas-only --tigas-weight 1`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if g.Loss, err = trainers.ParseGANLoss(loss); err != nil {
				return &hinted{code: exitUsage, err: err}
			}
			if err = noZero(cmd.Flags(), "kimg", "tick", "snap", "critic-steps", "g-lr", "d-lr", "beta2", "ngf", "ndf"); err != nil {
				return err
			}
			g.Resolution = d.Resolution
			if d.demo() {
				g, r.Kimg = demoDefaults(g, r.Kimg, cmd.Flags().Changed)
				if sys.Threads == 0 && g.GenWidth <= 16 {
					sys.Threads = 1 // operations this small lose more to waking a second thread than it gives
				}
			}
			return runGAN(cmd.Context(), cmd.ErrOrStderr(), cmd.OutOrStdout(), g, r, d, t, sys, out)
		},
	}
	f := cmd.Flags()
	d.register(f)
	f.StringVar(&g.Arch, "arch", g.Arch, "networks: dcgan or resnet")
	f.IntVar(&g.Latent, "latent", g.Latent, "length of the latent vector")
	f.IntVar(&g.GenWidth, "ngf", g.GenWidth, "width of the generator, in channels (default by architecture: 64; resnet at 32: 256)")
	f.IntVar(&g.CriticWidth, "ndf", g.CriticWidth, "width of the critic, in channels (default by architecture: 64; resnet at 32: 128)")
	f.Float64Var(&g.EMAKimg, "ema-kimg", g.EMAKimg, "half-life of the averaged generator, in thousands of images; 0: none")

	f.StringVar(&loss, "loss", loss, "wgan-gp, wgan-clip, nonsaturating, hinge, bce or tigas-only")
	f.IntVar(&g.CriticSteps, "critic-steps", 0, "critic updates for each generator update (default 5 for wgan-*, 1 else)")
	f.Float64Var(&g.GPLambda, "gp-lambda", g.GPLambda, "weight of the gradient penalty of wgan-gp")
	f.Float64Var(&g.Clip, "clip", g.Clip, "limit on the critic's weights of wgan-clip")
	f.Float64Var(&g.GenLR, "g-lr", 0, "learning rate of the generator (default by loss: wgan-gp 1e-4, wgan-clip 5e-5, else 2e-4)")
	f.Float64Var(&g.CriticLR, "d-lr", 0, "learning rate of the critic (default by loss, as --g-lr)")
	f.Float64Var(&g.Beta1, "beta1", g.Beta1, "Adam's beta1 (default by loss: wgan-gp 0, else 0.5)")
	f.Float64Var(&g.Beta2, "beta2", 0, "Adam's beta2 (default by loss: wgan-gp 0.9, else 0.999)")
	f.Float64Var(&g.ClipGrad, "clip-grad", 0, "largest norm of the generator's gradient; 0: no limit")
	t.register(f)

	f.Float64Var(&r.Kimg, "kimg", 0, "length of the run in thousands of real images (default 1000)")
	f.IntVar(&g.Batch, "batch", g.Batch, "images in a batch")
	f.Int64Var(&r.Seed, "seed", 0, "seed of everything random; the same seed, machine and threads give the same run")
	f.StringVar(&out, "out", "", "run folder (default the next number in runs/)")
	f.Float64Var(&r.TickKimg, "tick", 0, "distance of log lines in thousands of images (default a 50th of the run, at most 4)")
	f.Float64Var(&r.SnapKimg, "snap", 0, "distance of sample pictures and snapshots in thousands of images (default an 8th of the run, at most 200)")
	f.IntVar(&r.Grid, "grid", 8, "pictures along each side of the sample grid")
	sys.register(f)
	return cmd
}

// demoDefaults are the settings for the demo pictures where the command line has none: networks small enough and learning
// rates high enough that two cores have something to show in two minutes.
func demoDefaults(g trainers.GANOptions, kimg float64, given func(flag string) bool) (trainers.GANOptions, float64) {
	small := demoGAN(g)
	for _, f := range []struct {
		flag string
		keep func()
	}{
		{"latent", func() { small.Latent = g.Latent }},
		{"ngf", func() { small.GenWidth = g.GenWidth }},
		{"ndf", func() { small.CriticWidth = g.CriticWidth }},
		{"batch", func() { small.Batch = g.Batch }},
		{"g-lr", func() { small.GenLR = g.GenLR }},
		{"d-lr", func() { small.CriticLR = g.CriticLR }},
		{"ema-kimg", func() { small.EMAKimg = g.EMAKimg }},
	} {
		if given(f.flag) {
			f.keep()
		}
	}
	if !given("kimg") {
		kimg = demoKimg
	}
	return small, kimg
}

const demoKimg = 100

// demoGAN puts the demo's settings in place of the defaults. They are for 32 x 32 and a Wasserstein loss with penalty; the
// other losses keep the rates of their papers.
func demoGAN(g trainers.GANOptions) trainers.GANOptions {
	g.Latent, g.GenWidth, g.CriticWidth, g.Batch, g.EMAKimg = 64, 16, 16, 32, 2
	if g.Loss == trainers.WGANGP {
		g.GenLR, g.CriticLR = 2e-3, 2e-3
	}
	return g
}

func runGAN(ctx context.Context, stderr, stdout io.Writer, g trainers.GANOptions, r trainers.RunOptions, d dataFlags,
	t tigasFlags, sys systemFlags, out string) error {
	console := newConsole(stderr, sys.Quiet)
	device, err := sys.start()
	if err != nil {
		return err
	}
	if err = t.validate(); err != nil {
		return err
	}
	if r.Kimg == 0 {
		r.Kimg = 1000
	}
	if err = checkRun(r); err != nil {
		return err
	}
	g = g.Resolve()

	root := torch.NewScope()
	defer root.Close()
	loader, set, err := d.open(g.Batch, r.Seed)
	if err != nil {
		return err
	}
	weight, err := t.schedule(r.Kimg)
	if err != nil {
		return err
	}
	detector, err := t.open(ctx, console, root, device, d)
	if err != nil {
		return err
	}
	g.Term = tigas.Term{Detector: detector, Weight: weight, Interval: t.interval(), Options: t.options(r.Seed)}
	if err = g.Validate(); err != nil {
		return &hinted{code: exitUsage, err: err}
	}
	if err = torch.Seed(r.Seed); err != nil {
		return err
	}
	gan, err := trainers.NewGAN(root, nil, g, device)
	if err != nil {
		return &hinted{code: exitUsage, err: err}
	}
	run, err := createRun(out, "gan-"+set.Name())
	if err != nil {
		return err
	}
	r.Device, r.Loader, r.Out, r.Console = device, loader, run, console
	cfg := ganConfig{
		Command: "gan", Version: programVersion(), GAN: g, Run: r, Data: d,
		TIGAS:  tigasConfig{Flags: t, Weight: sched.Any{Schedule: weight}},
		System: systemConfig{Device: device.String(), Threads: torch.NumThreads(), LibTorch: torch.Version()},
	}
	if detector != nil {
		cfg.TIGAS.SHA256 = detector.SHA256
	}
	if err = run.WriteConfig(cfg); err != nil {
		return coded(exitOutput, err)
	}
	inSnapshot, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	r.Config = string(inSnapshot)

	console.Message("data      %s: %d pictures at %dx%d", set.Name(), set.Len(), d.Resolution, d.Resolution)
	console.Message("networks  %s", gan.Summary())
	console.Message("loss      %s%s", g.Loss, t.describe(detector))
	console.Message("run       %s, %g kimg on %s with %d thread(s)", run.Dir, r.Kimg, device, torch.NumThreads())
	if detector != nil {
		if advice := trainers.WeightAdvice(t.Weight, trainers.StartsFull(weight, t.Weight)); advice != "" && g.Loss != trainers.TIGASOnly {
			console.Warn("%s", advice)
		}
	} else if t.Model != "" {
		console.Warn("--tigas-model without --tigas-weight: the detector is not used; 0.05 to 0.1 is usual")
	}
	if err = trainers.Run(ctx, gan, r); err != nil {
		return runError(err)
	}
	fmt.Fprintln(stdout, run.Dir)
	return nil
}

func runError(err error) error {
	if exitCode(err) != exitInternal {
		return err
	}
	if strings.Contains(err.Error(), data.ErrNoImages.Error()) {
		return coded(exitData, err)
	}
	return err
}

func checkRun(r trainers.RunOptions) error {
	for _, f := range []struct {
		flag   string
		v, min float64
	}{{"kimg", r.Kimg, 0.001}, {"tick", r.TickKimg, 0}, {"snap", r.SnapKimg, 0}} {
		if math.IsNaN(f.v) || f.v < f.min || f.v > 1e9 {
			return usagef("--%s: got %v vs a number of thousands of images of at least %g", f.flag, f.v, f.min)
		}
	}
	if r.Grid < 1 || r.Grid > 64 {
		return usagef("--grid: got %d vs 1 to 64", r.Grid)
	}
	return nil
}

func createRun(out, name string) (*checkpoint.Run, error) {
	if out == "" {
		r, err := checkpoint.CreateNext("runs", name)
		return r, coded(exitOutput, err)
	}
	r, err := checkpoint.Create(out)
	if err != nil {
		return nil, (&hinted{code: exitOutput, err: err}).withHint("choose another --out; a run is never overwritten")
	}
	return r, nil
}
