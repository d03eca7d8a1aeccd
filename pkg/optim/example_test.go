package optim_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

// Fits y = 3x - 1 to three points.
func Example() {
	root := torch.NewScope()
	defer root.Close()
	weights := root.Child()
	w, b := weights.Scalar(0).RequiresGrad(true), weights.Scalar(0).RequiresGrad(true)
	weights.Seal()
	params := []*torch.Tensor{w, b}
	opt := optim.NewSGD(root, params, optim.SGDOptions{LR: 0.1, Momentum: 0.9})
	for range 200 {
		err := root.Scoped(func(s *torch.Scope) error {
			x, y := s.FromFloat32s([]float32{-1, 0, 1}), s.FromFloat32s([]float32{-4, -1, 2})
			loss := x.Mul(w).Add(b).MSE(y)
			opt.Step(torch.Grad(loss, params, torch.GradOptions{}))
			return nil
		})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Printf("%.3f %.3f\n", w.Float64(), b.Float64())
	// Output:
	// 3.000 -1.000
}

func ExampleClipGradNorm() {
	s := torch.NewScope()
	defer s.Close()
	grads := []*torch.Tensor{s.FromFloat32s([]float32{3}), nil, s.FromFloat32s([]float32{4})}
	norm, err := optim.ClipGradNorm(grads, 1)
	fmt.Println(norm, err)
	fmt.Printf("%.4f %.4f\n", grads[0].Float32s(), grads[2].Float32s())
	// Output:
	// 5 <nil>
	// [0.6000] [0.8000]
}

func ExampleHalfLife() {
	for _, images := range []float64{0, 10_000, 100_000, 1_000_000} {
		fmt.Printf("%.6f\n", optim.HalfLife(32, 10, images, 0.05))
	}
	// Output:
	// 0.000000
	// 0.956608
	// 0.995574
	// 0.997784
}
