package trainers_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// The outputs are those of a critic, for a batch of two real and two generated images.
func ExampleWassersteinCritic() {
	s := torch.NewScope()
	defer s.Close()
	real, fake := s.FromFloat32s([]float32{2, 1}), s.FromFloat32s([]float32{-1, 0})
	fmt.Println(trainers.WassersteinCritic(real, fake).Float64())
	// Output: -2
}

func ExampleWassersteinGenerator() {
	s := torch.NewScope()
	defer s.Close()
	fake := s.FromFloat32s([]float32{-1, 0})
	fmt.Println(trainers.WassersteinGenerator(fake).Float64())
	// Output: 0.5
}

func ExampleNonSaturatingCritic() {
	s := torch.NewScope()
	defer s.Close()
	real, fake := s.FromFloat32s([]float32{2, 1}), s.FromFloat32s([]float32{-1, 0})
	fmt.Printf("%.4f\n", trainers.NonSaturatingCritic(real, fake).Float64())
	// Output: 0.7233
}

func ExampleNonSaturatingGenerator() {
	s := torch.NewScope()
	defer s.Close()
	fake := s.FromFloat32s([]float32{-1, 0})
	fmt.Printf("%.4f\n", trainers.NonSaturatingGenerator(fake).Float64())
	// Output: 1.0032
}

func ExampleHingeCritic() {
	s := torch.NewScope()
	defer s.Close()
	real, fake := s.FromFloat32s([]float32{2, 1}), s.FromFloat32s([]float32{-1, 0})
	fmt.Println(trainers.HingeCritic(real, fake).Float64())
	// Output: 0.5
}

func ExampleHingeGenerator() {
	s := torch.NewScope()
	defer s.Close()
	fake := s.FromFloat32s([]float32{-1, 0})
	fmt.Println(trainers.HingeGenerator(fake).Float64())
	// Output: 0.5
}

func ExampleBCECritic() {
	s := torch.NewScope()
	defer s.Close()
	real, fake := s.FromFloat32s([]float32{2, 1}), s.FromFloat32s([]float32{-1, 0})
	fmt.Printf("%.4f\n", trainers.BCECritic(real, fake).Float64())
	// Output: 0.7233
}

func ExampleBCEGenerator() {
	s := torch.NewScope()
	defer s.Close()
	fake := s.FromFloat32s([]float32{-1, 0})
	fmt.Printf("%.4f\n", trainers.BCEGenerator(fake).Float64())
	// Output: 1.0032
}

// A loss by its name, as a command line gives it: the pair of functions above.
func ExampleGANLoss() {
	s := torch.NewScope()
	defer s.Close()
	real, fake := s.FromFloat32s([]float32{2, 1}), s.FromFloat32s([]float32{-1, 0})
	for _, l := range trainers.GANLosses {
		if l == trainers.TIGASOnly { // has no critic
			continue
		}
		fmt.Printf("%-13s %.2f %.2f %v\n", l, l.Critic(real, fake).Float64(), l.Generator(fake).Float64(), l.Wasserstein())
	}
	_, err := trainers.ParseGANLoss("lsgan")
	fmt.Println(err)
	// Output:
	// wgan-gp       -2.00 0.50 true
	// wgan-clip     -2.00 0.50 true
	// nonsaturating 0.72 1.00 false
	// hinge         0.50 0.50 false
	// bce           0.72 1.00 false
	// trainers: got the loss "lsgan" vs one of [wgan-gp wgan-clip nonsaturating hinge bce tigas-only]
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

// A linear discriminator has one slope everywhere, here of length 5: gamma/2 times its square.
func ExampleR1Penalty() {
	s := torch.NewScope()
	defer s.Close()
	w := s.FromFloat32s([]float32{3, 4}, 2)
	critic := func(x *torch.Tensor) *torch.Tensor { return x.MatMul(w) }
	fmt.Println(trainers.R1Penalty(critic, s.Ones([]int64{8, 2}), 0.8).Float64())
	// Output: 10
}

// Images that are three times their style change by 3 for each step of 1: the running mean of lengths goes there, by a
// hundredth of the way in each step.
func ExamplePathLengthPenalty() {
	s := torch.NewScope()
	defer s.Close()
	mean := s.Scalar(0)
	for range 3 { // in a loop of one's own
		step := s.Child()
		styles := step.Full([]int64{2, 1, 4}, 1).RequiresGrad(true) // [N, layers, D]
		images := styles.Reshape(2, 1, 2, 2).MulScalar(3)           // a generator
		penalty, m := trainers.PathLengthPenalty(images, styles, step.Ones([]int64{2, 1, 2, 2}), step.Use(mean))
		mean = s.Adopt(m)
		fmt.Printf("penalty %.2f, %.4f of 3\n", penalty.Float64(), mean.Float64())
		step.Close()
	}
	// Output:
	// penalty 8.82, 0.0300 of 3
	// penalty 8.65, 0.0597 of 3
	// penalty 8.47, 0.0891 of 3
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

// The divergence from the standard normal distribution: none for that itself, mu²/2 for one that is moved. Free bits are what
// each dimension may have for nothing.
func ExampleKL() {
	s := torch.NewScope()
	defer s.Close()
	mu, logvar := s.FromFloat32s([]float32{0, 0, 2, 0}, 2, 2), s.Zeros([]int64{2, 2})
	fmt.Println(trainers.KL(mu, logvar, trainers.KLOptions{}).Float64(),
		trainers.KL(mu, logvar, trainers.KLOptions{Reduction: trainers.MeanReduction}).Float64(),
		trainers.KL(mu, logvar, trainers.KLOptions{FreeBits: 0.5}).Float64())
	// Output: 1 0.5 1.5
}

func ExampleParseReconstruction() {
	for _, name := range []string{"mse", "l1", "bce", "ssim"} {
		kind, err := trainers.ParseReconstruction(name)
		fmt.Println(kind == trainers.ReconstructionKind(name), err)
	}
	// Output:
	// true <nil>
	// true <nil>
	// true <nil>
	// false trainers: got the reconstruction "ssim" vs mse, l1 or bce
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
