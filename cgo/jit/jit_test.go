package jit_test

import (
	"errors"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

func TestMain(m *testing.M) {
	if err := torch.SetNumThreads(1); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// scope returns a scope that the test's end closes, and checks that no tensor outlives it.
func scope(t testing.TB) *torch.Scope {
	t.Helper()
	before := torch.LiveTensors()
	s := torch.NewScope()
	t.Cleanup(func() {
		s.Close()
		if n := torch.LiveTensors(); n != before {
			t.Errorf("got %d live tensors after the test vs %d before", n, before)
		}
	})
	return s
}

func says(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("got no error vs one with %q", parts)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("got error %q vs one with %q", err, p)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("got an error of several lines: %q", err)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func near(t testing.TB, what string, got *torch.Tensor, want []float32) {
	t.Helper()
	v := got.Float32s()
	if len(v) != len(want) {
		t.Errorf("%s: got %v vs %v", what, v, want)
		return
	}
	for i := range v {
		if math.Abs(float64(v[i]-want[i])) > 1e-5 {
			t.Errorf("%s: element %d: got %v vs %v", what, i, v[i], want[i])
			return
		}
	}
}

const netSource = `
def forward(self, x: Tensor) -> Tensor:
    x = torch.conv2d(x, self.weight, self.bias, [1, 1], [1, 1])
    if self.training:
        x = torch.batch_norm(x, self.gamma, self.beta, self.mean, self.var, True, 0.1, 1e-5, False)
    else:
        x = torch.batch_norm(x, self.gamma, self.beta, self.mean, self.var, False, 0.1, 1e-5, False)
    x = torch.leaky_relu(x, 0.2)
    return torch.mean(x, [1, 2, 3])
`

// net is a small network with everything that a detector has.
func net(t testing.TB, s *torch.Scope) *jit.Module {
	t.Helper()
	check(t, torch.Seed(1))
	m, err := jit.Define(s, []jit.Named{
		{"weight", s.Randn(nil, []int64{4, 3, 3, 3}).RequiresGrad(true)},
		{"bias", s.Randn(nil, []int64{4}).RequiresGrad(true)},
		{"gamma", s.Rand(nil, []int64{4}).RequiresGrad(true)},
		{"beta", s.Randn(nil, []int64{4}).RequiresGrad(true)},
	}, []jit.Named{
		{"mean", s.Randn(nil, []int64{4})},
		{"var", s.Rand(nil, []int64{4}).AddScalar(.5)},
		{"steps", s.Zeros([]int64{}, torch.Options{DType: torch.Int64})},
	}, netSource)
	check(t, err)
	return m
}

func names(l []jit.Named) []string {
	var out []string
	for _, n := range l {
		out = append(out, n.Name)
	}
	return out
}

func TestDefine(t *testing.T) {
	s := scope(t)
	m := net(t, s)
	p, err := m.Parameters(s)
	check(t, err)
	b, err := m.Buffers(s)
	check(t, err)
	if got := names(p); !slices.Equal(got, []string{"weight", "bias", "gamma", "beta"}) {
		t.Errorf("parameters: got %v", got)
	}
	if got := names(b); !slices.Equal(got, []string{"mean", "var", "steps"}) {
		t.Errorf("buffers: got %v", got)
	}
	if l, err := m.Methods(); err != nil || !slices.Equal(l, []string{"forward"}) {
		t.Errorf("methods: got %v, %v", l, err)
	}
	if l, err := m.Schema("forward"); err != nil || l != "forward(__torch__.tigas.Net self, Tensor x) -> Tensor" {
		t.Errorf("schema: got %q, %v", l, err)
	}
	_, err = m.Schema("backward")
	says(t, err, "jit: defined module: backward: ", "'backward' is not defined")

	// In training the batch's statistics count, and the running ones move.
	x := s.Randn(nil, []int64{2, 3, 8, 8})
	before := b[0].Tensor.Float32s()
	train := m.ForwardTensor(x).Float32s()
	if slices.Equal(before, b[0].Tensor.Float32s()) {
		t.Error("training: the running mean did not move")
	}
	if on, err := m.IsTraining(); !on || err != nil {
		t.Errorf("training: got %v, %v", on, err)
	}
	check(t, m.Train(false))
	if on, err := m.IsTraining(); on || err != nil {
		t.Errorf("evaluation: got %v, %v", on, err)
	}
	before = b[0].Tensor.Float32s()
	eval := m.ForwardTensor(x).Float32s()
	if slices.Equal(train, eval) || !slices.Equal(before, b[0].Tensor.Float32s()) {
		t.Error("evaluation: it is training")
	}

	// The same by operators.
	y := x.Conv2d(p[0].Tensor, p[1].Tensor, torch.ConvOptions{Padding: 1}).
		BatchNorm(p[2].Tensor, p[3].Tensor, b[0].Tensor, b[1].Tensor, false, .1, 1e-5).LeakyReLU(.2).MeanDim([]int64{1, 2, 3}, false)
	near(t, "by operators", y, eval)

	// The module shares the tensors, so an optimiser's step changes it.
	torch.NoGrad(func() { p[3].Tensor.AddScalar_(100) })
	if got := m.ForwardTensor(x).Float32s(); got[0] < eval[0]+50 {
		t.Errorf("shared: got %v after %v", got, eval)
	}
	// Gradients reach parameters.
	g := torch.Grad(m.ForwardTensor(x).Sum(), []*torch.Tensor{p[0].Tensor}, torch.GradOptions{})[0]
	if g.Norm().Float64() == 0 {
		t.Error("no gradient reached the weight")
	}
}

func TestDefineErrors(t *testing.T) {
	s := scope(t)
	one := s.Scalar(1)
	for _, test := range []struct {
		params []jit.Named
		source string
		parts  []string
	}{
		{nil, "def forward(self, x: Tensor) -> Tensor:\n    return x +\n", []string{"jit: define: "}},
		{nil, "def forward(self, x: Tensor) -> Tensor:\n    return self.nothing\n", []string{"jit: define: ", "has no attribute", "'nothing'"}},
		{nil, "def forward(self, x: Tensor) -> Tensor:\n    return torch.nonsense(x)\n", []string{"jit: define: ", "aten::nonsense"}},
		{nil, "nonsense", []string{"jit: define: "}},
		{[]jit.Named{{"a.b", one}}, "", []string{`jit: define: got the name "a.b" vs an identifier`}},
		{[]jit.Named{{"def", one}}, "", []string{`jit: define: got the name "def" vs an identifier`}},
		{[]jit.Named{{"1a", one}}, "", []string{`jit: define: got the name "1a" vs an identifier`}},
		{[]jit.Named{{"", one}}, "", []string{`jit: define: got the name "" vs an identifier`}},
		{[]jit.Named{{"a\x00b", one}}, "", []string{`jit: define: got the name "a\x00b" vs an identifier`}},
		{[]jit.Named{{"a", one}, {"a", one}}, "", []string{`jit: define: got the name "a" twice`}},
		{[]jit.Named{{"training", one}}, "", []string{"jit: define: ", "'training'"}},
	} {
		_, err := jit.Define(s, test.params, nil, test.source)
		says(t, err, test.parts...)
	}
	m, err := jit.Define(s, nil, nil, "")
	check(t, err)
	_, err = m.Forward(one)
	says(t, err, "jit: defined module: forward: ", "forward")
}

func TestResults(t *testing.T) {
	s := scope(t)
	in := s.Child()
	m, err := jit.Define(s, []jit.Named{{"w", s.Full([]int64{2}, 3)}}, nil, `
def nothing(self, x: Tensor) -> Optional[Tensor]:
    return None
def maybe(self, x: Tensor) -> Optional[Tensor]:
    return x
def integer(self, x: Tensor) -> int:
    return x.size(0)
def number(self, x: float) -> float:
    return x * 2.0
def truth(self, x: bool) -> bool:
    return not x
def text(self, x: str) -> str:
    return x + "!"
def pair(self, x: Tensor, k: int) -> Tuple[Tensor, Tuple[int, Tensor]]:
    return x + 1, (k, x * self.w)
def table(self, x: Tensor) -> Dict[str, Tensor]:
    return {"one": x, "two": x * 2}
def bynumber(self, x: Tensor) -> Dict[int, Tensor]:
    return {1: x, 2: x}
def lists(self, x: List[Tensor]) -> List[Tensor]:
    return [x[1], x[0]]
def numbers(self, x: Tensor) -> List[int]:
    return x.size()
def floats(self, x: Tensor) -> List[float]:
    return [1.5, 2.5]
def nested(self, x: Tensor) -> List[List[int]]:
    return [[1], [2, 3]]
def sizes(self, x: List[int]) -> int:
    return x[0] + len(x)
def device(self, x: Tensor) -> Device:
    return x.device
def weight(self) -> Tensor:
    return self.w
def kind(self, x: Tensor, dtype: int) -> Tensor:
    return x.to(dtype)
def partly(self, x: Tensor) -> Tuple[Tensor, Dict[int, int]]:
    return x + 1, {1: 2}
`)
	check(t, err)
	x, y := in.FromFloat32s([]float32{1, 2}), in.FromFloat32s([]float32{5})
	call := func(method string, args ...any) any {
		t.Helper()
		v, err := m.Call(method, args...)
		if err != nil {
			t.Errorf("%s: %v", method, err)
		}
		return v
	}
	for _, test := range []struct {
		method string
		arg    any
		want   any
	}{
		{"nothing", x, nil},
		{"integer", x, int64(2)},
		{"number", 1.5, 3.},
		{"truth", true, false},
		{"text", "hello", "hello!"},
		{"numbers", x, []any{int64(2)}},
		{"floats", x, []any{1.5, 2.5}},
		{"nested", x, []any{[]any{int64(1)}, []any{int64(2), int64(3)}}},
		{"sizes", []int64{40, 1}, int64(42)},
	} {
		if got := call(test.method, test.arg); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %#v vs %#v", test.method, got, test.want)
		}
	}
	near(t, "maybe", call("maybe", x).(*torch.Tensor), []float32{1, 2})
	pair := call("pair", x, 7).(jit.Tuple)
	near(t, "pair", pair[0].(*torch.Tensor), []float32{2, 3})
	if in2 := pair[1].(jit.Tuple); in2[0] != int64(7) || in2[1].(*torch.Tensor).Scope() != in {
		t.Errorf("pair: got %v", pair)
	}
	table := call("table", x).(map[string]any)
	near(t, "table", table["two"].(*torch.Tensor), []float32{2, 4})
	if len(table) != 2 {
		t.Errorf("table: got %v", table)
	}
	near(t, "lists", call("lists", []*torch.Tensor{x, y}).([]any)[0].(*torch.Tensor), []float32{5})
	if got := call("kind", x, torch.Float64).(*torch.Tensor).DType(); got != torch.Float64 {
		t.Errorf("kind: got %s", got)
	}

	for _, test := range []struct {
		method string
		args   []any
		want   string
	}{
		{"bynumber", []any{x}, "jit: defined module: bynumber: got a dict with keys of type Int vs str"},
		{"partly", []any{x}, "jit: defined module: partly: got a dict with keys of type Int vs str"},
		{"device", []any{x}, "jit: defined module: device: got a result of type Device, which has no form in Go"},
		{"weight", nil, "jit: defined module: weight: no scope for the result: there is no tensor among the arguments, or they belong to sealed or unrelated scopes"},
		{"integer", nil, "jit: defined module: integer: integer() is missing value for argument 'x'."},
		{"integer", []any{x, 1}, "jit: defined module: integer: Expected at most 2 argument(s) for operator 'integer', but received 3 argument(s)."},
		{"integer", []any{1.5}, "jit: defined module: integer: integer() Expected a value of type 'Tensor (inferred)'"},
		{"number", []any{1}, "jit: defined module: number: number() Expected a value of type 'float' for argument 'x' but instead found type 'int'."},
		{"lists", []any{[]*torch.Tensor{x, nil}}, "jit: defined module: lists: a list with a nil tensor cannot go to TorchScript"},
		{"sizes", []any{[]bool{true}}, "jit: defined module: sizes: an argument of this kind cannot go to TorchScript"},
		{"absent", []any{x}, "jit: defined module: absent: Method 'absent' is not defined."},
	} {
		before := torch.LiveTensors()
		_, err := m.Call(test.method, test.args...)
		if err == nil || !strings.HasPrefix(err.Error(), strings.TrimSuffix(test.want, " (inferred)'")) {
			t.Errorf("%s: got  %v\nwant %q", test.method, err, test.want)
		}
		if n := torch.LiveTensors() - before; n > 1 || n > 0 && test.method != "partly" {
			t.Errorf("%s: got %d more live tensors", test.method, n)
		}
	}
	err = torch.Try(func() { _, _ = m.Call("integer", struct{}{}) })
	says(t, err, "torch: jit: argument 0: got a Go struct {}, which has no form in libtorch")
}

func TestForwardTensor(t *testing.T) {
	s := scope(t)
	m, err := jit.Define(s, nil, nil, `
def forward(self, x: Tensor) -> List[Tensor]:
    assert x.size(0) != 3, "three is too many"
    if x.size(0) == 4:
        assert x.size(1) == 4, "four by four"
    if x.size(0) == 5:
        return [torch.zeros([1125899906842624])]
    return [x]
`)
	check(t, err)
	says(t, torch.Try(func() { m.ForwardTensor(s.Ones([]int64{2})) }), "torch: jit: defined module: forward: got a result that is not one tensor")
	e := torch.Try(func() { m.ForwardTensor(s.Ones([]int64{3})) })
	says(t, e, "torch: jit: defined module: forward: ", "three is too many")
	_, err = m.Forward(s.Ones([]int64{4, 3}))
	says(t, err, "jit: defined module: forward: ", "four by four")
	if strings.Contains(err.Error(), "Traceback") {
		t.Errorf("got %q with a stack of frames", err)
	}
	_, err = m.Forward(s.Ones([]int64{5}))
	if !errors.Is(err, torch.ErrOutOfMemory) {
		t.Errorf("got %v vs ErrOutOfMemory", err)
	}
	e = torch.Try(func() { m.ForwardTensor(s.Ones([]int64{5})) })
	if !errors.Is(e, torch.ErrOutOfMemory) {
		t.Errorf("got %v vs ErrOutOfMemory", e)
	}
}
