package trainers_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// What `tigas-train gan` does, in a program: a run folder, pictures, networks, the loop.
func ExampleRun() {
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	err = torch.Scoped(func(root *torch.Scope) error {
		out, err := checkpoint.Create(filepath.Join(dir, "a"))
		if err != nil {
			return err
		}
		o := trainers.DefaultGANOptions()
		o.Latent, o.GenWidth, o.CriticWidth, o.Batch = 16, 4, 4, 4
		loader, err := data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{
			Batch: o.Batch, Transform: data.Transform{Resolution: o.Resolution}})
		if err != nil {
			return err
		}
		gan, err := trainers.NewGAN(root, nil, o, torch.CPU)
		if err != nil {
			return err
		}
		return trainers.Run(context.Background(), gan, trainers.RunOptions{
			Kimg: 0.06, TickKimg: 0.02, Grid: 2, Loader: loader, Out: out,
			Console: &monitor.Console{W: os.Stderr, Quiet: true},
			OnTick:  func(t monitor.Tick) { fmt.Println("step", t.Step, "images", 1000*t.Kimg) },
		})
	})
	pictures, _ := filepath.Glob(filepath.Join(dir, "a", "samples", "*.png"))
	fmt.Println(len(pictures), "grids,", err)
	// Output:
	// step 1 images 20
	// step 2 images 40
	// step 3 images 60
	// 5 grids, <nil>
}
