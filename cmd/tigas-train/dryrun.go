package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/tigas/hub"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// A dry run goes the way of a run up to its first step, with the same checks in the same order. What writes, locks or
// downloads asks for lookOnly, and has its counterpart that only looks in this file.

func (t *training) registerConfig(f *pflag.FlagSet) {
	registerConfigFile(f)
	f.BoolVar(&t.dryRun, "dry-run", false, "check everything, say what would be done, and write nothing")
}

func registerConfigFile(f *pflag.FlagSet) {
	f.String("config", "", "YAML file with flags as keys, or the config.json of a run; flags and TIGAS_TRAIN_* variables have precedence")
}

// lookKey is that of the context of a command that writes nothing.
type lookKey struct{}

// look makes a command write nothing.
func look(cmd *cobra.Command) { cmd.SetContext(context.WithValue(cmd.Context(), lookKey{}, true)) }

// lookOnly tells whether a command writes nothing.
func lookOnly(ctx context.Context) bool { return ctx.Value(lookKey{}) != nil }

// lock takes the run that is continued. Who only looks leaves it alone, and a dry run says who has it.
func (k *keepFlags) lock(cmd *cobra.Command) error {
	if !lookOnly(cmd.Context()) {
		return k.run.Lock()
	}
	if held, _ := k.run.Held(); !held || shown(cmd) != nil {
		return nil
	}
	who, _ := os.ReadFile(filepath.Join(k.run.Dir, "lock"))
	return fmt.Errorf("checkpoint: %s %w by %s", k.run.Dir, checkpoint.ErrLocked, strings.TrimSpace(string(who)))
}

// rescan looks at the snapshots of a run whose manifest cannot be read, and makes a new one unless it only looks.
func (k *keepFlags) rescan() ([]checkpoint.Snapshot, []error, error) {
	if k.look {
		return k.run.Scan()
	}
	return k.run.Rescan()
}

// planned is the run folder that [createRun] would make.
func planned(out, name string) (*checkpoint.Run, error) {
	if out == "" {
		dir, err := checkpoint.NextDir("runs", name)
		if err == nil {
			err = creatable(dir)
		}
		return &checkpoint.Run{Dir: dir}, coded(exitOutput, err)
	}
	err := checkpoint.Free(out)
	if err == nil {
		err = creatable(out)
	}
	if err != nil {
		return nil, existing(err)
	}
	return &checkpoint.Run{Dir: out}, nil
}

// creatable returns why a folder cannot be made, or not be written if it is there.
func creatable(dir string) error {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) && at != filepath.Dir(at):
			continue
		case err == nil && !info.IsDir():
			err = &fs.PathError{Op: "mkdir", Path: at, Err: syscall.ENOTDIR}
		case err == nil:
			const write, enter = 2, 1
			if e := syscall.Access(at, write|enter); e != nil {
				err = &fs.PathError{Op: "mkdir", Path: dir, Err: e}
			}
		}
		if err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		return nil
	}
}

// standIn takes the place of a detector that is not here yet, so that everything else can be tried.
func standIn(s *torch.Scope, console *monitor.Console, model string, o tigas.OpenOptions) (*tigas.Detector, error) {
	console.Message("detector  %s is in no cache: it would be downloaded", model)
	det, err := tigas.Embedded(s, o)
	if err == nil {
		det.Name, det.SHA256 = model, "not yet here"
	}
	return det, coded(exitData, err)
}

// cachedDetector is the path of a file of the hub that is here already, "" if it is not.
func cachedDetector(file hub.File) (string, error) {
	client, err := newHub()
	if err != nil {
		return "", err
	}
	res, ok, err := client.Find(file)
	switch {
	case errors.Is(err, hub.ErrName):
		return "", usagef("%s", err)
	case !ok:
		return "", nil // one that is damaged is downloaded again
	}
	return res.Path, nil
}

// fits checks the snapshot that a run would go on from against its networks, as the run does it.
func (k *keepFlags) fits(root *torch.Scope, f trainers.Family) error {
	if k.from.File == "" {
		return nil
	}
	path := k.run.Path(k.from)
	return root.Scoped(func(s *torch.Scope) error {
		saved, _, err := checkpoint.LoadSome(s, path, torch.CPU, trainers.IsWeight)
		if err != nil {
			return coded(exitSnapshot, err)
		}
		if err = trainers.Fits(f, saved); err != nil {
			return fmt.Errorf("trainers: %s: %w: %w", path, trainers.ErrMismatch, err)
		}
		return nil
	})
}

// plan says what a run would do, after what every run says first.
func (t *training) plan(console *monitor.Console, net trained, c runConfig) {
	r := c.Run.Resolve()
	done := float64(t.keep.from.Images) / 1000
	left := max(0, r.Kimg-done)
	step := c.imagesInStep()
	steps := int64(math.Ceil(math.Round(left*1000) / float64(step)))
	console.Message("steps     %d of %d real images; a line of the log every %.4g kimg, pictures every %.4g, a snapshot every %.4g",
		steps, step, r.TickKimg, r.SnapKimg, r.SaveKimg)
	bytes := snapshotBytes(net)
	written := int(min(steps, int64(math.Ceil(left/r.SaveKimg)))) + 1 // the first one is of the beginning
	kept := written
	if keep := r.Keep; keep.Last > 0 {
		kept = keep.Last
		if keep.Best {
			kept++
		}
		if keep.Every > 0 {
			kept += int(r.Kimg / keep.Every)
		}
		kept = min(kept, written)
	}
	console.Message("disk      %d snapshots of %s are written, %d stay: %s, and that of one more while it is written", written,
		megabytes(bytes), kept, megabytes(int64(kept)*bytes))
	console.Message("dry run   nothing was written")
}

// imagesInStep is how many real images a step takes.
func (c *runConfig) imagesInStep() int {
	switch {
	case c.GAN != nil && c.GAN.Loss != trainers.TIGASOnly:
		return c.GAN.Batch * max(1, c.GAN.CriticSteps)
	case c.GAN != nil:
		return c.GAN.Batch
	case c.StyleGAN != nil:
		return c.StyleGAN.Batch
	case c.VAE != nil:
		return c.VAE.Batch
	}
	return c.Diffusion.Batch
}

// snapshotBytes is about the size of a snapshot: weights, averages and what the optimisers know, and its header.
func snapshotBytes(net trained) (n int64) {
	const header, perTensor = 16 << 10, 130 // configuration, state and random numbers; name, shape and place
	n = header
	add := func(t *torch.Tensor) { n += t.Numel()*int64(t.DType().Size()) + perTensor }
	for _, t := range net.Tensors() {
		add(t)
	}
	for _, o := range net.Optimizers() {
		for _, t := range o.State() {
			add(t)
		}
	}
	return n
}

func megabytes(bytes int64) string {
	switch {
	case bytes >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
	case bytes >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.0f kB", float64(bytes)/1e3)
}
