package torch_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

func TestCallArguments(t *testing.T) {
	s := scope(t)
	x := vec(s, 1, 2, 3, 4)
	g, err := s.NewGenerator(torch.CPU, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		got  *torch.Tensor
		want []float64
	}{
		{"all defaults", torch.Call("aten::softplus", vec(s, 0)), []float64{math.Ln2}},
		{"one default", torch.Call("aten::softplus", vec(s, 0), 2.0), []float64{math.Ln2 / 2}},
		{"int for float", torch.Call("aten::dropout", x, 0, true), []float64{1, 2, 3, 4}},
		{"int for Scalar", torch.Call("aten::add.Scalar", x, 1), []float64{2, 3, 4, 5}},
		{"float32 for Scalar", torch.Call("aten::add.Scalar", x, float32(.5)), []float64{1.5, 2.5, 3.5, 4.5}},
		{"bool for Scalar", torch.Call("aten::add.Scalar", x, true), []float64{2, 3, 4, 5}},
		{"keyword-only alpha", torch.Call("aten::add.Tensor", x, x, 10), []float64{11, 22, 33, 44}},
		{"unboxed, three scalars", torch.Call("aten::rsub.Scalar", x, 10, 2), []float64{8, 6, 4, 2}},
		{"one int for int[2]", torch.Call("aten::avg_pool2d", x.Reshape(1, 2, 2), 2), []float64{2.5}},
		{"[]int for int[]", torch.Call("aten::sum.dim_IntList", x, []int{0}), []float64{10}},
		{"[]int64 for int[]", torch.Call("aten::sum.dim_IntList", x, []int64{0}), []float64{10}},
		{"nil for int[]?", torch.Call("aten::sum.dim_IntList", x, nil), []float64{10}},
		{"[]bool for bool[3]", torch.CallMulti("aten::convolution_backward", s.Ones([]int64{1, 1, 1}),
			s.Full([]int64{1, 1, 1}, 3), s.Full([]int64{1, 1, 1}, 5), nil, []int64{1}, []int64{0}, []int64{1}, false,
			[]int64{0}, 1, []bool{true, false, false})[0].(*torch.Tensor), []float64{5}},
		{"[]float64 for float[]?", torch.Call("aten::upsample_nearest1d.vec", x.Reshape(1, 1, 4), nil, []float64{2}), []float64{1, 1, 2, 2, 3, 3, 4, 4}},
		{"string", torch.Call("aten::div.Tensor_mode", x, s.Scalar(3), "floor"), []float64{0, 0, 1, 1}},
		{"nil for string?", torch.Call("aten::div.Tensor_mode", x, s.Scalar(2), nil), []float64{.5, 1, 1.5, 2}},
		{"DType", torch.Call("aten::to.dtype", x, torch.Int64), []float64{1, 2, 3, 4}},
		{"default DType", torch.Call("aten::sum", x, torch.DefaultDType), []float64{10}},
		{"Device", torch.Call("aten::to.device", x, torch.CPU, torch.Float32), []float64{1, 2, 3, 4}},
		{"nil tensor", torch.Call("aten::linear", x, x.Reshape(1, 4), (*torch.Tensor)(nil)), []float64{30}},
		{"nil generator", torch.Call("aten::bernoulli", vec(s, 1), (*torch.Generator)(nil)), []float64{1}},
		{"generator", torch.Call("aten::bernoulli", vec(s, 1), g), []float64{1}},
		{"nil in a list of tensors", torch.Call("aten::index.Tensor", x.Reshape(2, 2), []*torch.Tensor{nil, s.FromInt64s([]int64{1})}), []float64{2, 4}},
		{"small integers", torch.Call("aten::select.int", x.Reshape(1, 4), uint8(1), int16(2)), []float64{3}},
		{"more small integers", torch.Call("aten::narrow", x, int8(0), uint16(2), uint32(1)), []float64{3}},
		{"long list", s.Call("aten::sum.dim_IntList", s.Ones([]int64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}), []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}), []float64{1}},
	} {
		near(t, test.name, vals(test.got), test.want, 1e-12)
	}
}

