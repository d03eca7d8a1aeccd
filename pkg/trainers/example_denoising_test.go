package trainers_test

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// What a network may predict, and how it is read out: with a network that predicts perfectly, all three give the image and
// the noise back.
func ExamplePrediction() {
	s := torch.NewScope()
	defer s.Close()
	schedule, err := sched.NewNoise(sched.CosineNoise, 1000)
	if err != nil {
		fmt.Println(err)
		return
	}
	shape := []int64{2, 1, 1, 1}
	x0, noise := s.Full(shape, 0.5), s.Full(shape, -1)
	levels := trainers.LevelsAt(s, schedule, []int{300, 700}, torch.CPU)
	xt := levels.AddNoise(x0, noise)
	for _, name := range []string{"eps", "v", "x0"} {
		p, err := trainers.ParsePrediction(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		out := p.Target(x0, noise, levels) // what the network is trained to return
		fmt.Printf("%-3s %.3f %.3f\n", p, p.X0(out, xt, levels).Float32s(), p.NoiseOf(out, xt, levels).Float32s())
	}
	// Output:
	// eps [0.500 0.500] [-1.000 -1.000]
	// v   [0.500 0.500] [-1.000 -1.000]
	// x0  [0.500 0.500] [-1.000 -1.000]
}

// A step of DDIM by hand: what the network's output says of the noisy images, and where that leads.
func ExampleDDIMStep() {
	s := torch.NewScope()
	defer s.Close()
	schedule, err := sched.NewNoise(sched.LinearNoise, 1000)
	if err != nil {
		fmt.Println(err)
		return
	}
	shape := []int64{1, 1, 1, 1}
	x0, noise := s.Full(shape, 0.5), s.Full(shape, -1)
	xt := trainers.LevelsAt(s, schedule, []int{800}, torch.CPU).AddNoise(x0, noise)
	seen := trainers.PredictNoise.Denoise(schedule, 800, noise, xt, true) // a perfect network
	fmt.Printf("%.4f %.4f\n", seen.X0.Float64(), seen.Noise.Float64())
	x := trainers.DDIMStep(schedule, 800, 200, 0, seen, nil)
	want := trainers.LevelsAt(s, schedule, []int{200}, torch.CPU).AddNoise(x0, noise) // with the same noise, at step 200
	fmt.Printf("%.4f\n", x.Sub(want).Abs().Float64())
	fmt.Printf("%.4f\n", trainers.DDIMStep(schedule, 800, -1, 0, seen, nil).Float64()) // at once
	// Output:
	// 0.5000 -1.0000
	// 0.0000
	// 0.5000
}

// The numbers in a step. DDIM with eta 1 adds as much noise as DDPM; with eta 0 none. FixedLarge is the variance of the
// schedule itself.
func ExampleDDPM() {
	n, err := sched.NewNoise(sched.LinearNoise, 1000)
	if err != nil {
		fmt.Println(err)
		return
	}
	ddim := trainers.DDIM(n, 500, 499, 1)
	ddpm := trainers.DDPM(n, 500, 499, trainers.FixedSmall)
	fmt.Println(math.Abs(ddim.Sigma-ddpm.Sigma) < 1e-12, trainers.DDIM(n, 500, 499, 0).Sigma)
	large, err := trainers.ParseVariance("fixed-large")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(math.Abs(trainers.DDPM(n, 500, 499, large).Sigma-math.Sqrt(n.Beta(500))) < 1e-12)
	// Output:
	// true 0
	// true
}

// Which 4 of 1,000 steps are visited; -1 is the image itself.
func ExampleTimeGrid() {
	for _, name := range []string{"linspace", "leading", "trailing"} {
		grid, err := trainers.ParseTimeGrid(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		times, err := grid.Times(1000, 4)
		fmt.Println(grid, times, err)
	}
	// Output:
	// linspace [999 749 499 249 -1] <nil>
	// leading [750 500 250 0 -1] <nil>
	// trailing [999 749 499 249 -1] <nil>
}

// Images from noise with any denoiser: this one knows that all images are 0.25 everywhere, so that is where every start
// leads. With eta 0 nothing is drawn on the way; when its context ends, sampling stops between two steps.
func ExampleDiffusionSampler() {
	s := torch.NewScope()
	defer s.Close()
	schedule, err := sched.NewNoise(sched.CosineNoise, 1000)
	if err != nil {
		fmt.Println(err)
		return
	}
	d := trainers.DiffusionSampler{
		Denoiser: func(x, t *torch.Tensor) *torch.Tensor { return x.ZerosLike().AddScalar(0.25) },
		Noise:    schedule, Prediction: trainers.PredictX0, Steps: 10,
	}
	fmt.Println(d.Validate(), d.Resolve().Method, d.Resolve().Grid, d.Stochastic())
	images, err := d.Sample(context.Background(), s.Randn(nil, []int64{2, 3, 8, 8}), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(images, images.Min().Float64(), images.Max().Float64())

	ctx, stop := context.WithCancel(context.Background())
	stop()
	_, err = d.Sample(ctx, s.Randn(nil, []int64{2, 3, 8, 8}), nil)
	fmt.Println(errors.Is(err, context.Canceled))
	// Output:
	// <nil> ddim linspace false
	// float32[2 3 8 8] cpu 0.25 0.25
	// true
}

func ExampleNoiseLevels() {
	s := torch.NewScope()
	defer s.Close()
	schedule, err := sched.NewNoise(sched.CosineNoise, 1000)
	if err != nil {
		panic(err)
	}
	x0, noise := s.Ones([]int64{2, 1, 1, 1}), s.Zeros([]int64{2, 1, 1, 1})
	levels := trainers.LevelsAt(s, schedule, []int{0, 999}, torch.CPU)
	fmt.Printf("%.3f\n", levels.AddNoise(x0, noise).Float32s()) // what is left of the image
	// Output: [1.000 0.000]
}

func ExampleDiffusionLoss() {
	s := torch.NewScope()
	defer s.Close()
	out, target := s.Zeros([]int64{2, 3, 4, 4}), s.Ones([]int64{2, 3, 4, 4})
	weights := s.FromFloat32s([]float32{1, 0.5}, 2)
	fmt.Println(trainers.DiffusionLoss(out, target, nil).Float64(), trainers.DiffusionLoss(out, target, weights).Float64())
	// Output: 1 0.75
}

func ExamplePrediction_MinSNRWeight() {
	for _, snr := range []float64{0.1, 5, 100} {
		fmt.Printf("%5.3g: eps %.3g v %.3g x0 %.3g\n", snr, trainers.PredictNoise.MinSNRWeight(snr, 5),
			trainers.PredictV.MinSNRWeight(snr, 5), trainers.PredictX0.MinSNRWeight(snr, 5))
	}
	// Output:
	//   0.1: eps 1 v 0.0909 x0 0.1
	//     5: eps 1 v 0.833 x0 5
	//   100: eps 0.05 v 0.0495 x0 5
}

func ExampleClampThrough() {
	s := torch.NewScope()
	defer s.Close()
	x := s.FromFloat32s([]float32{-2, 0.5, 3}, 3).RequiresGrad(true)
	y := trainers.ClampThrough(x, -1, 1)
	g := torch.Grad(y.Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0]
	fmt.Println(y.Float32s(), g.Float32s())
	// Output: [-1 0.5 1] [1 1 1]
}

func ExampleDDPMStep() {
	s := torch.NewScope()
	defer s.Close()
	schedule, err := sched.NewNoise(sched.LinearNoise, 1000)
	if err != nil {
		panic(err)
	}
	// The mean of the step before x_500, for a known image: no noise is added here.
	xt, x0 := s.Full([]int64{1, 1, 1, 1}, 0.3), s.Full([]int64{1, 1, 1, 1}, 1)
	z := s.Zeros([]int64{1, 1, 1, 1})
	fmt.Printf("%.4f\n", trainers.DDPMStep(schedule, 500, 499, trainers.FixedSmall, x0, xt, z).Float64())
	// Output: 0.3013
}
