package main

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// training is what the command lines that train have in common.
type training struct {
	run   trainers.RunOptions
	data  dataFlags
	tigas tigasFlags
	keep  keepFlags
	sys   systemFlags
	gpu   gpuFlags
	nets  networkFlags
	own   *networks // that those name; nil for none
	out   string

	tensorBoard bool
	dryRun      bool
}

// family is what a kind of model adds to a training.
type family struct {
	name  string // of the command
	batch int
	fixed []string // flags without which it would be another network
	best  string   // value of the log by which the best snapshot is chosen, see [trainers.RunOptions]; "": none
	// check tells what is wrong with the options, before data and detector are opened.
	check func() error
	// build makes the networks.
	build  func(root *torch.Scope, term tigas.Term, d torch.Device) (trained, error)
	config func(*runConfig) // puts the options into the configuration of the run
	advice func(weight float64, atStart bool) string
}

// trained is a family that can say what it is.
type trained interface {
	trainers.Family
	Summary() string // networks
	Objective() string
}

// registerRun adds the flags of the term, the run and the machine.
func (t *training) registerRun(f *pflag.FlagSet, batch *int, weight float64) {
	t.tigas.register(f, weight)
	f.Float64Var(&t.run.Kimg, "kimg", 1000, "length of the run in thousands of real images")
	f.IntVar(batch, "batch", *batch, "images in a batch")
	f.Int64Var(&t.run.Seed, "seed", 0, "seed of everything random; the same seed, machine and threads give the same run")
	f.StringVar(&t.out, "out", "", "run folder (default the next number in runs/)")
	f.Float64Var(&t.run.TickKimg, "tick", 0, "distance of log lines in thousands of images (default a 50th of the run, at most 4)")
	f.Float64Var(&t.run.SnapKimg, "snap", 0, "distance of sample pictures, and of snapshots, in thousands of images (default an 8th of the run, at most 200)")
	f.IntVar(&t.run.Grid, "grid", 8, "pictures along each side of the sample grid")
	f.BoolVar(&t.tensorBoard, "tensorboard", true, "write TensorBoard events into the run folder")
	t.keep.register(f, &t.run)
	t.sys.register(f)
	t.gpu.register(f)
	t.registerConfig(f)
}

// oneThread lets a network this small compute on one thread where none were asked for: its operations lose more to waking
// a second one than it gives.
func oneThread(f *pflag.FlagSet) { preset(f, originDemo, "threads", 1) }

// begun is a command's run, with the flags of the run that --resume names, if any.
func (t *training) begun(run func(cmd *cobra.Command) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		defer t.keep.unlock()
		if t.dryRun || shown(cmd) != nil {
			look(cmd)
		}
		if err := t.keep.begin(cmd, t.sys.console(cmd.ErrOrStderr()), t.out); err != nil {
			return err
		}
		return run(cmd)
	}
}