// The texts are golden: they are what users see.
func TestCallErrors(t *testing.T) {
	s := scope(t)
	x := s.Ones([]int64{2, 3})
	sealed := s.Child().Seal()
	w := sealed.Adopt(s.Ones([]int64{2, 3}))
	elsewhere := torch.NewScope()
	defer elsewhere.Close()
	other := elsewhere.Ones([]int64{2, 3})
	type list = []*torch.Tensor
	for _, test := range []struct {
		f    func()
		want string
		is   error
	}{
		{func() { torch.Call("aten::nonsense", x) },
			"torch: nonsense: libtorch " + torch.Version() + " has no such operator; names look like aten::add.Tensor", torch.ErrUnsupported},
		{func() { torch.Call("", x) }, "torch: : libtorch " + torch.Version() + " has no such operator; names look like aten::add.Tensor", torch.ErrUnsupported},
		{func() { torch.Call("aten::relu", x, 1) }, "torch: relu: got 2 arguments vs at most 1 (operands: float32[2 3] cpu)", nil},
		{func() { torch.Call("aten::add.Tensor", x) },
			"torch: add.Tensor: argument 1 'other' is missing (operands: float32[2 3] cpu)", nil},
		{func() { torch.Call("aten::relu") }, "torch: relu: argument 0 'self' is missing", nil},
		{func() { torch.Call("aten::relu", 1.5) }, "torch: relu: argument 0 'self': got float vs want Tensor", nil},
		{func() { torch.Call("aten::relu", nil) }, "torch: relu: argument 0 'self': got nil vs want Tensor", nil},
		{func() { torch.Call("aten::add.Tensor", x, "two") },
			"torch: add.Tensor: argument 1 'other': got string vs want Tensor (operands: float32[2 3] cpu)", nil},
		{func() { torch.Call("aten::sum.dim_IntList", x, 1.5) },
			"torch: sum.dim_IntList: argument 1 'dim': got float vs want int[]? (operands: float32[2 3] cpu)", nil},
		{func() { torch.Call("aten::cat", list{x, nil}) },
			"torch: cat: argument 0 'tensors': got a list with a nil tensor vs want Tensor[] (operands: 2 tensors)", nil},
		{func() { torch.Call("aten::relu", struct{}{}) }, "torch: relu: argument 0: got a Go struct {}, which has no form in libtorch", nil},
		{func() { torch.Call("aten::mm", x, x) },
			"torch: mm: mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3) (operands: float32[2 3] cpu, float32[2 3] cpu)", nil},
		{func() { torch.Call("aten::sort", x) }, "torch: sort: got a tensor, a tensor vs one tensor as its result: use CallMulti", nil},
		{func() { torch.Call("aten::unbind.int", x) }, "torch: unbind.int: got a list of tensors vs one tensor as its result: use CallMulti", nil},
		{func() { torch.Call("aten::_foreach_zero_", list{x}) }, "torch: _foreach_zero_: got nothing vs one tensor as its result: use CallMulti", nil},
		{func() { torch.Call("aten::equal", x, x) }, "torch: equal: got a bool vs one tensor as its result: use CallMulti", nil},
		{func() { w.Add(w) }, "torch: add.Tensor: no scope for the result: every operand belongs to a sealed scope (parameters of a model " +
			"do); bring one into a working scope with w := s.Use(layer.Weight), or call s.Call", torch.ErrSealed},
		{func() { w.SortValues(0, false) }, "torch: sort: no scope for the result: every operand belongs to a sealed scope (parameters of a " +
			"model do); bring one into a working scope with w := s.Use(layer.Weight), or call s.Call", torch.ErrSealed},
		{func() { w.Unbind(0) }, "torch: unbind.int: no scope for the result: every operand belongs to a sealed scope (parameters of a " +
			"model do); bring one into a working scope with w := s.Use(layer.Weight), or call s.Call", torch.ErrSealed},
		{func() { x.Add(other) }, "torch: add.Tensor: operands belong to unrelated scopes, so there is none for the result: bring one over " +
			"with Scope.Use, or make one scope the child of the other", nil},
		{func() { torch.Cat(list{x, other}, 0) }, "torch: cat: operands belong to unrelated scopes, so there is none for the result: bring " +
			"one over with Scope.Use, or make one scope the child of the other", nil},
		{func() { torch.Cat(nil, 0) }, "torch: cat: ", nil},
		{func() { x.To(torch.Int8).Conv2d(x, nil, torch.ConvOptions{}) }, "torch: conv2d: ", nil},
		{func() { x.Narrow(0, 1, 5) }, "torch: narrow: start (1) + length (5) exceeds dimension size (2). (operands: float32[2 3] cpu)", nil},
	} {
		before := torch.LiveTensors()
		e := panics(t, test.f)
		if got := e.Error(); got != test.want && !(strings.HasSuffix(test.want, ": ") && strings.HasPrefix(got, test.want)) {
			t.Errorf("got  %q\nwant %q", got, test.want)
		}
		if strings.Contains(e.Error(), "\n") {
			t.Errorf("got an error of several lines: %q", e)
		}
		if !errors.Is(e, test.is) && test.is != nil || test.is == nil && e.Kind != nil && e.Kind != torch.ErrUnsupported {
			t.Errorf("%s: got kind %v vs %v", e.Op, e.Kind, test.is)
		}
		if n := torch.LiveTensors(); n > before+1 { // To(Int8) above makes one on purpose
			t.Errorf("%s: got %d live tensors after the error vs %d before", e.Op, n, before)
		}
	}
}

// A kernel that is missing for an element type is the operator's failure, not the process's.
func TestCallUnsupportedKernel(t *testing.T) {
	s := scope(t)
	e := panics(t, func() {
		s.Ones([]int64{2}, torch.Options{DType: torch.Bool}).Sub(s.Ones([]int64{2}, torch.Options{DType: torch.Bool}))
	})
	says(t, e, "torch: sub.Tensor: Subtraction, the `-` operator, with two bool tensors is not supported", "bool[2] cpu")
	e = panics(t, func() { torch.Call("aten::_cudnn_init_dropout_state", 0.5, true, 1) })
	if !errors.Is(e, torch.ErrUnsupported) {
		t.Errorf("got %v, kind %v vs ErrUnsupported", e, e.Kind)
	}
}

