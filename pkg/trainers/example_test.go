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

// A loss is a function of tensors: a step of a WGAN-GP's critic, in a loop of one's own. This critic is linear, with a slope
// of 5 everywhere, and tells ones from zeros; its penalty is 10 (5 - 1)².
func Example() {
	s := torch.NewScope()
	defer s.Close()
	w := s.FromFloat32s([]float32{3, 4}).RequiresGrad(true)
	critic := func(x *torch.Tensor) *torch.Tensor { return x.MatMul(w) }
	real, fake := s.Ones([]int64{8, 2}), s.Zeros([]int64{8, 2})
	loss := trainers.WassersteinCritic(critic(real), critic(fake)) // mean of fake - mean of real
	penalty := trainers.GradientPenalty(critic, real, fake, trainers.PenaltyOptions{Lambda: 10})
	g := torch.Grad(loss.Add(penalty), []*torch.Tensor{w}, torch.GradOptions{})[0]
	fmt.Printf("%.0f %.0f %.0f\n", loss.Float64(), penalty.Float64(), g.Float32s()) // 20 (5 - 1) w/5, less 1
	// Output: -7 160 [47 63]
}

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
