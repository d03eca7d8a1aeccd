package tigas_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// The ten lines that a training loop needs: images of a generator, the term, and its gradient beside that of the rest.
func Example() {
	err := torch.Scoped(func(s *torch.Scope) error {
		det, err := tigas.Embedded(s, tigas.OpenOptions{}) // or Open, for a file
		if err != nil {
			return err
		}
		w := s.Zeros([]int64{1, 3, 32, 32}).RequiresGrad(true)                                         // a generator's parameters
		fake := w.Tanh()                                                                               // [-1, 1]
		adversarial := fake.Square().Mean()                                                            // whatever else is wanted
		term, score := det.Loss(fake, tigas.LossOptions{Range: tigas.Symmetric})                       // 1 - mean score
		g := torch.Grad(adversarial.Add(term.MulScalar(0.1)), []*torch.Tensor{w}, torch.GradOptions{}) // of both
		fmt.Printf("%.4f %v\n", term.Add(score).Float64(), g[0].Norm().Float64() > 0)
		return nil
	})
	fmt.Println(err)
	// Output:
	// 1.0000 true
	// <nil>
}

// The loss in a loop of one's own: here the "generator" is the image itself, and its score rises.
func ExampleDetector_Loss() {
	err := torch.Scoped(func(root *torch.Scope) error {
		det, err := tigas.Embedded(root, tigas.OpenOptions{})
		if err != nil {
			return err
		}
		gen, err := root.NewGenerator(torch.CPU, 1)
		if err != nil {
			return err
		}
		image := root.Randn(gen, []int64{1, 3, 32, 32}).RequiresGrad(true)
		params := []*torch.Tensor{image}
		opt := optim.NewAdam(root, params, optim.AdamOptions{LR: 0.05})
		var first, last float64
		for step := range 30 {
			err := root.Scoped(func(s *torch.Scope) error {
				fake := s.Use(image).Tanh() // [-1, 1], as a generator's last layer makes it
				loss, score := det.Loss(fake, tigas.LossOptions{Range: tigas.Symmetric})
				if last = score.Float64(); step == 0 {
					first = last
				}
				opt.Step(torch.Grad(loss, params, torch.GradOptions{}))
				return nil
			})
			if err != nil {
				return err
			}
		}
		fmt.Println("the score rose:", last > first)
		return nil
	})
	fmt.Println(err)
	// Output:
	// the score rose: true
	// <nil>
}

// A term with a schedule: nothing before 1,000 images, a rise to 0.1 until 3,000. While it is absent the detector does not
// run.
func ExampleTerm() {
	err := torch.Scoped(func(s *torch.Scope) error {
		det, err := tigas.Embedded(s, tigas.OpenOptions{})
		if err != nil {
			return err
		}
		w, err := sched.NewWarmup(0.1, sched.Span{N: 2, Unit: sched.Kimg}, sched.Span{N: 1, Unit: sched.Kimg})
		if err != nil {
			return err
		}
		term := tigas.Term{Detector: det, Weight: w}
		images := s.Full([]int64{2, 3, 32, 32}, 0.5)
		for _, n := range []int64{0, 1000, 2000, 3000, 9000} {
			a := term.Apply(sched.Progress{Images: n}, images)
			fmt.Printf("%5d images: weight %.2f, detector ran %d times\n", n, a.Weight, det.Calls())
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	//     0 images: weight 0.00, detector ran 0 times
	//  1000 images: weight 0.00, detector ran 0 times
	//  2000 images: weight 0.05, detector ran 1 times
	//  3000 images: weight 0.10, detector ran 2 times
	//  9000 images: weight 0.10, detector ran 3 times
	// <nil>
}
