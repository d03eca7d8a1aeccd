package trainers_test

import (
	"context"
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// How a diffusion model is trained by default, and which of its images the TIGAS term scores: those of timesteps where
// enough of the image is left to judge it.
func ExampleDiffusionOptions() {
	o := trainers.DefaultDiffusionOptions()
	o.UNet = models.UNetConfig{Resolution: 64, Channels: []int{32, 64}, Blocks: 1, Groups: 8} // or models.UNetPreset
	fmt.Println(o.Predict, o.Schedule, o.Timesteps, o.LossWeight, o.Sampling, o.Validate())
	noise, err := sched.NewNoise(o.Schedule, o.Timesteps)
	if err != nil {
		fmt.Println(err)
		return
	}
	limit := o.TermLimit(noise)
	fmt.Println(noise.AlphaBar(limit-1) >= 0.25, noise.AlphaBar(limit) < 0.25)
	o.MaxTimestep = 200
	fmt.Println(o.TermLimit(noise), trainers.DefaultLossWeight(trainers.PredictNoise) == trainers.UniformWeight)
	o.Sampling.Steps = 2000
	fmt.Println(o.Sampling.Validate(o.Timesteps))
	// Output:
	// v cosine 1000 min-snr {ddim 50 0} <nil>
	// true true
	// 200 true
	// trainers: sampling: got 2000 steps vs 1 to the 1000 of the noise
}

// A diffusion model with a small U-Net, ready for [trainers.Run].
func ExampleNewDiffusion() {
	root := torch.NewScope()
	defer root.Close()
	o := trainers.DefaultDiffusionOptions()
	o.Resolution, o.Sampling.Steps = 16, 2 // of a size for an example
	o.UNet = models.UNetConfig{Resolution: 16, Channels: []int{8, 8}, Blocks: 1, Groups: 4}
	d, err := trainers.NewDiffusion(root, nil, o, torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Objective())
	z := trainers.DrawLatents(root, d, nil, 2, torch.CPU) // noise of the size of an image
	images, err := d.Sample(context.Background(), z)
	fmt.Println(z.Shape(), images.Shape(), err)
	// Output:
	// v, cosine noise of 1000 steps, weight min-snr
	// [2 3 16 16] [2 3 16 16] <nil>
}

// A sampler from the tensors of a snapshot, drawn from in more steps than while it trained, and with noise on the way.
func ExampleLoadDiffusion() {
	root := torch.NewScope()
	defer root.Close()
	o := trainers.DefaultDiffusionOptions()
	o.Resolution, o.Sampling.Steps = 16, 2
	o.UNet = models.UNetConfig{Resolution: 16, Channels: []int{8, 8}, Blocks: 1, Groups: 4}
	d, err := trainers.NewDiffusion(root, nil, o, torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	tensors := map[string]*torch.Tensor{}
	for name, t := range d.Tensors() {
		tensors[name] = t
	}
	m, err := trainers.LoadDiffusion(root, o, tensors, torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	m.Sampling = trainers.Sampling{Method: trainers.MethodDDIM, Steps: 4, Eta: 0.5}
	if m.Noise, err = root.NewGenerator(torch.CPU, 7); err != nil {
		fmt.Println(err)
		return
	}
	images, err := m.Sample(context.Background(), trainers.DrawLatents(root, m, nil, 2, torch.CPU))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Timesteps(), m.LatentShape(), images.Shape(), images.Abs().Max().Float64() <= 1)
	// Output: 1000 [3 16 16] [2 3 16 16] true
}