// train opens the data and the detector, builds the networks, makes the run folder and trains.
func (t *training) train(cmd *cobra.Command, f family) error {
	ctx, stderr, stdout := cmd.Context(), cmd.ErrOrStderr(), cmd.OutOrStdout()
	console := t.sys.console(stderr)
	if err := noZero(cmd.Flags(), "kimg", "tick", "snap", "snapshot-kimg"); err != nil {
		return err
	}
	if err := t.tigas.validate(); err != nil {
		return err
	}
	if err := checkRun(t.run); err != nil {
		return err
	}
	if err := t.keep.validate(); err != nil {
		return err
	}
	if err := t.gpu.validate(); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return (&hinted{code: exitUsage, err: err}).withHint("see %s --help", cmd.CommandPath())
	}
	if shown(cmd) != nil {
		return showFlagsOf(cmd)
	}
	device, err := t.sys.start()
	if err != nil {
		return err
	}
	if err = t.gpu.on(device); err != nil {
		return err
	}
	t.run.Precision, t.run.CUDAGraphs = t.gpu.precision(device), trainers.GraphMode(t.gpu.Graphs)
	if err = t.run.Precision.Switch(device); err != nil {
		return err
	}
	flags := flagValues(cmd.Flags())
	for _, name := range []string{"data", "tigas-model", "transfer"} {
		v := flags[name]
		v.Value = absolute(name, v.Value)
		flags[name] = v
	}
	for _, role := range t.nets.roles {
		flags[role] = flagValue{t.nets.path(role), flags[role].Origin}
	}
	changes, err := t.keep.changes(flags, append(f.fixed, t.nets.fixed()...))
	if err != nil {
		return err
	}
	if t.keep.complete(t.run.Kimg) {
		console.Message("resume    %s is complete with %g kimg: a larger --kimg makes it longer", t.keep.run.Dir, float64(t.keep.from.Images)/1000)
		if !t.keep.look {
			if err = t.own.save(console, t.keep.run, true); err != nil {
				return err
			}
		}
		fmt.Fprintln(stdout, t.keep.run.Dir)
		return nil
	}
	root := torch.NewScope()
	defer root.Close()
	loader, set, err := t.data.open(f.batch, t.run.Seed)
	if err != nil {
		return err
	}
	weight, err := t.tigas.schedule(t.run.Kimg)
	if err != nil {
		return err
	}
	detector, err := t.tigas.open(ctx, console, root, device, t.run.Precision.DType(), t.data)
	if err != nil {
		return err
	}
	if err = torch.Seed(t.run.Seed); err != nil {
		return err
	}
	term := tigas.Term{Detector: detector, Weight: weight, Interval: t.tigas.interval(), Options: t.tigas.options(t.run.Seed)}
	net, err := f.build(root, term, device)
	if err != nil {
		code := exitUsage
		if t.own != nil {
			code = exitData
		}
		return &hinted{code: code, err: err}
	}
	if err = t.keep.transferred(console, root, net, device); err != nil {
		return err
	}
	run, err := t.keep.open(console, t.out, f.name+"-"+set.Name())
	if err != nil {
		return err
	}
	r := t.run
	r.Keep, r.Best = t.keep.retention(f.best)
	if t.keep.from.File != "" {
		r.Resume = run.Path(t.keep.from)
	}
	r.Device, r.Loader, r.Out, r.Console, r.TensorBoard = device, loader, run, console, t.tensorBoard
	cfg := runConfig{
		Command: f.name, Version: programVersion(), Run: r, Data: t.data,
		TIGAS:  tigasConfig{Flags: t.tigas, Weight: sched.Any{Schedule: weight}},
		System: systemConfig{Device: device.String(), Threads: torch.NumThreads(), LibTorch: torch.Version()},
	}
	f.config(&cfg)
	cfg.Networks = t.own
	cfg.Flags = flags
	if detector != nil {
		cfg.TIGAS.SHA256 = detector.SHA256
	}
	if r.Resume != "" {
		changes = append(changes, t.keep.was.surroundings(cfg)...)
		for _, c := range changes {
			console.Message("changed   %s", c)
		}
		r.OnResume = func() error {
			// Even without changes: after --resume FILE config.json has the flags of what came after that snapshot.
			if err := run.WriteConfig(cfg); err != nil {
				return coded(exitOutput, err)
			}
			t.own.unsave(run)
			return t.keep.rewind(console)
		}
	} else if !t.dryRun {
		if err = t.own.copyTo(run); err != nil {
			return err
		}
		if err = run.WriteConfig(cfg); err != nil {
			return coded(exitOutput, err)
		}
	}
	r.Diagnosis = cfg.diagnosis()
	r.Diagnosis.AtStart = false // of which the advice below speaks
	inSnapshot, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	r.Config = string(inSnapshot)

	console.Message("data      %s: %d pictures at %dx%d", set.Name(), set.Len(), t.data.Resolution, t.data.Resolution)
	console.Message("networks  %s", net.Summary())
	console.Message("loss      %s%s", net.Objective(), t.tigas.describe(detector))
	in := ""
	if r.Precision != trainers.FP32 {
		in = " in " + string(r.Precision)
	}
	console.Message("run       %s, %g kimg on %s%s with %d thread(s)", run.Dir, r.Kimg, device, in, torch.NumThreads())
	if detector != nil {
		if advice := f.advice(t.tigas.Weight, trainers.StartsFull(weight, t.tigas.Weight)); advice != "" {
			console.Warn("%s", advice)
		}
	} else if t.tigas.Model != "" {
		console.Warn("--tigas-model with --tigas-weight 0: the detector is not used")
	}
	if t.dryRun {
		if err = t.keep.fits(root, net); err == nil {
			t.plan(console, net, cfg)
			fmt.Fprintln(stdout, run.Dir)
		}
		return err
	}
	ctx, cancel := t.keep.limit(ctx)
	defer cancel()
	if err = trainers.Run(ctx, net, r); err != nil {
		switch code := exitCode(err); code {
		case exitInterrupt, exitOutput, exitMemory:
			hint := fmt.Sprintf("tigas-train %s --resume %s goes on", f.name, run.Dir)
			switch {
			case code == exitMemory:
				hint = memoryHint(f.name, run.Dir, f.batch)
			case t.keep.tooShort(ctx):
				hint = fmt.Sprintf("no step was done in --max-time %s: give more", t.keep.maxTime)
			}
			return &hinted{code: code, err: err, hint: hint}
		}
		return err
	}
	if err = t.own.save(console, run, false); err != nil {
		return err
	}
	fmt.Fprintln(stdout, run.Dir)
	return nil
}

// byScore is how the best snapshot is chosen of a family without a loss that means something: the mean score, where there is a detector.
func byScore(weight float64) string {
	if weight == 0 {
		return ""
	}
	return "-score"
}

func checkRun(r trainers.RunOptions) error {
	for _, f := range []struct {
		flag   string
		v, min float64
	}{{"kimg", r.Kimg, 0.001}, {"tick", r.TickKimg, 0}, {"snap", r.SnapKimg, 0}, {"snapshot-kimg", r.SaveKimg, 0}} {
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
		return nil, existing(err)
	}
	return r, nil
}

// existing is the error of a run folder that cannot be made.
func existing(err error) error {
	return (&hinted{code: exitOutput, err: err}).withHint("choose another --out; a run is never overwritten")
}
