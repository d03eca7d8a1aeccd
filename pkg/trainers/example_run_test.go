package trainers_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// A run that is stopped, as by Ctrl-C, and goes on in another process: networks are built anew and filled from the newest
// snapshot.
func ExampleRun_resume() {
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	dir = filepath.Join(dir, "a")
	// What a process does, the first one until its first tick.
	process := func(stopped bool) error {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		return torch.Scoped(func(root *torch.Scope) error {
			o := trainers.DefaultVAEOptions()
			o.Resolution, o.Latent, o.Width, o.Batch = 16, 8, 4, 4
			vae, err := trainers.NewVAE(root, nil, o, torch.CPU)
			if err != nil {
				return err
			}
			r := trainers.RunOptions{Kimg: 0.016, TickKimg: 0.004, Grid: 2, Console: &monitor.Console{W: os.Stderr, Quiet: true}}
			if r.Loader, err = data.NewLoader(data.NewDemo(16, false), data.LoaderOptions{
				Batch: o.Batch, Transform: data.Transform{Resolution: o.Resolution}}); err != nil {
				return err
			}
			if r.Out, err = checkpoint.Create(dir); err == nil {
				err = r.Out.WriteConfig(o) // what was run
			} else if errors.Is(err, checkpoint.ErrExists) {
				if r.Out, err = checkpoint.Open(dir); err == nil {
					r.Resume, err = r.Out.Latest()
				}
			}
			if err != nil {
				return err
			}
			r.OnTick = func(t monitor.Tick) {
				fmt.Print("step ", t.Step, ", ")
				if stopped {
					cancel()
				}
			}
			return trainers.Run(ctx, vae, r)
		})
	}
	err = process(true)
	fmt.Println("stopped:", errors.Is(err, trainers.ErrInterrupted))
	err = process(false)
	fmt.Println("complete:", err == nil)
	// Output:
	// step 1, stopped: true
	// step 2, step 3, step 4, complete: true
}

// What a program does with the error of [trainers.Run].
func ExampleErrInterrupted() {
	for _, err := range []error{
		nil,
		fmt.Errorf("%w at step 7", trainers.ErrInterrupted),
		fmt.Errorf("%w: the gradient of G was not finite", trainers.ErrDiverged),
		&trainers.OutputError{Err: syscall.ENOSPC},
	} {
		unwritten, bad := errors.AsType[*trainers.OutputError](err)
		switch {
		case err == nil:
			fmt.Println("done")
		case errors.Is(err, trainers.ErrInterrupted):
			fmt.Println("go on with --resume")
		case errors.Is(err, trainers.ErrDiverged):
			fmt.Println("lower the learning rates, or look at the data")
		case bad:
			fmt.Println("make room:", unwritten.Err == syscall.ENOSPC)
		}
	}
	// Output:
	// done
	// go on with --resume
	// lower the learning rates, or look at the data
	// make room: true
}

// A new run that begins with the weights of another one's snapshot. A snapshot holds more than weights: IsWeight says what a
// network needs.
func ExampleTransfer() {
	root := torch.NewScope()
	defer root.Close()
	o := trainers.DefaultVAEOptions()
	o.Resolution, o.Latent, o.Width = 16, 8, 4
	old, err := trainers.NewVAE(root, nil, o, torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	weights := map[string]*torch.Tensor{}
	for name, t := range old.Tensors() { // from a file: checkpoint.LoadSome(root, path, torch.CPU, trainers.IsWeight)
		weights[name] = t
	}
	fmt.Println(trainers.IsWeight("VAE.encoder.0.0.weight"), trainers.IsWeight("optimizer.VAE.0.exp_avg"))

	next, err := trainers.NewVAE(root, nil, o, torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := trainers.Transfer(next, weights)
	fmt.Println(n == len(weights), err)
	o.Latent = 16 // another architecture
	if next, err = trainers.NewVAE(root, nil, o, torch.CPU); err != nil {
		fmt.Println(err)
		return
	}
	_, err = trainers.Transfer(next, weights)
	fmt.Println(errors.Is(err, trainers.ErrMismatch))
	// Output:
	// true false
	// true <nil>
	// true
}

// How many pictures of a grid are measured and scored at each moment: enough for a mean, and no more.
func ExampleMeasured() {
	fmt.Println(trainers.Measured(2), trainers.Measured(8), trainers.Measured(32))
	// Output: 4 64 64
}
