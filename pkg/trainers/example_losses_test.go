package trainers_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// A critic's outputs for a batch of two real and two generated images.
func outputs(s *torch.Scope) (real, fake *torch.Tensor) {
	return s.FromFloat32s([]float32{2, 1}, 2), s.FromFloat32s([]float32{-1, 0}, 2)
}

func ExampleWassersteinCritic() {
	s := torch.NewScope()
	defer s.Close()
	real, fake := outputs(s)
	fmt.Println(trainers.WassersteinCritic(real, fake).Float64())
	// Output: -2
}

func ExampleWassersteinGenerator() {
	s := torch.NewScope()
	defer s.Close()
	_, fake := outputs(s)
	fmt.Println(trainers.WassersteinGenerator(fake).Float64())
	// Output: 0.5
}

func ExampleNonSaturatingCritic() {
	s := torch.NewScope()
	defer s.Close()
	real, fake := outputs(s)
	fmt.Printf("%.4f\n", trainers.NonSaturatingCritic(real, fake).Float64())
	// Output: 0.7233
}

func ExampleNonSaturatingGenerator() {
	s := torch.NewScope()
	defer s.Close()
	_, fake := outputs(s)
	fmt.Printf("%.4f\n", trainers.NonSaturatingGenerator(fake).Float64())
	// Output: 1.0032
}

func ExampleHingeCritic() {
	s := torch.NewScope()
	defer s.Close()
	real, fake := outputs(s)
	fmt.Println(trainers.HingeCritic(real, fake).Float64())
	// Output: 0.5
}

func ExampleHingeGenerator() {
	s := torch.NewScope()
	defer s.Close()
	_, fake := outputs(s)
	fmt.Println(trainers.HingeGenerator(fake).Float64())
	// Output: 0.5
}

func ExampleBCECritic() {
	s := torch.NewScope()
	defer s.Close()
	real, fake := outputs(s)
	fmt.Printf("%.4f\n", trainers.BCECritic(real, fake).Float64())
	// Output: 0.7233
}

func ExampleBCEGenerator() {
	s := torch.NewScope()
	defer s.Close()
	_, fake := outputs(s)
	fmt.Printf("%.4f\n", trainers.BCEGenerator(fake).Float64())
	// Output: 1.0032
}

func ExampleGradientPenalty() {
	s := torch.NewScope()
	defer s.Close()
	// A linear critic has one slope everywhere, here 5: the penalty is 10 (5 - 1)².
	w := s.FromFloat32s([]float32{3, 4}, 2)
	critic := func(x *torch.Tensor) *torch.Tensor { return x.MatMul(w) }
	real, fake := s.Ones([]int64{4, 2}), s.Zeros([]int64{4, 2})
	fmt.Println(trainers.GradientPenalty(critic, real, fake, trainers.PenaltyOptions{Lambda: 10}).Float64())
	// Output: 160
}

func ExampleClipWeights() {
	s := torch.NewScope()
	defer s.Close()
	w := s.FromFloat32s([]float32{-3, 0.005, 3}, 3)
	trainers.ClipWeights([]*torch.Tensor{w}, 0.01)
	fmt.Println(w.Float32s())
	// Output: [-0.01 0.005 0.01]
}

func ExampleR1Gamma() {
	fmt.Println(trainers.R1Gamma(256, 16), trainers.R1Gamma(512, 8))
	// Output: 0.8192 6.5536
}

func ExampleLazyAdam() {
	lr, beta1, beta2 := trainers.LazyAdam(16, 0.0025, 0, 0.99)
	fmt.Printf("%.6f %g %.6f\n", lr, beta1, beta2)
	// Output: 0.002353 0 0.990585
}

func ExampleReparameterize() {
	s := torch.NewScope()
	defer s.Close()
	mu, logvar := s.FromFloat32s([]float32{1, 2}, 1, 2), s.FromFloat32s([]float32{0, 2}, 1, 2)
	noise := s.FromFloat32s([]float32{0.5, -1}, 1, 2)
	fmt.Printf("%.4f\n", trainers.Reparameterize(mu, logvar, noise).Float32s())
	// Output: [1.5000 -0.7183]
}

func ExampleClampLogVar() {
	s := torch.NewScope()
	defer s.Close()
	fmt.Println(trainers.ClampLogVar(s.FromFloat32s([]float32{-100, 1, 1000}, 3)).Float32s())
	// Output: [-30 1 20]
}

func ExampleEffectiveBeta() {
	fmt.Println(trainers.EffectiveBeta(3, 64, 64, 128))
	// Output: 96
}

func ExampleReconstruction() {
	s := torch.NewScope()
	defer s.Close()
	out, x := s.FromFloat32s([]float32{0.5, -0.5, 1, 0}, 2, 2), s.FromFloat32s([]float32{0, 0, 0, 0}, 2, 2)
	for _, r := range []trainers.Reduction{trainers.SumReduction, trainers.MeanReduction} {
		fmt.Println(r, trainers.Reconstruction(trainers.MSEReconstruction, out, x, r).Float64(),
			trainers.Reconstruction(trainers.L1Reconstruction, out, x, r).Float64())
	}
	fmt.Printf("%.4f\n", trainers.Reconstruction(trainers.BCEReconstruction, out, x, trainers.MeanReduction).Float64())
	// Output:
	// sum 0.75 1
	// mean 0.375 0.5
	// 0.8636
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
