package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// trainDetector is `detector train`.
type trainDetector struct {
	Real    []string `json:"real"`
	Fake    []string `json:"fake"`
	ValReal []string `json:"val_real,omitempty"`
	ValFake []string `json:"val_fake,omitempty"`
	Base    int      `json:"width"`
	Feature int      `json:"feature"`
	Init    string   `json:"init,omitempty"`
	Workers int      `json:"workers"`

	settings trainers.DetectorSettings
	out      string
	sys      systemFlags
	sized    bool // a width was given
	console  *monitor.Console
}

// detectorConfig is the content of config.json.
type detectorConfig struct {
	Command  string                    `json:"command"`
	Version  string                    `json:"version"`
	Settings trainers.DetectorSettings `json:"settings"`
	Data     *trainDetector            `json:"data"`
	Network  network.Arch              `json:"network"`
	System   systemConfig              `json:"system"`
}

func newDetectorTrain() *cobra.Command {
	o := trainDetector{Base: 16, settings: trainers.DetectorSettings{Resolution: 64, Epochs: 20, Batch: 32, LR: 2e-3,
		Smoothing: 0.05, ClassWeight: 0.3, Mixup: 0.5, Augment: "light", Patience: 10}}
	cmd := &cobra.Command{
		Use:   "train --real DIR --fake DIR",
		Short: "Train a detector on folders of real and generated pictures",
		Long: `Train a TIGAS detector to tell real pictures from generated ones, and write it as
TorchScript for --tigas-model and score. Of each kind 80 % of the pictures are for
training, 10 % choose the best epoch by the area under the ROC curve, and 10 % test
it in the end: as they are, and degraded. card.json in the run folder has the
figures.

What it learns is the difference between the two sets, whatever that is: give
pictures of the same things, sizes and origins.`,
		Example: `  tigas-train detector train --real photos/ --fake generated/ --out runs/detector
  tigas-train detector train --real photos/ --fake gan/ --fake diffusion.zip --resolution 128 --augment strong
  tigas-train detector train --real photos/ --fake generated/ --width 32 --device cuda
  tigas-train gan --data photos/ --resolution 64 --tigas-model runs/detector/detector.pt --tigas-weight 0.1`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f := cmd.Flags()
			if err := noZero(f, "epochs", "kimg", "lr"); err != nil {
				return err
			}
			o.sized = f.Changed("width") || f.Changed("feature")
			o.console = o.sys.console(cmd.ErrOrStderr())
			return o.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	o.register(cmd.Flags())
	return cmd
}

func (o *trainDetector) register(f *pflag.FlagSet) {
	s := &o.settings
	const kinds = "folder of pictures, .zip of pictures, CIFAR-10 binary, MNIST IDX, or demo"
	f.StringArrayVar(&o.Real, "real", nil, "real pictures: "+kinds+"; may be repeated")
	f.StringArrayVar(&o.Fake, "fake", nil, "generated pictures, the same; may be repeated")
	f.StringArrayVar(&o.ValReal, "val-real", nil, "real pictures held out, half to validate, half to test (default a part of --real)")
	f.StringArrayVar(&o.ValFake, "val-fake", nil, "generated pictures held out (default a part of --fake)")
	f.StringVar(&o.out, "out", "", "run folder (default the next number in runs/)")

	f.IntVar(&s.Resolution, "resolution", s.Resolution, "height and width that pictures are stretched to, 32 to 1024 pixels")
	f.IntVar(&o.Base, "width", o.Base, "channels of the first layer; published detectors have 32")
	f.IntVar(&o.Feature, "feature", 0, "length of the feature vector (default 8 times --width)")
	f.StringVar(&o.Init, "init", "", "start from a checkpoint of TIGAS, a detector made here, or a run's last.safetensors")

	f.StringVar(&s.Augment, "augment", s.Augment,
		"none; light: mirror, crop, degrade a third of the pictures; strong: degrade most (JPEG, blur, noise, resize)")
	f.Float64Var(&s.Smoothing, "smoothing", s.Smoothing,
		"distance of the targets from 0 and 1, at most 0.4: a detector that is sure of everything is no loss")
	f.Float64Var(&s.Mixup, "mixup", s.Mixup,
		"share of a batch that are mixtures of a real and a generated picture, 0 to 1: they give the score a slope to climb")
	f.IntVar(&s.Epochs, "epochs", s.Epochs, "length: passes over as many pictures as there are, each of 50 batches at least")
	f.Float64Var(&s.MaxKimg, "kimg", 0, "length in thousands of images, in place of --epochs")
	f.IntVar(&s.Patience, "patience", s.Patience, "epochs without a better validation after which it ends; 0: never")
	f.IntVar(&s.Batch, "batch", s.Batch, "images in a batch, an even number: half are real")
	f.Float64Var(&s.LR, "lr", s.LR, "peak learning rate of AdamW")
	f.Int64Var(&s.Seed, "seed", 0, "seed of everything random; the same seed, machine and threads give the same detector")
	f.IntVar(&o.Workers, "workers", 0, "decoding goroutines (default one for each core, at most 8)")
	o.sys.register(f)
	registerConfigFile(f)
}

func (o *trainDetector) validate() error {
	s := o.settings
	if len(o.Real) == 0 || len(o.Fake) == 0 {
		return usagef("detector train takes --real and --fake, the pictures to tell apart")
	}
	if (len(o.ValReal) == 0) != (len(o.ValFake) == 0) {
		return usagef("--val-real and --val-fake: got one of them vs both or none")
	}
	if _, err := data.ParseAugment(s.Augment); err != nil {
		return usagef("--augment: got %q vs none, light or strong", s.Augment)
	}
	for _, f := range []struct {
		flag        string
		v, min, max float64
	}{
		{"resolution", float64(s.Resolution), 32, 1024}, {"epochs", float64(s.Epochs), 1, 1e6}, {"kimg", s.MaxKimg, 0, 1e7},
		{"batch", float64(s.Batch), 2, 1 << 14}, {"patience", float64(s.Patience), 0, 1e6}, {"lr", s.LR, 0, math.MaxFloat64},
		{"smoothing", s.Smoothing, 0, 0.4}, {"mixup", s.Mixup, 0, 1}, {"workers", float64(o.Workers), 0, 1024},
	} {
		if !(f.v >= f.min && f.v <= f.max) {
			return usagef("--%s: got %v vs a number from %g to %g", f.flag, f.v, f.min, f.max)
		}
	}
	if s.Batch%2 != 0 {
		return usagef("--batch: got %d vs an even number: half of a batch is real", s.Batch)
	}
	if o.Init != "" && o.sized {
		return usagef("--width, --feature: the network of --init has its own")
	}
	return nil
}

// arch is the size of a new network.
func (o *trainDetector) arch() network.Arch {
	a := network.Published(network.FastMode)
	a.Base, a.Feature = o.Base, o.Feature
	if o.Feature == 0 {
		a.Feature = 8 * o.Base
	}
	return a
}

func (o *trainDetector) run(ctx context.Context, stdout io.Writer) error {
	if err := o.validate(); err != nil {
		return err
	}
	if o.Init == "" {
		if err := o.arch().Validate(); err != nil {
			return &hinted{code: exitUsage, err: err}
		}
	}
	device, err := o.sys.start()
	if err != nil {
		return err
	}
	d, split, err := o.data()
	if err != nil {
		return err
	}
	root := torch.NewScope()
	defer root.Close()
	net, err := o.network(root, device)
	if err != nil {
		return err
	}
	run, err := createRun(o.out, "detector-"+d.Train.Fake.Name())
	if err != nil {
		return err
	}
	err = run.WriteConfig(detectorConfig{Command: "detector train", Version: programVersion(), Settings: o.settings, Data: o,
		Network: net.Arch, System: systemConfig{Device: device.String(), Threads: torch.NumThreads(), LibTorch: torch.Version()}})
	if err != nil {
		return coded(exitOutput, err)
	}
	var params int64
	for _, p := range net.Params {
		params += p.Tensor.Numel()
	}
	c := o.console
	for _, p := range []struct {
		name             string
		train, val, test data.Dataset
	}{{"real", d.Train.Real, d.Val.Real, d.Test.Real}, {"generated", d.Train.Fake, d.Val.Fake, d.Test.Fake}} {
		c.Message("%-9s %s: %d pictures to train on, %d to validate, %d to test", p.name, p.train.Name(), p.train.Len(),
			p.val.Len(), p.test.Len())
	}
	c.Message("network   base %d, feature width %d, %.2fM parameters, at %dx%d", net.Arch.Base, net.Arch.Feature,
		float64(params)/1e6, o.settings.Resolution, o.settings.Resolution)
	c.Message("run       %s, on %s with %d thread(s)", run.Dir, device, torch.NumThreads())
	ro := trainers.DetectorRunOptions{DetectorSettings: o.settings, Workers: o.Workers, Version: programVersion(), Split: split,
		Device: device, Out: run, Console: c}
	if o.Init != "" {
		ro.Init = filepath.Base(o.Init)
	}
	report, err := trainers.RunDetector(ctx, net, d, ro)
	if err != nil {
		if errors.Is(err, data.ErrNoImages) && exitCode(err) == exitInternal {
			return coded(exitData, err)
		}
		return err
	}
	o.summary(report)
	fmt.Fprintln(stdout, filepath.Join(run.Dir, trainers.DetectorFile))
	return nil
}

// network is that of --init, or a new one.
func (o *trainDetector) network(root *torch.Scope, device torch.Device) (*network.Net, error) {
	if o.Init != "" {
		net, err := trainers.LoadDetectorNet(root, o.Init, device)
		return net, coded(exitData, err)
	}
	g, err := root.NewGenerator(device, o.settings.Seed)
	if err != nil {
		return nil, err
	}
	return network.New(root, g, o.arch(), device)
}

// summary prints what the detector is worth.
func (o *trainDetector) summary(r *trainers.DetectorReport) {
	c, t := o.console, r.Test
	c.Message("best      epoch %d: validation area under ROC %.4f, accuracy %.3f", r.Settings.BestEpoch, r.Validation.AUC,
		r.Validation.Accuracy)
	c.Message("test      area under ROC %.4f, accuracy %.3f, mean score real %.3f, generated %.3f  (%d + %d pictures)", t.AUC,
		t.Accuracy, t.MeanReal, t.MeanFake, t.Real, t.Fake)
	c.Message("test      slope %.2g: what a step of 1/255 along the gradient adds to a generated picture's score", t.Slope)
	for _, d := range r.Degraded {
		c.Message("test      %-8s area under ROC %.4f, accuracy %.3f  (%s)", d.Kind, d.AUC, d.Accuracy, d.Setting)
	}
	if n := r.Data.Real.Broken + r.Data.Fake.Broken; n > 0 {
		c.Message("broken    %d picture(s) could not be decoded and were left out", n)
	}
	say := c.Message
	if r.Verdict.Useless {
		say = c.Warn
	}
	say("verdict   %s", r.Verdict.Text)
	for _, a := range r.Verdict.Advice {
		c.Message("advice    %s", a)
	}
}
