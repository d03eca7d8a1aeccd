package torch_test

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// exercised holds the methods of *Tensor that the table below calls; TestEveryMethod completes it.
type opTest struct {
	method string // the method of *Tensor that got calls, or the function
	got    func(s *torch.Scope) *torch.Tensor
	want   []float64
	shape  []int64 // nil: do not look
}

func f1(method string, f func(*torch.Tensor) *torch.Tensor, want func(float64) float64, at ...float64) opTest {
	w := make([]float64, len(at))
	for i, x := range at {
		w[i] = want(x)
	}
	return opTest{method, func(s *torch.Scope) *torch.Tensor { return f(vec(s, at...)) }, w, nil}
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func truth(f func(float64) bool) func(float64) float64 {
	return func(x float64) float64 {
		if f(x) {
			return 1
		}
		return 0
	}
}

type sc = *torch.Scope
type tn = *torch.Tensor

// a23 is [[1 2 3] [4 5 6]].
func a23(s sc) tn { return mat(s, 2, 3, 1, 2, 3, 4, 5, 6) }

var nan, inf = math.NaN(), math.Inf(1)

// Expected values are closed forms, evaluated here by package math or by hand.
var opTests = []opTest{
	// Broadcasting: [2 3] with [3], with [2 1], with a scalar.
	{"Add", func(s sc) tn { return a23(s).Add(vec(s, 10, 20, 30)) }, []float64{11, 22, 33, 14, 25, 36}, []int64{2, 3}},
	{"Sub", func(s sc) tn { return a23(s).Sub(mat(s, 2, 1, 1, 2)) }, []float64{0, 1, 2, 2, 3, 4}, []int64{2, 3}},
	{"Mul", func(s sc) tn { return mat(s, 2, 1, 2, 3).Mul(vec(s, 1, 10)) }, []float64{2, 20, 3, 30}, []int64{2, 2}},
	{"Div", func(s sc) tn { return a23(s).Div(s.Scalar(2)) }, []float64{.5, 1, 1.5, 2, 2.5, 3}, []int64{2, 3}},
	{"Minimum", func(s sc) tn { return vec(s, 1, nan, 3).Minimum(vec(s, 2, 0, 1)) }, []float64{1, nan, 1}, nil},
	{"Maximum", func(s sc) tn { return vec(s, 1, nan, 3).Maximum(vec(s, 2, 0, 1)) }, []float64{2, nan, 3}, nil},
	{"PowTensor", func(s sc) tn { return vec(s, 2, 3, 4).PowTensor(vec(s, 3, 2, .5)) }, []float64{8, 9, 2}, nil},
	f1("AddScalar", func(x tn) tn { return x.AddScalar(1.5) }, func(x float64) float64 { return x + 1.5 }, -1, 0, 2),
	f1("SubScalar", func(x tn) tn { return x.SubScalar(1.5) }, func(x float64) float64 { return x - 1.5 }, -1, 0, 2),
	f1("MulScalar", func(x tn) tn { return x.MulScalar(-3) }, func(x float64) float64 { return -3 * x }, -1, 0, 2),
	f1("DivScalar", func(x tn) tn { return x.DivScalar(4) }, func(x float64) float64 { return x / 4 }, -1, 0, 2),
	f1("RSubScalar", func(x tn) tn { return x.RSubScalar(1) }, func(x float64) float64 { return 1 - x }, -1, 0, 2),
	f1("Pow", func(x tn) tn { return x.Pow(3) }, func(x float64) float64 { return x * x * x }, -1.5, 0, 2),
	f1("Neg", tn.Neg, func(x float64) float64 { return -x }, -1, 0, 2, inf),
	f1("Abs", tn.Abs, math.Abs, -1, 0, 2, -inf),
	f1("Exp", tn.Exp, math.Exp, -700, -1, 0, 2, 700),
	f1("Log", tn.Log, math.Log, 1e-300, .5, 1, 2, -1, 0),
	f1("Log1p", tn.Log1p, math.Log1p, -1, 1e-18, .5, 2),
	f1("Sqrt", tn.Sqrt, math.Sqrt, -1, 0, 2, 4),
	f1("Rsqrt", tn.Rsqrt, func(x float64) float64 { return 1 / math.Sqrt(x) }, 0, 2, 4),
	f1("Square", tn.Square, func(x float64) float64 { return x * x }, -3, 0, 2),
	f1("Sin", tn.Sin, math.Sin, -3, 0, 2, 1e5),
	f1("Cos", tn.Cos, math.Cos, -3, 0, 2, 1e5),
	f1("Sign", tn.Sign, func(x float64) float64 { return math.Copysign(1, x) * math.Ceil(math.Min(math.Abs(x), 1)) }, -3, 0, 2),
	f1("Floor", tn.Floor, math.Floor, -1.5, -0.5, .5, 2),
	f1("Round", tn.Round, math.RoundToEven, -1.5, -0.5, .5, 1.5, 2.5, 2.6),
	f1("Tanh", tn.Tanh, math.Tanh, -30, -1, 0, .5),
	f1("Sigmoid", tn.Sigmoid, sigmoid, -700, -1, 0, 40),
	f1("ReLU", tn.ReLU, func(x float64) float64 { return max(x, 0) }, -1, 0, 2, nan),
	f1("SiLU", tn.SiLU, func(x float64) float64 { return x * sigmoid(x) }, -5, 0, 2),
	f1("IsNaN", tn.IsNaN, truth(math.IsNaN), nan, 0, inf),
	f1("IsFinite", tn.IsFinite, truth(func(x float64) bool { return x-x == 0 }), nan, 0, inf, -inf, 1e308),
	f1("LogicalNot", tn.LogicalNot, truth(func(x float64) bool { return x == 0 }), 0, -0.5, nan),
	f1("LeakyReLU", func(x tn) tn { return x.LeakyReLU(.2) }, func(x float64) float64 { return max(x, .2*x) }, -2, 0, 3),
	f1("ELU", func(x tn) tn { return x.ELU(1.3) }, func(x float64) float64 {
		if x > 0 {
			return x
		}
		return 1.3 * math.Expm1(x)
	}, -20, -2, 0, 3),
	f1("GELU", tn.GELU, func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) }, -3, -1, 0, 2),
	f1("Softplus", tn.Softplus, func(x float64) float64 { return math.Log1p(math.Exp(x)) }, -40, -1, 0, 15),
	f1("Softplus", tn.Softplus, func(x float64) float64 { return x }, 30, 800),
	f1("LogSigmoid", tn.LogSigmoid, func(x float64) float64 { return min(x, 0) - math.Log1p(math.Exp(-math.Abs(x))) }, -800, -1, 0, 40),
	f1("Clamp", func(x tn) tn { return x.Clamp(-1, 2) }, func(x float64) float64 { return min(max(x, -1), 2) }, -3, -1, 0, 5),
	f1("ClampMin", func(x tn) tn { return x.ClampMin(-1) }, func(x float64) float64 { return max(x, -1) }, -3, -1, 0, 5),
	{"Lerp", func(s sc) tn { return vec(s, 0, 10).Lerp(vec(s, 10, 20), .25) }, []float64{2.5, 12.5}, nil},
	{"LerpTensor", func(s sc) tn { return vec(s, 0, 10).LerpTensor(vec(s, 10, 20), mat(s, 2, 1, 0, .5)) }, []float64{0, 10, 5, 15}, []int64{2, 2}},
	{"Eq", func(s sc) tn { return vec(s, 1, 2, nan).Eq(vec(s, 1, 3, nan)) }, []float64{1, 0, 0}, nil},
	{"Lt", func(s sc) tn { return vec(s, 1, 2, 3).Lt(vec(s, 2)) }, []float64{1, 0, 0}, nil},
	{"Gt", func(s sc) tn { return vec(s, 1, 2, 3).Gt(vec(s, 2)) }, []float64{0, 0, 1}, nil},
	{"EqScalar", func(s sc) tn { return vec(s, 1, 2, 3).EqScalar(2) }, []float64{0, 1, 0}, nil},
	{"LtScalar", func(s sc) tn { return vec(s, 1, 2, 3).LtScalar(2) }, []float64{1, 0, 0}, nil},
	{"GtScalar", func(s sc) tn { return vec(s, 1, 2, 3).GtScalar(2) }, []float64{0, 0, 1}, nil},
	{"GeScalar", func(s sc) tn { return vec(s, 1, 2, 3).GeScalar(2) }, []float64{0, 1, 1}, nil},
	{"LeScalar", func(s sc) tn { return vec(s, 1, 2, 3).LeScalar(2) }, []float64{1, 1, 0}, nil},
	{"Where", func(s sc) tn { return torch.Where(a23(s).GtScalar(3), s.Scalar(0), vec(s, 7, 8, 9)) }, []float64{7, 8, 9, 0, 0, 0}, []int64{2, 3}},

	// Reductions.
	{"Sum", func(s sc) tn { return a23(s).Sum() }, []float64{21}, []int64{}},
	{"Mean", func(s sc) tn { return a23(s).Mean() }, []float64{3.5}, []int64{}},
	{"Mean", func(s sc) tn { return vec(s).Mean() }, []float64{nan}, []int64{}},
	{"SumDim", func(s sc) tn { return a23(s).SumDim([]int64{0}, false) }, []float64{5, 7, 9}, []int64{3}},
	{"SumDim", func(s sc) tn { return a23(s).SumDim([]int64{-1}, true) }, []float64{6, 15}, []int64{2, 1}},
	{"MeanDim", func(s sc) tn { return a23(s).MeanDim([]int64{0, 1}, true) }, []float64{3.5}, []int64{1, 1}},
	{"VarDim", func(s sc) tn { return a23(s).VarDim([]int64{1}, true, false) }, []float64{1, 1}, []int64{2}},
	{"VarDim", func(s sc) tn { return a23(s).VarDim([]int64{1}, false, true) }, []float64{2. / 3, 2. / 3}, []int64{2, 1}},
	{"Std", func(s sc) tn { return a23(s).Std(true) }, []float64{math.Sqrt(3.5)}, []int64{}},
	{"Std", func(s sc) tn { return a23(s).Std(false) }, []float64{math.Sqrt(17.5 / 6)}, nil},
	{"Norm", func(s sc) tn { return a23(s).Norm() }, []float64{math.Sqrt(91)}, []int64{}},
	{"Max", func(s sc) tn { return a23(s).Max() }, []float64{6}, []int64{}},
	{"Min", func(s sc) tn { return a23(s).Min() }, []float64{1}, []int64{}},
	{"AMax", func(s sc) tn { return a23(s).AMax([]int64{0}, true) }, []float64{4, 5, 6}, []int64{1, 3}},
	{"AMin", func(s sc) tn { return a23(s).AMin([]int64{1}, false) }, []float64{1, 4}, []int64{2}},
	{"Argmax", func(s sc) tn { return mat(s, 2, 3, 1, 9, 3, 4, 5, 6).Argmax(1) }, []float64{1, 2}, []int64{2}},
	{"Argsort", func(s sc) tn { return vec(s, 3, 1, 2).Argsort(0, false) }, []float64{1, 2, 0}, nil},
	{"Argsort", func(s sc) tn { return vec(s, 3, 1, 2).Argsort(0, true) }, []float64{0, 2, 1}, nil},
	{"All", func(s sc) tn { return vec(s, 1, 0).All() }, []float64{0}, []int64{}},
	{"Any", func(s sc) tn { return vec(s, 1, 0).Any() }, []float64{1}, []int64{}},
	{"Softmax", func(s sc) tn { return vec(s, 1000, 1000, -inf).Softmax(0) }, []float64{.5, .5, 0}, nil},
	{"LogSoftmax", func(s sc) tn { return vec(s, 1000, 1000).LogSoftmax(0) }, []float64{-math.Ln2, -math.Ln2}, nil},

	// Shapes.
	{"Reshape", func(s sc) tn { return a23(s).Reshape(3, -1) }, []float64{1, 2, 3, 4, 5, 6}, []int64{3, 2}},
	{"Reshape", func(s sc) tn { return vec(s, 5).Reshape() }, []float64{5}, []int64{}},
	{"Flatten", func(s sc) tn { return a23(s).Reshape(1, 2, 3).Flatten(1) }, []float64{1, 2, 3, 4, 5, 6}, []int64{1, 6}},
	{"Unsqueeze", func(s sc) tn { return a23(s).Unsqueeze(-1) }, []float64{1, 2, 3, 4, 5, 6}, []int64{2, 3, 1}},
	{"Squeeze", func(s sc) tn { return a23(s).Unsqueeze(0).Squeeze(0) }, []float64{1, 2, 3, 4, 5, 6}, []int64{2, 3}},
	{"Transpose", func(s sc) tn { return a23(s).Transpose(0, 1) }, []float64{1, 4, 2, 5, 3, 6}, []int64{3, 2}},
	{"Permute", func(s sc) tn { return a23(s).Reshape(1, 2, 3).Permute(2, 0, 1) }, []float64{1, 4, 2, 5, 3, 6}, []int64{3, 1, 2}},
	{"Expand", func(s sc) tn { return vec(s, 1, 2).Expand(2, -1) }, []float64{1, 2, 1, 2}, []int64{2, 2}},
	{"ExpandAs", func(s sc) tn { return vec(s, 1, 2, 3).ExpandAs(a23(s)) }, []float64{1, 2, 3, 1, 2, 3}, []int64{2, 3}},
	{"Narrow", func(s sc) tn { return a23(s).Narrow(1, 1, 2) }, []float64{2, 3, 5, 6}, []int64{2, 2}},
	{"Select", func(s sc) tn { return a23(s).Select(0, -1) }, []float64{4, 5, 6}, []int64{3}},
	{"IndexSelect", func(s sc) tn { return a23(s).IndexSelect(1, s.FromInt64s([]int64{2, 0, 2})) }, []float64{3, 1, 3, 6, 4, 6}, []int64{2, 3}},
	{"Gather", func(s sc) tn { return a23(s).Gather(1, s.FromInt64s([]int64{2, 0}, 2, 1)) }, []float64{3, 4}, []int64{2, 1}},
	{"Flip", func(s sc) tn { return a23(s).Flip(0, 1) }, []float64{6, 5, 4, 3, 2, 1}, []int64{2, 3}},
	{"Roll", func(s sc) tn { return a23(s).Roll([]int64{1}, []int64{1}) }, []float64{3, 1, 2, 6, 4, 5}, []int64{2, 3}},
	{"Pad", func(s sc) tn { return a23(s).Pad([]int64{1, 0, 0, 1}, 9) }, []float64{9, 1, 2, 3, 9, 4, 5, 6, 9, 9, 9, 9}, []int64{3, 4}},
	{"ReflectionPad2d", func(s sc) tn { return a23(s).Reshape(1, 2, 3).ReflectionPad2d([]int64{1, 0, 0, 1}) },
		[]float64{2, 1, 2, 3, 5, 4, 5, 6, 2, 1, 2, 3}, []int64{1, 3, 4}},
	{"Cat", func(s sc) tn { return torch.Cat([]tn{a23(s), vec(s, 8, 9).Reshape(2, 1)}, 1) }, []float64{1, 2, 3, 8, 4, 5, 6, 9}, []int64{2, 4}},
	{"Stack", func(s sc) tn { return torch.Stack([]tn{vec(s, 1, 2), vec(s, 3, 4)}, 1) }, []float64{1, 3, 2, 4}, []int64{2, 2}},
	{"Split", func(s sc) tn { return a23(s).Split(2, 1)[1] }, []float64{3, 6}, []int64{2, 1}},
	{"Unbind", func(s sc) tn { return a23(s).Unbind(1)[2] }, []float64{3, 6}, []int64{2}},
	{"SortValues", func(s sc) tn { v, _ := vec(s, 3, 1, 2).SortValues(0, true); return v }, []float64{3, 2, 1}, nil},
	{"SortValues", func(s sc) tn { _, i := vec(s, 3, 1, 2).SortValues(0, true); return i }, []float64{0, 2, 1}, nil},

	// New tensors.
	{"Scope.Zeros", func(s sc) tn { return s.Zeros([]int64{2}) }, []float64{0, 0}, []int64{2}},
	{"Scope.Ones", func(s sc) tn { return s.Ones([]int64{2, 1}) }, []float64{1, 1}, []int64{2, 1}},
	{"Scope.Full", func(s sc) tn { return s.Full([]int64{2}, 2.5) }, []float64{2.5, 2.5}, nil},
	{"Scope.Empty", func(s sc) tn { return s.Empty([]int64{0, 3}) }, []float64{}, []int64{0, 3}},
	{"Scope.Arange", func(s sc) tn { return s.Arange(-1, 2) }, []float64{-1, 0, 1}, nil},
	{"Scope.Scalar", func(s sc) tn { return s.Scalar(1.5) }, []float64{1.5}, []int64{}},
	{"Scope.Rand", func(s sc) tn { return s.Rand(nil, []int64{9}).GeScalar(0).All() }, []float64{1}, nil},
	{"Scope.Randn", func(s sc) tn { return s.Randn(nil, []int64{9}).IsFinite().All() }, []float64{1}, nil},
	{"Scope.FromFloat32s", func(s sc) tn { return s.FromFloat32s([]float32{1, 2}, 2, 1) }, []float64{1, 2}, []int64{2, 1}},
	{"Scope.FromFloat64s", func(s sc) tn { return s.FromFloat64s([]float64{1, 2}) }, []float64{1, 2}, []int64{2}},
	{"Scope.FromInt64s", func(s sc) tn { return s.FromInt64s([]int64{1, 2}) }, []float64{1, 2}, []int64{2}},
	{"ZerosLike", func(s sc) tn { return a23(s).ZerosLike() }, make([]float64, 6), []int64{2, 3}},
	{"OnesLike", func(s sc) tn { return vec(s, 5).OnesLike() }, []float64{1}, []int64{1}},
	{"RandLike", func(s sc) tn { return a23(s).RandLike().LtScalar(1).All() }, []float64{1}, nil},
	{"RandnLike", func(s sc) tn { return a23(s).RandnLike().IsFinite().All() }, []float64{1}, nil},
	{"To", func(s sc) tn { return vec(s, 1.9, -1.9).To(torch.Int32) }, []float64{1, -1}, nil},
	{"ToDevice", func(s sc) tn { return vec(s, 1).ToDevice(torch.CPU) }, []float64{1}, nil},
	{"Clone", func(s sc) tn { x := vec(s, 1); y := x.Clone(); x.Zero_(); return y }, []float64{1}, nil},
	{"Detach", func(s sc) tn { x := vec(s, 1); y := x.Detach(); x.Fill_(2); return y }, []float64{2}, nil},
	{"Contiguous", func(s sc) tn { return a23(s).Transpose(0, 1).Contiguous().Reshape(6) }, []float64{1, 4, 2, 5, 3, 6}, nil},

	// In place.
	{"Add_", func(s sc) tn { return a23(s).Add_(vec(s, 1, 2, 3)) }, []float64{2, 4, 6, 5, 7, 9}, []int64{2, 3}},
	{"Sub_", func(s sc) tn { return vec(s, 1, 2).Sub_(vec(s, 1)) }, []float64{0, 1}, nil},
	{"Mul_", func(s sc) tn { return vec(s, 1, 2).Mul_(vec(s, 3)) }, []float64{3, 6}, nil},
	{"Div_", func(s sc) tn { return vec(s, 1, 2).Div_(vec(s, 2)) }, []float64{.5, 1}, nil},
	{"AddScalar_", func(s sc) tn { return vec(s, 1, 2).AddScalar_(1) }, []float64{2, 3}, nil},
	{"MulScalar_", func(s sc) tn { return vec(s, 1, 2).MulScalar_(-1) }, []float64{-1, -2}, nil},
	{"Zero_", func(s sc) tn { return vec(s, 1, 2).Zero_() }, []float64{0, 0}, nil},
	{"Fill_", func(s sc) tn { return vec(s, 1, 2).Fill_(7) }, []float64{7, 7}, nil},
	{"Copy_", func(s sc) tn { return a23(s).Copy_(s.FromInt64s([]int64{7, 8, 9})) }, []float64{7, 8, 9, 7, 8, 9}, nil},
	{"Clamp_", func(s sc) tn { return a23(s).Clamp_(2, 5) }, []float64{2, 2, 3, 4, 5, 5}, nil},
	{"Lerp_", func(s sc) tn { return vec(s, 0, 10).Lerp_(vec(s, 10, 20), .5) }, []float64{5, 15}, nil},
	{"Normal_", func(s sc) tn { return vec(s, 0, 0).Normal_(3, 0, nil) }, []float64{3, 3}, nil},
	{"Uniform_", func(s sc) tn { return vec(s, 0, 0).Uniform_(2, 3, nil).Floor() }, []float64{2, 2}, nil},

	// Networks; TestPyTorchFixtures has the larger cases.
	{"MatMul", func(s sc) tn { return a23(s).MatMul(a23(s).Transpose(0, 1)) }, []float64{14, 32, 32, 77}, []int64{2, 2}},
	{"MatMul", func(s sc) tn { return a23(s).MatMul(vec(s, 1, 0, -1)) }, []float64{-2, -2}, []int64{2}},
	{"Linear", func(s sc) tn { return vec(s, 1, 2).Linear(mat(s, 1, 2, 3, 4), vec(s, 5)) }, []float64{16}, []int64{1}},
	// The kernel [1 2] over [1 2 3]: correlation, not convolution.
	{"Conv2d", func(s sc) tn {
		return vec(s, 1, 2, 3).Reshape(1, 1, 1, 3).Conv2d(vec(s, 1, 2).Reshape(1, 1, 1, 2), vec(s, 10), torch.ConvOptions{})
	}, []float64{15, 18}, []int64{1, 1, 1, 2}},
	{"ConvTranspose2d", func(s sc) tn {
		return vec(s, 1, 2).Reshape(1, 1, 1, 2).ConvTranspose2d(vec(s, 1, 10).Reshape(1, 1, 1, 2), nil, torch.ConvOptions{})
	}, []float64{1, 12, 20}, []int64{1, 1, 1, 3}},
	// Mean 2, variance 2/3 over the batch.
	{"BatchNorm", func(s sc) tn { return vec(s, 1, 2, 3).Reshape(3, 1).BatchNorm(nil, nil, nil, nil, true, 0, 0) },
		[]float64{-math.Sqrt(1.5), 0, math.Sqrt(1.5)}, []int64{3, 1}},
	{"LayerNorm", func(s sc) tn { return a23(s).LayerNorm([]int64{3}, nil, vec(s, 0, 1, 0), 0) },
		[]float64{-math.Sqrt(1.5), 1, math.Sqrt(1.5), -math.Sqrt(1.5), 1, math.Sqrt(1.5)}, nil},
	{"GroupNorm", func(s sc) tn { return vec(s, 1, 3, 0, 4).Reshape(1, 4).GroupNorm(2, nil, nil, 0) }, []float64{-1, 1, -1, 1}, nil},
	{"Dropout", func(s sc) tn { return vec(s, 1, 2).Dropout(.5, false) }, []float64{1, 2}, nil},
	{"Dropout", func(s sc) tn { return vec(s, 1, 2).Dropout(1, true) }, []float64{0, 0}, nil},
	{"AvgPool2d", func(s sc) tn { return vec(s, 1, 2, 3, 6).Reshape(1, 1, 2, 2).AvgPool2d(2) }, []float64{3}, []int64{1, 1, 1, 1}},
	{"MaxPool2d", func(s sc) tn { return vec(s, 1, 2, 3, 6).Reshape(1, 1, 2, 2).MaxPool2d(2) }, []float64{6}, []int64{1, 1, 1, 1}},
	{"UpsampleNearest2d", func(s sc) tn { return vec(s, 1, 2).Reshape(1, 1, 1, 2).UpsampleNearest2d(2, 4) }, []float64{1, 1, 2, 2, 1, 1, 2, 2}, nil},
	// Sampling takes the middle two of four, averaging weighs eight around each centre: triangle of width 2*scale.
	{"Resize", func(s sc) tn { return vec(s, 0, 1, 2, 9).Reshape(1, 1, 1, 4).Resize(1, 2, false) }, []float64{.5, 5.5}, nil},
	{"Resize", func(s sc) tn { return vec(s, 0, 1, 2, 9).Reshape(1, 1, 1, 4).Resize(1, 2, true) },
		[]float64{(3*0 + 3*1 + 2) / 7., (1 + 3*2 + 3*9) / 7.}, nil},
	{"MSE", func(s sc) tn { return vec(s, 1, 2).MSE(vec(s, 3, 2)) }, []float64{2}, []int64{}},
	{"L1", func(s sc) tn { return vec(s, 1, 2).L1(vec(s, 3, 2)) }, []float64{1}, []int64{}},
	{"SmoothL1", func(s sc) tn { return vec(s, 0, 0).SmoothL1(vec(s, 3, .5), 1) }, []float64{(2.5 + .125) / 2}, nil},
	{"BCEWithLogits", func(s sc) tn { return vec(s, 800, -800, 0).BCEWithLogits(vec(s, 1, 1, .5)) }, []float64{(800 + math.Ln2) / 3}, nil},
	{"GradOf", func(s sc) tn {
		x := vec(s, 3).RequiresGrad(true)
		torch.Backward(x.Square().Sum(), torch.GradOptions{})
		return s.GradOf(x)
	}, []float64{6}, nil},
}