func TestCallMulti(t *testing.T) {
	s := scope(t)
	x := a23(s)
	r := torch.CallMulti("aten::sort", x, 1, true)
	near(t, "sort", vals(r[0].(*torch.Tensor)), []float64{3, 2, 1, 6, 5, 4}, 0)
	near(t, "sort", vals(r[1].(*torch.Tensor)), []float64{2, 1, 0, 2, 1, 0}, 0)
	r = torch.CallMulti("aten::split.Tensor", x, 2, 1)
	if l := r[0].([]*torch.Tensor); len(r) != 1 || len(l) != 2 || l[0].Scope() != s {
		t.Errorf("split: got %v", r)
	}
	if r = torch.CallMulti("aten::equal", x, x); len(r) != 1 || r[0] != true {
		t.Errorf("equal: got %v", r)
	}
	if r = torch.CallMulti("aten::size.int", x, -1); len(r) != 1 || r[0] != int64(3) {
		t.Errorf("size: got %v", r)
	}
	if r = torch.CallMulti("aten::q_scale", torch.Call("aten::quantize_per_tensor", x.To(torch.Float32), .5, 0, 13)); r[0] != .5 {
		t.Errorf("q_scale: got %v", r)
	}
	if r = torch.CallMulti("aten::item", s.Scalar(3, torch.Options{DType: torch.Int32})); r[0] != int64(3) {
		t.Errorf("item: got %v", r)
	}
	if r = torch.CallMulti("aten::_foreach_zero_", []*torch.Tensor{x}); len(r) != 0 || x.Sum().Float64() != 0 {
		t.Errorf("foreach: got %v", r)
	}
	// Results that are not wanted come as nil, not as tensors of nothing.
	r = torch.CallMulti("aten::convolution_backward", s.Ones([]int64{1, 1, 1}), s.Ones([]int64{1, 1, 1}), s.Ones([]int64{1, 1, 1}), nil,
		[]int64{1}, []int64{0}, []int64{1}, false, []int64{0}, 1, []bool{false, true, false})
	if len(r) != 3 || r[0] != nil || r[1] == nil || r[2] != nil {
		t.Errorf("convolution_backward: got %v", r)
	}
	// A result that is an operand is that operand.
	if r = torch.CallMulti("aten::add_.Tensor", x, x); r[0] != x {
		t.Errorf("add_: got %v vs the operand", r)
	}
	in := s.Child()
	if y := in.Call("aten::neg", x); y.Scope() != in {
		t.Error("Scope.Call: got another scope")
	}
	if l := in.CallMulti("aten::unbind.int", x)[0].([]*torch.Tensor); l[1].Scope() != in {
		t.Error("Scope.CallMulti: got another scope")
	}
	in.Close()
	says(t, panics(t, func() { in.Call("aten::neg", x) }), "torch: Call: the scope is closed")
	says(t, panics(t, func() { in.CallMulti("aten::neg", x) }), "torch: CallMulti: the scope is closed")
}

// A tensor of a layout that is unlike others, or a result of a kind that has no form in Go, gives an error, if anything.
func TestCallForeign(t *testing.T) {
	s := scope(t)
	x := s.Ones([]int64{2, 3})
	nested, err := torch.Try1(func() *torch.Tensor {
		return torch.Call("aten::_nested_tensor_from_tensor_list", []*torch.Tensor{x, s.Ones([]int64{1, 3})})
	})
	if err == nil {
		_, err = torch.Try1(func() []int64 { return nested.Shape() })
		t.Logf("nested: %v", err)
	}
	// Of the operators that every version has, few give back what is neither tensor nor number: this one an object.
	_, err = torch.Try1(func() []any { return torch.CallMulti("profiler::_record_function_enter_new", "test", nil) })
	says(t, err, "has no form here")
	sparse := torch.Call("aten::to_sparse", x)
	sameShape(t, "sparse", sparse, 2, 3)
	near(t, "dense", vals(torch.Call("aten::to_dense", sparse)), []float64{1, 1, 1, 1, 1, 1}, 0)
	complex := torch.Call("aten::view_as_complex", s.Ones([]int64{2, 2}))
	says(t, panics(t, func() { complex.DType() }), "element type 9 of libtorch has no form here")
	if got := complex.String(); got != "dtype9[2] cpu" {
		t.Errorf("string: got %q", got)
	}
}

// The first call of an operator may come from many goroutines at once.
func TestCallConcurrently(t *testing.T) {
	s := scope(t)
	x := vec(s, 4)
	var wg sync.WaitGroup
	for range 16 {
		in := s.Child()
		wg.Go(func() {
			for _, name := range []string{"aten::erf", "aten::erfc", "aten::expm1", "aten::atan", "aten::sinh", "aten::cosh"} {
				if !slices.Equal(in.Call(name, x).Shape(), []int64{1}) {
					t.Error(name)
				}
			}
			in.Close()
		})
	}
	wg.Wait()
}
