package torch_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Leaves are made by hand, the rest is computed; gradients flow through what was computed from leaves that require them.
func ExampleTensor_RequiresGrad() {
	s := torch.NewScope()
	defer s.Close()
	w := s.FromFloat32s([]float32{2}).RequiresGrad(true)
	y := w.Mul(w)
	for _, x := range []*torch.Tensor{w, y, y.Detach(), y.Clone()} {
		fmt.Println(x.IsLeaf(), x.IsGradRequired(), x.HasGradFn())
	}
	// Output:
	// true true false
	// false true true
	// true false false
	// false true true
}

// Detach cuts the graph: what is behind it counts as a constant. Here a critic's step must not reach the generator.
func ExampleTensor_Detach() {
	s := torch.NewScope()
	defer s.Close()
	g, d := s.Scalar(3).RequiresGrad(true), s.Scalar(5).RequiresGrad(true)
	fake := g.MulScalar(2)
	params := []*torch.Tensor{g, d}
	o := torch.GradOptions{AllowUnused: true}
	fmt.Println(torch.Grad(fake.Mul(d), params, o)[0].Float64())
	grads := torch.Grad(fake.Detach().Mul(d), params, o)
	fmt.Println(grads[0], grads[1].Float64()) // nil: the loss does not depend on g
	// Output:
	// 10
	// nil 6
}

// The gradient of a tensor that is no scalar needs one to begin with: a product of it and the Jacobian is computed.
func ExampleGradOptions() {
	s := torch.NewScope()
	defer s.Close()
	x := s.FromFloat32s([]float32{1, 2, 3}).RequiresGrad(true)
	y := x.Square()
	v := s.FromFloat32s([]float32{1, 0, 10})
	inputs := []*torch.Tensor{x}
	fmt.Println(torch.Grad(y, inputs, torch.GradOptions{Output: v, RetainGraph: true})[0].Float32s()) // 2 x v
	fmt.Println(torch.Grad(y.Sum(), inputs, torch.GradOptions{})[0].Float32s())                       // the graph once more
	err := torch.Try(func() { torch.Grad(y.Sum(), inputs, torch.GradOptions{}) })
	fmt.Println("freed by now:", err != nil)
	// Output:
	// [2 0 60]
	// [2 4 6]
	// freed by now: true
}

// A part of a NoGrad region that is recorded after all. Modes end with their functions, and never leak.
func ExampleEnableGrad() {
	s := torch.NewScope()
	defer s.Close()
	x := s.FromFloat32s([]float32{3}).RequiresGrad(true)
	torch.NoGrad(func() {
		fmt.Println(x.Square().IsGradRequired(), torch.IsGradEnabled())
		torch.EnableGrad(func() {
			g := torch.Grad(x.Square().Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0]
			fmt.Println(g.Float64(), torch.IsGradEnabled())
		})
	})
	// Output:
	// false false
	// 6 true
}