func TestOps(t *testing.T) {
	const tol = 1e-12 // float64; a few roundings
	s := scope(t)
	for _, test := range opTests {
		x := test.got(s)
		near(t, test.method, vals(x), test.want, tol)
		if test.shape != nil {
			sameShape(t, test.method, x, test.shape...)
		}
	}
}

// TestEveryMethod makes sure that no method goes uncalled, so that a misspelt schema name cannot hide.
func TestEveryMethod(t *testing.T) {
	called := map[string]bool{}
	for _, test := range opTests {
		called[test.method] = true
	}
	// What gives no tensor; other tests are about them.
	for name := range strings.FieldsSeq(`Bool Bytes DType Device Dim Float32s Float64 Free HasGradFn Int64 IsContiguous
		IsGradRequired IsLeaf MoveTo Numel RawBytes RequiresGrad Scope Shape Size Strides String ToImage
		Scope.Adopt Scope.Call Scope.CallMulti Scope.Child Scope.Close Scope.FromBytes Scope.FromImage Scope.GradOf Scope.Len
		Scope.NewGenerator Scope.OnClose Scope.RNGState Scope.Scoped Scope.Seal Scope.Unseal Scope.Use`) {
		called[name] = true
	}
	for prefix, typ := range map[string]reflect.Type{"": reflect.TypeFor[*torch.Tensor](), "Scope.": reflect.TypeFor[*torch.Scope]()} {
		for m := range typ.NumMethod() {
			if name := prefix + typ.Method(m).Name; !called[name] {
				t.Errorf("%s is in no test: add it to opTests", name)
			}
		}
	}
}

