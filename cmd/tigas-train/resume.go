package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// keepFlags are the flags about snapshots, and about going on from them.
type keepFlags struct {
	resume, transfer string
	last             int
	every            float64
	best             string
	maxTime          time.Duration

	run  *checkpoint.Run     // that is continued, locked; nil: a new one
	from checkpoint.Snapshot // in it; without a file: the run had none yet
	was  runConfig           // its configuration
	look bool                // nothing is written
}

func (k *keepFlags) register(f *pflag.FlagSet, r *trainers.RunOptions) {
	f.StringVar(&k.resume, "resume", "", "continue: a run folder, one of its snapshots, latest (the newest run of this command in runs/, or the one in --out), or auto (latest if there is one, else a new run); flags that are not given are those of the run")
	f.StringVar(&k.transfer, "transfer", "", "begin a new run with the weights of a run's newest snapshot, or of a snapshot file")
	f.Float64Var(&r.SaveKimg, "snapshot-kimg", 0, "distance of snapshots in thousands of images (default --snap)")
	f.IntVar(&k.last, "keep", 3, "snapshots that are kept: so many of the newest; 0: all")
	f.Float64Var(&k.every, "keep-kimg", 0, "and the first one of every so many thousands of images; 0: none")
	f.StringVar(&k.best, "keep-best", "auto", "and the one with the lowest value of this name in the log, or with - in front the highest; auto: by command; none")
	f.DurationVar(&k.maxTime, "max-time", 0, "stop after this time with a snapshot and exit code 75, as for a signal: 24h, 90m; 0: never")
}

func (k *keepFlags) validate() error {
	if k.last < 0 || k.last > 1<<20 {
		return usagef("--keep: got %d vs at least 1, or 0 for all", k.last)
	}
	if err := finite("keep-kimg", k.every); err != nil {
		return err
	}
	if k.maxTime < 0 {
		return usagef("--max-time: got %s vs a time such as 24h", k.maxTime)
	}
	return nil
}

// retention is what the flags say. best is the value that the family is usually judged by.
func (k *keepFlags) retention(best string) (checkpoint.Retention, string) {
	switch k.best {
	case "auto":
	case "none":
		best = ""
	default:
		best = k.best
	}
	return checkpoint.Retention{Last: k.last, Every: k.every, Best: best != ""}, best
}

// limit ends a context after --max-time.
func (k *keepFlags) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if k.maxTime == 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, k.maxTime, fmt.Errorf("--max-time %s is over", k.maxTime))
}

// tooShort tells whether --max-time was over before the first step: what starts the run again with it would do so for ever.
func (k *keepFlags) tooShort(ctx context.Context) bool {
	if k.maxTime == 0 || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return false
	}
	all, err := k.run.Snapshots()
	return err == nil && len(all) > 0 && all[len(all)-1].Images == k.from.Images
}

// begin finds the run that is to be continued, locks it, and gives flags that the command line leaves alone the values that
// they had. out is --out.
func (k *keepFlags) begin(cmd *cobra.Command, console *monitor.Console, out string) error {
	for _, name := range []string{"resume", "transfer"} {
		if l := cmd.Flags().Lookup(name); l.Changed && l.Value.String() == "" {
			return usagef("--%s: got an empty name", name)
		}
	}
	k.look = lookOnly(cmd.Context())
	if k.resume == "" {
		return nil
	}
	if k.transfer != "" && k.resume != "auto" {
		return usagef("--resume and --transfer: got both vs one: --resume continues a run, --transfer begins one with weights; --resume auto takes both")
	}
	folder, file, err := k.find(console, cmd.Name(), out)
	if err != nil {
		return err
	}
	if folder == "" {
		console.Message("resume    nothing to continue: a new run")
		return nil
	}
	if k.run, err = checkpoint.Open(folder); err != nil {
		return coded(exitSnapshot, err)
	}
	if err = k.lock(cmd); err != nil {
		return k.lockError(err)
	}
	if err = k.choose(console, file); err != nil {
		return err
	}
	if err = k.readConfig(console, file == ""); err != nil {
		return err
	}
	if k.was.Command != cmd.Name() {
		return (&hinted{code: exitSnapshot, err: fmt.Errorf("%s is a run of %s", folder, k.was.Command)}).
			withHint("tigas-train %s --resume %s", k.was.Command, folder)
	}
	if k.from.File == "" {
		console.Message("resume    %s has no snapshot yet: from the beginning", k.run.Dir)
	}
	if err = k.restoreTransfer(cmd.Flags()); err != nil {
		return coded(exitSnapshot, err)
	}
	return k.restore(cmd.Flags())
}

