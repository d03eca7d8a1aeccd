package tigas_test

import (
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// The term on every 4th step, four times as strong there: it saves three quarters of the detector's time and has the same
// effect on average. Due says what it will be multiplied by, and costs nothing.
func ExampleTerm_Due() {
	s := torch.NewScope()
	defer s.Close()
	det, err := tigas.Embedded(s, tigas.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	term := tigas.Term{Detector: det, Weight: sched.Constant{Value: 0.1}, Interval: sched.Interval{Every: 4, Compensate: true}}
	for step := range int64(6) {
		fmt.Printf("%.1f ", term.Due(sched.Progress{Step: step}))
	}
	fmt.Println(det.Calls())
	// Output: 0.4 0.0 0.0 0.0 0.4 0.0 0
}

// What Apply returns, and what becomes of it when something is not finite: it adds nothing, and training goes on.
func ExampleTerm_Apply() {
	s := torch.NewScope()
	defer s.Close()
	det, err := tigas.Embedded(s, tigas.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	term := tigas.Term{Detector: det, Weight: sched.Constant{Value: 0.1}}
	for _, value := range []float64{0.5, math.NaN()} {
		images := s.Full([]int64{2, 3, 32, 32}, value).RequiresGrad(true)
		a := term.Apply(sched.Progress{}, images)
		g := torch.Grad(a.Loss, []*torch.Tensor{images}, torch.GradOptions{})[0].Norm().Float64()
		fmt.Println(a.Dropped.Bool(), a.Weight, a.Loss.Float64() > 0, a.Raw.Float64() > 0, a.Score.Float64() > 0, g > 0)
	}
	// Output:
	// false 0.1 true true true true
	// true 0.1 false false false false
}

// Diffusion models weigh each image by how much of it is left in the noise. An image with weight 0 has no gradient.
func ExampleTerm_ApplyWeighted() {
	s := torch.NewScope()
	defer s.Close()
	det, err := tigas.Embedded(s, tigas.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	term := tigas.Term{Detector: det, Weight: sched.Constant{Value: 0.05}}
	images := s.Full([]int64{2, 3, 32, 32}, 0.5).RequiresGrad(true)
	a := term.ApplyWeighted(sched.Progress{}, images, s.FromFloat32s([]float32{0.5, 0}))
	g := torch.Grad(a.Loss, []*torch.Tensor{images}, torch.GradOptions{})[0]
	fmt.Println(g.Select(0, 0).Norm().Float64() > 0, g.Select(0, 1).Norm().Float64() > 0)
	// Output: true false
}

// A weight that is on the device: what a step that is recorded once and replayed needs, as the schedule's numbers are the host's.
func ExampleTerm_ApplyScaled() {
	s := torch.NewScope()
	defer s.Close()
	det, err := tigas.Embedded(s, tigas.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	term := tigas.Term{Detector: det, Weight: sched.Constant{Value: 0.1}}
	images := s.Full([]int64{2, 3, 32, 32}, 0.5)
	factor := s.Scalar(term.Due(sched.Progress{}))
	same := term.ApplyScaled(images, nil, factor).Loss.Float64() == term.Apply(sched.Progress{}, images).Loss.Float64()
	torch.NoGrad(func() { factor.MulScalar_(2) })
	twice := term.ApplyScaled(images, nil, factor).Loss.Float64() / term.Apply(sched.Progress{}, images).Loss.Float64()
	fmt.Println(same, twice)
	// Output: true 2
}