// Two types give the wider one; a tensor without dimensions does not widen within its kind; a Go number is a float.
func TestPromotion(t *testing.T) {
	s := scope(t)
	of := func(d torch.DType, shape ...int64) tn { return s.Ones(shape, torch.Options{DType: d}) }
	for _, test := range []struct {
		got  tn
		want torch.DType
	}{
		{of(torch.Uint8, 2).Add(of(torch.Int8, 2)), torch.Int16},
		{of(torch.Int64, 2).Add(of(torch.Float32, 2)), torch.Float32},
		{of(torch.Float16, 2).Add(of(torch.BFloat16, 2)), torch.Float32},
		{of(torch.Float32, 2).Add(of(torch.Float64, 2)), torch.Float64},
		{of(torch.Float32, 2).Add(of(torch.Float64)), torch.Float32},
		{of(torch.Float16, 2).MulScalar(2), torch.Float16},
		{of(torch.Int64, 2).MulScalar(2), torch.Float32},
		{torch.Call("aten::mul.Scalar", of(torch.Int64, 2), 2), torch.Int64},
		{of(torch.Int32, 2).Div(of(torch.Int32, 2)), torch.Float32},
		{of(torch.Bool, 2).Sum(), torch.Int64},
		{of(torch.Uint8, 2).Sum(), torch.Int64},
		{of(torch.Float32, 2).Lt(of(torch.Float32, 2)), torch.Bool},
		{of(torch.Float32, 2).Argmax(0), torch.Int64},
	} {
		if got := test.got.DType(); got != test.want {
			t.Errorf("got %s vs %s", got, test.want)
		}
	}
}