// readConfig reads what the run was asked for: config.json, which is the latest, or the header of an earlier snapshot, or of
// the newest one if config.json cannot be read.
func (k *keepFlags) readConfig(console *monitor.Console, newest bool) (err error) {
	if newest {
		if err = k.run.ReadConfig(&k.was); err == nil && k.was.Command == "" {
			err = fmt.Errorf("%s names no command", filepath.Join(k.run.Dir, "config.json"))
		}
		if err == nil || k.from.File == "" {
			return coded(exitSnapshot, err)
		}
		console.Warn("%s: the flags are those of %s", err, k.from.File)
	}
	k.was, err = configIn(k.run.Path(k.from))
	return coded(exitSnapshot, err)
}

// configIn reads the configuration in the header of a snapshot.
func configIn(path string) (c runConfig, err error) {
	meta, err := checkpoint.Metadata(path)
	if err == nil {
		err = c.parse([]byte(meta["config"]))
	}
	if err != nil {
		return c, fmt.Errorf("%s has no configuration: %w", path, err)
	}
	return c, nil
}

// unlock lets other processes have the run.
func (k *keepFlags) unlock() {
	if k.run != nil {
		k.run.Unlock()
	}
}

func (k *keepFlags) lockError(err error) error {
	if errors.Is(err, checkpoint.ErrLocked) {
		return (&hinted{code: exitOutput, err: err}).withHint("a run has one process at a time: stop that one, or wait for it")
	}
	return coded(exitOutput, err)
}

// find returns the run folder that --resume means, "" for none, and the snapshot file if it is one.
func (k *keepFlags) find(console *monitor.Console, command, out string) (folder, file string, err error) {
	switch k.resume {
	case "auto", "latest":
		folder = out
		if out == "" {
			folder = newestRun(console, "runs", command)
		} else if _, err := checkpoint.Open(out); err != nil {
			folder = ""
		}
		if folder == "" && k.resume == "latest" {
			where := out
			if where == "" {
				where = "runs/"
			}
			return "", "", (&hinted{code: exitSnapshot, err: fmt.Errorf("--resume latest: there is no run of %s in %s", command, where)}).
				withHint("--resume auto begins one then")
		}
		return folder, "", nil
	}
	if out != "" {
		return "", "", usagef("--out, --resume %s: got both vs one: a run is continued where it is", k.resume)
	}
	info, err := os.Stat(k.resume)
	if err != nil {
		return "", "", (&hinted{code: exitSnapshot, err: fmt.Errorf("--resume: %w", err)}).withHint("give a run folder, or a file of its snapshots/")
	}
	if info.IsDir() {
		return k.resume, "", nil
	}
	path, err := filepath.Abs(k.resume)
	if err != nil {
		return "", "", coded(exitSnapshot, err)
	}
	folder = filepath.Dir(filepath.Dir(path))
	if _, err := checkpoint.Open(folder); err != nil || filepath.Base(filepath.Dir(path)) != "snapshots" || filepath.Ext(path) != ".safetensors" {
		return "", "", (&hinted{code: exitSnapshot, err: fmt.Errorf("%s is not in the snapshots/ of a run folder", k.resume)}).
			withHint("--transfer begins a new run with the weights of a single file")
	}
	return folder, filepath.Base(k.resume), nil
}

// newestRun is the run of a command in root that has the highest number, or one with a name of its own that was written after
// it; "" for none. Times alone would be those of a clock that may have been set back, or of a copy.
func newestRun(console *monitor.Console, root, command string) string {
	var numbered, named string
	entries, _ := os.ReadDir(root) // in order
	for _, e := range entries {
		dir := filepath.Join(root, e.Name())
		run, err := checkpoint.Open(dir)
		if err != nil {
			continue
		}
		of, err := commandOf(run)
		switch {
		case err != nil:
			console.Warn("%s: this run is left out", err)
		case of != command:
		case checkpoint.Numbered(dir):
			numbered = dir
		case named == "" || !written(dir).Before(written(named)):
			named = dir
		}
	}
	if numbered == "" || named != "" && written(named).After(written(numbered)) {
		return named
	}
	return numbered
}

// commandOf is the command of a run by its config.json, or if that is damaged by the header of its newest snapshot.
func commandOf(run *checkpoint.Run) (string, error) {
	var c struct{ Command string }
	err := run.ReadConfig(&c)
	if err == nil && c.Command != "" {
		return c.Command, nil
	}
	if err == nil {
		err = fmt.Errorf("%s/config.json names no command", run.Dir)
	}
	all, _ := run.Snapshots()
	for _, s := range slices.Backward(all) {
		if c, e := configIn(run.Path(s)); e == nil && c.Command != "" {
			return c.Command, nil
		}
	}
	return "", err
}

