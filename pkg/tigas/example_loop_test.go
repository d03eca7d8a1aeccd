package tigas_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// generator makes an image of a latent: w z, through a tanh. It stands for a network of one's own.
type generator struct{ w *torch.Tensor }

const latent, size = 8, 32

func newGenerator(s *torch.Scope) (*generator, error) {
	r, err := s.NewGenerator(torch.CPU, 1)
	if err != nil {
		return nil, err
	}
	g := &generator{s.Randn(r, []int64{latent, 3 * size * size}).MulScalar_(0.3).RequiresGrad(true)}
	s.Seal() // results of formulas go elsewhere
	return g, nil
}

func (g *generator) forward(z *torch.Tensor) *torch.Tensor {
	return z.MatMul(g.w).Tanh().Reshape(-1, 3, size, size) // [-1, 1]
}

// train takes steps of gradient descent with a loss of one's own, here one for small weights, and the term; it returns the
// mean score before and after.
func train(root *torch.Scope, term *tigas.Term, steps int64) (first, last float64, err error) {
	g, err := newGenerator(root.Child())
	if err != nil {
		return 0, 0, err
	}
	noise, err := root.NewGenerator(torch.CPU, 2)
	if err != nil {
		return 0, 0, err
	}
	fixed := root.Randn(noise, []int64{8, latent}) // the same pictures are judged before and after
	judge := func() (score float64) {
		torch.NoGrad(func() { // the score alone, whatever the term's weight is
			_, s := term.Detector.Loss(g.forward(fixed), term.Options)
			score = s.Float64()
		})
		return score
	}
	first = judge()
	for step := range steps {
		err := root.Scoped(func(s *torch.Scope) error {
			fake := g.forward(s.Randn(noise, []int64{4, latent}))
			loss := s.Use(g.w).Square().Mean()
			if a := term.Apply(sched.NewProgress(step, 4*step, 0), fake); a.Loss != nil { // nil: not due, nothing was computed
				loss = loss.Add(a.Loss)
			}
			grad := torch.Grad(loss, []*torch.Tensor{g.w}, torch.GradOptions{})[0]
			torch.NoGrad(func() { g.w.Sub_(grad.MulScalar(6 / grad.Norm().AddScalar(1e-12).Float64())) })
			return nil
		})
		if err != nil {
			return 0, 0, err
		}
	}
	return first, judge(), nil
}

// The term in a loop of one's own, for images in [-1, 1], with a warm-up over 10 steps. It has no state: a loop that resumes
// asks it at the step where it is.
func Example_loop() {
	root := torch.NewScope()
	defer root.Close()
	det, err := tigas.Embedded(root, tigas.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	weight, err := sched.NewWarmup(1, sched.Span{N: 10, Unit: sched.Step}, sched.Span{})
	if err != nil {
		fmt.Println(err)
		return
	}
	term := &tigas.Term{Detector: det, Weight: weight, Options: tigas.LossOptions{Range: tigas.Symmetric, Form: tigas.Log}}
	first, last, err := train(root, term, 25)
	fmt.Println("the score rose:", last > first+0.1, err)
	fmt.Println(det.Calls(), "calls in 25 steps") // at step 0 the weight is 0; two were for judging
	// Output:
	// the score rose: true <nil>
	// 26 calls in 25 steps
}