func TestMetadata(t *testing.T) {
	s := scope(t)
	x := s.Zeros([]int64{2, 3, 4}, torch.Options{DType: torch.Float64})
	y := x.Transpose(0, 2)
	if got := y.Strides(); !slices.Equal(got, []int64{1, 4, 12}) {
		t.Errorf("strides: got %v vs [1 4 12]", got)
	}
	if y.IsContiguous() || !x.IsContiguous() {
		t.Error("contiguity: got the opposite")
	}
	if x.Dim() != 3 || x.Numel() != 24 || x.Bytes() != 192 || x.Size(-1) != 4 || x.Size(0) != 2 || x.DType() != torch.Float64 ||
		x.Device() != torch.CPU {
		t.Errorf("got %v dim %d numel %d bytes %d", x, x.Dim(), x.Numel(), x.Bytes())
	}
	if got := x.String(); got != "float64[2 3 4] cpu" {
		t.Errorf("string: got %q", got)
	}
	says(t, panics(t, func() { x.Size(3) }), "torch: Size: got dimension 3 vs 3 dimension(s)")
	says(t, panics(t, func() { s.Scalar(0).Size(0) }), "got dimension 0 vs 0 dimension(s)")
	var none *torch.Tensor
	says(t, panics(t, func() { none.Shape() }), "nil tensor")
	if none.String() != "nil" {
		t.Errorf("string of nil: got %q", none)
	}
	if x.Contiguous() != x || x.To(torch.Float64) != x || x.ToDevice(torch.CPU) != x {
		t.Error("got a new tensor where the operand itself was promised")
	}
}
