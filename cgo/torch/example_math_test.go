package torch_test

import (
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Shapes are broadcast as in PyTorch: a row is added to every row of a matrix.
func ExampleTensor_arithmetic() {
	s := torch.NewScope()
	defer s.Close()
	a := s.FromFloat32s([]float32{1, 2, 3, 4}, 2, 2)
	row := s.FromFloat32s([]float32{10, 20})
	fmt.Println(a.Add(row).Float32s(), a.Sub(row).Float32s(), a.Mul(row).Float32s(), a.Div(row).Float32s())
	fmt.Println(a.AddScalar(1).Float32s(), a.SubScalar(1).Float32s(), a.MulScalar(2).Float32s(), a.DivScalar(2).Float32s())
	fmt.Println(a.RSubScalar(1).Float32s(), a.Neg().Float32s(), a.Square().Float32s())
	fmt.Printf("%.0f %.0f\n", a.Pow(3).Float32s(), a.PowTensor(a).Float32s())
	fmt.Println(a.MatMul(row).Float32s()) // a product of matrix and vector: 1·10 + 2·20, 3·10 + 4·20
	// Output:
	// [11 22 13 24] [-9 -18 -7 -16] [10 40 30 80] [0.1 0.1 0.3 0.2]
	// [2 3 4 5] [0 1 2 3] [2 4 6 8] [0.5 1 1.5 2]
	// [0 -1 -2 -3] [-1 -2 -3 -4] [1 4 9 16]
	// [1 8 27 64] [1 4 27 256]
	// [50 110]
}

// Functions of every element by itself.
func ExampleTensor_functions() {
	s := torch.NewScope()
	defer s.Close()
	show := func(name string, x *torch.Tensor) { fmt.Printf("%-6s%.3f\n", name, x.Float32s()) }
	x := s.FromFloat32s([]float32{0.25, 1, 4})
	show("exp", x.Exp())
	show("log", x.Log())
	show("log1p", x.Log1p()) // log(1+x), to the last digit where x is small
	show("sqrt", x.Sqrt())
	show("rsqrt", x.Rsqrt())
	angle := s.FromFloat32s([]float32{0, math.Pi / 6, math.Pi / 3})
	show("sin", angle.Sin())
	show("cos", angle.Cos())
	y := s.FromFloat32s([]float32{-1.5, 0.75, 2.5})
	show("abs", y.Abs())
	show("sign", y.Sign())
	show("floor", y.Floor())
	show("round", y.Round()) // halves to even
	// Output:
	// exp   [1.284 2.718 54.598]
	// log   [-1.386 0.000 1.386]
	// log1p [0.223 0.693 1.609]
	// sqrt  [0.500 1.000 2.000]
	// rsqrt [2.000 1.000 0.500]
	// sin   [0.000 0.500 0.866]
	// cos   [1.000 0.866 0.500]
	// abs   [1.500 0.750 2.500]
	// sign  [-1.000 1.000 1.000]
	// floor [-2.000 0.000 2.000]
	// round [-2.000 1.000 2.000]
}

// What networks put between their layers.
func ExampleTensor_activations() {
	s := torch.NewScope()
	defer s.Close()
	x := s.FromFloat32s([]float32{-2, 0, 2})
	show := func(name string, y *torch.Tensor) { fmt.Printf("%-11s%.4f\n", name, y.Float32s()) }
	show("relu", x.ReLU())
	show("leaky relu", x.LeakyReLU(0.2))
	show("elu", x.ELU(1))
	show("silu", x.SiLU())
	show("gelu", x.GELU())
	show("tanh", x.Tanh())
	show("sigmoid", x.Sigmoid())
	show("logsigmoid", x.LogSigmoid())
	show("softplus", x.Softplus()) // minus logsigmoid of -x
	// Output:
	// relu       [0.0000 0.0000 2.0000]
	// leaky relu [-0.4000 0.0000 2.0000]
	// elu        [-0.8647 0.0000 2.0000]
	// silu       [-0.2384 0.0000 1.7616]
	// gelu       [-0.0455 0.0000 1.9545]
	// tanh       [-0.9640 0.0000 0.9640]
	// sigmoid    [0.1192 0.5000 0.8808]
	// logsigmoid [-2.1269 -0.6931 -0.1269]
	// softplus   [0.1269 0.6931 2.1269]
}

// Comparisons make tensors of bools, which Where and arithmetic take.
func ExampleTensor_comparisons() {
	s := torch.NewScope()
	defer s.Close()
	a, b := s.FromFloat32s([]float32{1, 2, 3}), s.FromFloat32s([]float32{3, 2, 1})
	fmt.Println(torch.Slice[bool](a.Eq(b)), torch.Slice[bool](a.Lt(b)), torch.Slice[bool](a.Gt(b)))
	fmt.Println(torch.Slice[bool](a.EqScalar(2)), torch.Slice[bool](a.LtScalar(2)), torch.Slice[bool](a.LeScalar(2)))
	fmt.Println(torch.Slice[bool](a.GtScalar(2)), torch.Slice[bool](a.GeScalar(2)), torch.Slice[bool](a.GtScalar(2).LogicalNot()))
	fmt.Println(a.Lt(b).Any().Bool(), a.Lt(b).All().Bool())

	odd := s.FromFloat64s([]float64{1, math.NaN(), math.Inf(1)})
	fmt.Println(torch.Slice[bool](odd.IsNaN()), torch.Slice[bool](odd.IsFinite()))
	// Output:
	// [false true false] [true false false] [false false true]
	// [false true false] [true false false] [true true false]
	// [false false true] [false true true] [true true false]
	// true false
	// [false true false] [true false false]
}

// Limits and mixtures. A clamp has a gradient inside its limits only.
func ExampleTensor_limits() {
	s := torch.NewScope()
	defer s.Close()
	a, b := s.FromFloat32s([]float32{-3, 0, 3}), s.FromFloat32s([]float32{1, 1, 1})
	fmt.Println(a.Clamp(-1, 1).Float32s(), a.ClampMin(0).Float32s())
	fmt.Println(a.Minimum(b).Float32s(), a.Maximum(b).Float32s())
	fmt.Println(a.Lerp(b, 0.5).Float32s()) // half way from a to b
	fmt.Println(a.LerpTensor(b, s.FromFloat32s([]float32{0, 0.5, 1})).Float32s())

	a.RequiresGrad(true)
	fmt.Println(torch.Grad(a.Clamp(-1, 1).Sum(), []*torch.Tensor{a}, torch.GradOptions{})[0].Float32s())
	// Output:
	// [-1 0 1] [0 0 3]
	// [-3 0 1] [1 1 3]
	// [-1 0.5 2]
	// [-3 0.5 1]
	// [0 1 0]
}

// An element of a where the condition holds, of b elsewhere. The branch that is not taken has no gradient, but it is
// computed: make it harmless first if its gradient may be infinite.
func ExampleWhere() {
	s := torch.NewScope()
	defer s.Close()
	x := s.FromFloat32s([]float32{-4, 0, 4}).RequiresGrad(true)
	positive := x.GtScalar(0)
	y := torch.Where(positive, torch.Where(positive, x, x.OnesLike()).Sqrt(), x.ZerosLike())
	fmt.Println(y.Float32s(), torch.Grad(y.Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0].Float32s())
	// Output: [0 0 2] [0 0 0.25]
}

// In-place operations have a trailing underscore, change their tensor and return it. None is made, so a loop may repeat
// them without a scope of its own.
func ExampleTensor_inPlace() {
	s := torch.NewScope()
	defer s.Close()
	x, one := s.Zeros([]int64{2}), s.Ones([]int64{2})
	n := s.Len()
	x.Fill_(2).Add_(one).MulScalar_(4).AddScalar_(-2).Mul_(x) // ((2+1)·4 - 2)²
	fmt.Println(x.Float32s())
	x.Div_(x).Sub_(one).Lerp_(one, 0.25) // from 0 a quarter of the way to 1
	fmt.Println(x.Float32s())
	x.Copy_(s.FromInt64s([]int64{-7, 7})).Clamp_(-1, 1) // the numbers are converted
	fmt.Println(x.Float32s())
	fmt.Println(x.Zero_().Float32s(), s.Len()-n)

	g, err := s.NewGenerator(torch.CPU, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	weights := s.Empty([]int64{10_000})
	fmt.Printf("%.1f\n", weights.Normal_(5, 0.1, g).Mean().Float64()) // as initialisers do
	fmt.Println(weights.Uniform_(-1, 1, g).Abs().Max().Float64() <= 1)
	// Output:
	// [100 100]
	// [0.25 0.25]
	// [-1 1]
	// [0 0] 1
	// 5.0
	// true
}
