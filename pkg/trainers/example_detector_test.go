package trainers_test

import (
	"context"
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// A small detector learns to tell smooth images from noise, from batches of one's own.
func ExampleTrainDetector() {
	root := torch.NewScope()
	defer root.Close()
	g, err := root.NewGenerator(torch.CPU, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	net, err := network.New(root, g, network.Arch{Base: 8, Feature: 32, Blocks: []int{1, 1}}, torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	var loss float64
	err = trainers.TrainDetector(context.Background(), net, trainers.DetectorOptions{
		Steps: 30, LR: 0.01, Warmup: 5,
		Batch: func(s *torch.Scope) (images, targets *torch.Tensor, err error) {
			real := s.Rand(g, []int64{4, 3, 2, 2}).Resize(16, 16, false)
			fake := s.Rand(g, []int64{4, 3, 16, 16})
			return torch.Cat([]*torch.Tensor{real, fake}, 0), s.FromFloat32s([]float32{1, 1, 1, 1, 0, 0, 0, 0}), nil
		},
		OnStep: func(st trainers.DetectorStep) error { // Skipped says why an update was left out
			loss = st.Loss
			return st.Skipped
		},
	})
	fmt.Println("better than guessing, log 2:", loss < 0.6, err)
	// Output: better than guessing, log 2: true <nil>
}

// Figures of scores alone: of two real and two generated images, one of the generated ones is taken for real. So few images
// prove nothing, and the verdict says so.
func ExampleJudgeScores() {
	f := trainers.JudgeScores([]float32{0.9, 0.7}, []float32{0.1, 0.8}, 0)
	fmt.Println(f.AUC, f.Accuracy)
	fmt.Printf("%.2f %.2f\n", f.MeanReal, f.MeanFake)
	v := f.Verdict()
	fmt.Println(v.Useless, v.Text)

	good := trainers.DetectorFigures{Real: 1000, Fake: 1000, AUC: 0.99, Accuracy: 0.95, Slope: 0.02}
	v = good.Verdict(trainers.DegradedFigures{Kind: "jpeg", Accuracy: 0.6})
	fmt.Println(v.Useless, v.Text)
	fmt.Println(v.Advice)
	// Output:
	// 0.75 0.75
	// 0.80 0.45
	// true useless as far as can be told: 2 real and 2 generated test pictures are too few
	// false good on pictures like these; what it says of other generators is not known
	// [it is misled by jpeg: train longer, with --augment strong]
}

// Is a detector worth using on these pictures? Here the ones that are called generated are demo pictures like the others, so
// they score as high, and the verdict is that it tells nothing apart.
func ExampleJudgeDetector() {
	root := torch.NewScope()
	defer root.Close()
	det, err := tigas.Embedded(root, tigas.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	demo := data.NewDemo(32, false)
	j, err := trainers.JudgeDetector(context.Background(), det, data.Range(demo, 0, 24), data.Range(demo, 24, 48),
		trainers.JudgeOptions{Batch: 8, OnProgress: func(done, total int) {}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(j.Real), len(j.Fake), j.BrokenReal+j.BrokenFake, len(j.Degraded) == len(data.Degradations))
	fmt.Println(j.Figures.MeanReal > 0.5, j.Figures.MeanFake > 0.5, j.Verdict.Useless)
	// Output:
	// 24 24 0 true
	// true true true
}