// written is when a run was last written.
func written(dir string) (last time.Time) {
	for _, name := range []string{"config.json", "snapshots"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}

// choose takes the snapshot with a name, or the newest one that is what was written. Damaged ones are named.
func (k *keepFlags) choose(console *monitor.Console, file string) error {
	all, err := k.run.Snapshots()
	listed := err == nil
	if err != nil {
		console.Warn("%s: looking at the files instead", err)
		var damaged []error
		all, damaged, err = k.rescan()
		for _, d := range damaged {
			console.Warn("%s", d)
		}
		if err != nil {
			return coded(exitSnapshot, err)
		}
	}
	if file != "" {
		i := slices.IndexFunc(all, func(s checkpoint.Snapshot) bool { return s.File == file })
		if i < 0 { // put back from discarded/, or of a process that was killed before it could name it
			k.from, err = k.run.Look(file)
			return coded(exitSnapshot, err)
		}
		k.from = all[i]
		return coded(exitSnapshot, k.run.Verify(k.from))
	}
	if len(all) == 0 {
		return nil
	}
	if k.look && !listed { // there is no new manifest to read
		k.from = all[len(all)-1]
		return nil
	}
	s, damaged, err := k.run.Newest()
	for _, d := range damaged {
		console.Warn("%s", d)
	}
	k.from = s
	return coded(exitSnapshot, err)
}

// open makes the folder of a new run, or takes the one that is continued, and says what it does.
func (k *keepFlags) open(console *monitor.Console, out, name string) (*checkpoint.Run, error) {
	if k.run == nil && k.look {
		return planned(out, name)
	}
	if k.run == nil {
		var err error
		if k.run, err = createRun(out, name); err != nil {
			return nil, err
		}
		return k.run, k.lockError(k.run.Lock())
	}
	if k.from.File == "" && !k.look {
		return k.run, coded(exitOutput, k.run.Restart())
	}
	if k.from.File == "" {
		return k.run, nil
	}
	console.Message("resume    %s from step %d (kimg %.1f), %s", k.run.Dir, k.from.Step, float64(k.from.Images)/1000, k.from.File)
	return k.run, nil
}

// rewind puts snapshots after the one that the run goes on from aside, and those that the manifest does not name.
func (k *keepFlags) rewind(console *monitor.Console) error {
	discarded := filepath.Join(k.run.Dir, "discarded")
	n, err := k.run.Rewind(k.from)
	if n > 0 {
		console.Message("resume    %d newer snapshot(s) are in %s now", n, discarded)
	}
	if err != nil {
		return coded(exitOutput, err)
	}
	n, err = k.run.SetAside()
	if n > 0 {
		console.Message("resume    %d snapshot(s) that the manifest does not name are in %s now", n, discarded)
	}
	return coded(exitOutput, err)
}

// transferred puts the weights of --transfer into a family that begins.
func (k *keepFlags) transferred(console *monitor.Console, root *torch.Scope, f trainers.Family, device torch.Device) error {
	if k.transfer == "" || k.from.File != "" {
		return nil
	}
	file, err := findSnapshot(k.transfer)
	if err != nil {
		return err
	}
	return root.Scoped(func(s *torch.Scope) error {
		tensors, _, err := checkpoint.LoadSome(s, file, device, trainers.IsWeight)
		if err != nil {
			return coded(exitSnapshot, err)
		}
		n, err := trainers.Transfer(f, tensors)
		if err != nil {
			return (&hinted{code: exitSnapshot, err: fmt.Errorf("%s: %w", file, err)}).
				withHint("the flags of the networks must be those of that run: see its config.json")
		}
		console.Message("transfer  %d tensors of %s; %d of its others are not used", n, file, len(tensors)-n)
		return nil
	})
}

// complete tells whether the run has the length that is asked for, and the pictures of its end, which come after the snapshot.
func (k *keepFlags) complete(kimg float64) bool {
	if k.run == nil || k.from.Images == 0 || float64(k.from.Images) < math.Round(kimg*1000) {
		return false
	}
	entries, err := monitor.ReadLog(k.run.Log())
	if err != nil || len(entries) == 0 {
		return false
	}
	last := entries[len(entries)-1]
	return last.Step == k.from.Step && drawn(last)
}
