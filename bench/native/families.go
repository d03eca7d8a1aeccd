package main

import (
	"bufio"
	"context"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// families answers lines "family threads steps" on in with the milliseconds of a step, the mean over that many, until in
// ends.
func families(in io.Reader, out io.Writer) error {
	// libtorch keeps a team of worker threads for every OS thread that ever computed.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	torch.RetainHostMemory()
	return torch.Scoped(func(root *torch.Scope) error {
		b := familyBench{root, map[string]builtFamily{}}
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			var name string
			var threads, steps int
			if _, err := fmt.Sscan(lines.Text(), &name, &threads, &steps); err != nil {
				return err
			}
			if err := torch.SetNumThreads(threads); err != nil {
				return err
			}
			ms, err := b.time(name, steps)
			if err != nil {
				return err
			}
			if _, err = fmt.Fprintf(out, "%.3f\n", ms); err != nil {
				return err
			}
		}
		return lines.Err()
	})
}

// familyBench keeps what it built: TorchScript is slow in the first three steps, while it looks at how the detector is used.
type familyBench struct {
	root  *torch.Scope
	built map[string]builtFamily
}

type builtFamily struct {
	trainers.Family
	batch int
}

// time returns the milliseconds of a step, after four steps when the family is new and after one otherwise.
func (b familyBench) time(name string, steps int) (float64, error) {
	f, ok := b.built[name]
	if !ok {
		var err error
		if f.Family, f.batch, err = demoFamily(b.root, name); err != nil {
			return 0, err
		}
		b.built[name] = f
		if _, err = f.run(name, 3); err != nil {
			return 0, err
		}
	}
	return f.run(name, steps)
}

// run trains as a program does, with a tick after every step, and returns the milliseconds of a step but the first.
func (f builtFamily) run(name string, steps int) (ms float64, err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	out, err := checkpoint.Create(filepath.Join(dir, "run"))
	if err != nil {
		return 0, err
	}
	set, err := keep(data.NewDemo(32, false), 128)
	if err != nil {
		return 0, err
	}
	loader, err := data.NewLoader(set, data.LoaderOptions{Batch: f.batch, Workers: 1, Transform: data.Transform{Resolution: 32}})
	if err != nil {
		return 0, err
	}
	shown := f.batch
	if name == "gan" {
		shown *= 5
	}
	var first, last time.Time
	err = trainers.Run(context.Background(), f, trainers.RunOptions{
		Kimg: float64(shown*(steps+1)) / 1000, TickKimg: 1e-6, SnapKimg: 1e6, Grid: 1, Loader: loader, Out: out,
		Console: &monitor.Console{W: io.Discard}, OnTick: func(t monitor.Tick) {
			if last = time.Now(); t.Step == 1 {
				first = last
			}
		}})
	return 1e3 * last.Sub(first).Seconds() / float64(steps), err
}

// demoFamily is a family in the size of a demo run at 32 x 32 with its batch, as loop in families.py has it.
func demoFamily(root *torch.Scope, name string) (trainers.Family, int, error) {
	d, err := tigas.Embedded(root, tigas.OpenOptions{})
	if err != nil {
		return nil, 0, err
	}
	term := tigas.Term{Detector: d, Weight: sched.Constant{Value: 0.1}, Options: tigas.LossOptions{Range: tigas.Symmetric}}
	switch name {
	case "gan":
		o := trainers.DefaultGANOptions()
		o.Latent, o.GenWidth, o.CriticWidth, o.Batch, o.GenLR, o.CriticLR, o.EMAKimg, o.Term = 64, 16, 16, 32, 2e-3, 2e-3, 2, term
		f, err := trainers.NewGAN(root, nil, o, torch.CPU)
		return f, o.Batch, err
	case "stylegan":
		o, err := trainers.StylePreset("auto", 32, 16)
		if err != nil {
			return nil, 0, err
		}
		o.Net, o.Term = models.DemoStyleConfig(32), term
		f, err := trainers.NewStyleGAN(root, nil, o, torch.CPU)
		return f, o.Batch, err
	case "vae":
		o := trainers.DefaultVAEOptions()
		o.Resolution, o.Latent, o.Term = 32, 64, term
		f, err := trainers.NewVAE(root, nil, o, torch.CPU)
		return f, o.Batch, err
	case "diffusion":
		o := trainers.DefaultDiffusionOptions()
		if o.UNet, err = models.UNetPreset("demo", 32); err != nil {
			return nil, 0, err
		}
		o.Resolution, o.Batch, o.Sampling.Steps, o.Term = 32, 32, 1, term
		f, err := trainers.NewDiffusion(root, nil, o, torch.CPU)
		return f, o.Batch, err
	}
	return nil, 0, fmt.Errorf("got the family %q vs gan, stylegan, vae or diffusion", name)
}

// kept is a set whose pictures are drawn before the clock starts.
type kept struct {
	data.Dataset
	images []image.Image
}

func keep(d data.Dataset, n int) (k kept, err error) {
	k.Dataset = d
	for i := range n {
		img, err := d.Image(i)
		if err != nil {
			return k, err
		}
		k.images = append(k.images, img)
	}
	return k, nil
}

func (k kept) Len() int                         { return len(k.images) }
func (k kept) Image(i int) (image.Image, error) { return k.images[i], nil }
