package torch_test

import (
	"errors"
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// A formula, its gradient, and the scope that owns all of it.
func Example() {
	err := torch.Scoped(func(s *torch.Scope) error {
		w := s.FromFloat32s([]float32{1, 2, 3}).RequiresGrad(true)
		loss := w.Mul(w).Sum() // w1² + w2² + w3²
		g := torch.Grad(loss, []*torch.Tensor{w}, torch.GradOptions{})
		fmt.Println(loss.Float64(), torch.Slice[float32](g[0]))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 14 [2 4 6]
}

// A step of a loop runs in a scope of its own: what it makes is freed when it ends, however it ends. What must stay is
// moved out.
func ExampleScope_Scoped() {
	root := torch.NewScope()
	defer root.Close()
	total := root.Scalar(0)
	for i := range 3 {
		err := root.Scoped(func(step *torch.Scope) error {
			x := step.Full([]int64{2, 2}, float64(i))
			total.Add_(x.Sum()) // in place: nothing is made, total stays in root
			return nil
		})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(total.Float64(), root.Len())
	// Output: 12 1
}

// A wrong shape panics inside the formula and comes out of Scoped as an error.
func ExampleScoped() {
	err := torch.Scoped(func(s *torch.Scope) error {
		a, b := s.Ones([]int64{2, 3}), s.Ones([]int64{2, 3})
		a.MatMul(b)
		return nil
	})
	fmt.Println(err)
	// Output: torch: matmul: mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3) (operands: float32[2 3] cpu, float32[2 3] cpu)
}

// Parameters live in a sealed scope, which takes no results; Use brings one into a working scope.
func ExampleScope_Use() {
	model := torch.NewScope()
	defer model.Close()
	w := model.FromFloat32s([]float32{3, 4})
	model.Seal()

	err := torch.Try(func() { w.Norm() })
	fmt.Println(errors.Is(err, torch.ErrSealed))

	s := torch.NewScope()
	defer s.Close()
	fmt.Println(s.Use(w).Norm().Float64())
	// Output:
	// true
	// 5
}

// A gradient penalty differentiates a gradient: CreateGraph keeps what that needs.
func ExampleGrad() {
	s := torch.NewScope()
	defer s.Close()
	x := s.FromFloat64s([]float64{2}).RequiresGrad(true)
	y := x.Pow(3).Sum()
	inputs := []*torch.Tensor{x}
	first := torch.Grad(y, inputs, torch.GradOptions{CreateGraph: true})[0]     // 3x²
	second := torch.Grad(first.Sum(), inputs, torch.GradOptions{})[0].Float64() // 6x
	fmt.Println(first.Float64(), second)
	// Output: 12 12
}

func ExampleBackward() {
	s := torch.NewScope()
	defer s.Close()
	w := s.FromFloat32s([]float32{1, 2}).RequiresGrad(true)
	for range 2 { // gradients add up
		torch.Backward(w.Square().Sum(), torch.GradOptions{})
	}
	fmt.Println(torch.Slice[float32](s.GradOf(w)))
	torch.ZeroGrad(w)
	fmt.Println(s.GradOf(w))
	// Output:
	// [4 8]
	// nil
}

// Any operator of libtorch, by its schema name; arguments left out take the schema's defaults.
func ExampleCall() {
	s := torch.NewScope()
	defer s.Close()
	x := s.FromFloat32s([]float32{3, 1, 2})
	fmt.Println(torch.Slice[float32](torch.Call("aten::cumsum", x, 0)))
	fmt.Println(torch.Slice[int64](torch.CallMulti("aten::topk", x, 2)[1].(*torch.Tensor)))
	schema, _ := torch.SchemaOf("aten::cumsum")
	fmt.Println(schema)
	fmt.Println(torch.Try(func() { torch.Call("aten::cumsum", x) }))
	// Output:
	// [3 4 6]
	// [0 2]
	// aten::cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor
	// torch: cumsum: argument 1 'dim' is missing (operands: float32[3] cpu)
}

// A parameter that requires gradients may be changed where nothing is recorded.
func ExampleNoGrad() {
	s := torch.NewScope()
	defer s.Close()
	w := s.FromFloat32s([]float32{1, 2}).RequiresGrad(true)
	g := torch.Grad(w.Square().Sum(), []*torch.Tensor{w}, torch.GradOptions{})[0]
	torch.NoGrad(func() { w.Sub_(g.MulScalar(0.25)) })
	fmt.Println(torch.Slice[float32](w), torch.IsGradEnabled())
	// Output: [0.5 1] true
}

func ExampleAutocast() {
	s := torch.NewScope()
	defer s.Close()
	a := s.Ones([]int64{2, 2})
	torch.Autocast(torch.CPU, torch.BFloat16, func() { fmt.Println(a.MatMul(a).DType()) })
	fmt.Println(a.MatMul(a).DType())
	// Output:
	// bfloat16
	// float32
}

func ExampleTry() {
	s := torch.NewScope()
	defer s.Close()
	err := torch.Try(func() { s.Ones([]int64{1 << 50}) })
	fmt.Println(errors.Is(err, torch.ErrOutOfMemory))
	// Output: true
}

func ExampleFromSlice() {
	s := torch.NewScope()
	defer s.Close()
	x := torch.FromSlice(s, []int64{1, 2, 3, 4, 5, 6}, 2, 3)
	fmt.Println(x, torch.Slice[int64](x.Transpose(0, 1)))
	h := torch.FromSlice(s, []torch.Half{0x3c00, 0xc000}) // float16 as stored
	fmt.Println(h, h.Float32s())
	// Output:
	// int64[2 3] cpu [1 4 2 5 3 6]
	// float16[2] cpu [1 -2]
}

func ExampleScope_NewGenerator() {
	s := torch.NewScope()
	defer s.Close()
	g, err := s.NewGenerator(torch.CPU, 42)
	if err != nil {
		fmt.Println(err)
		return
	}
	noise := s.Randn(g, []int64{4, 3, 8, 8}) // the same in every run, whatever else draws numbers
	fmt.Println(noise)
	// Output: float32[4 3 8 8] cpu
}
