package torch_test

import (
	"errors"
	"testing"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Tensors that libtorch evaluates late read as what they are: negated and conjugated views, zeros without memory, and bools
// whose bytes are neither 0 nor 1.
func TestSliceOfLazyTensors(t *testing.T) {
	s := scope(t)
	near(t, "negated view", vals(torch.Call("aten::_neg_view", vec(s, 1, 2))), []float64{-1, -2}, 0)
	z := torch.Call("aten::complex", vec(s, 1, 3), vec(s, 2, 4))
	near(t, "imag of conj", vals(torch.Call("aten::imag", torch.Call("aten::conj", z))), []float64{-2, -4}, 0)
	raw, conj := z.RawBytes(), torch.Call("aten::conj", z).RawBytes()
	if string(raw) == string(conj) {
		t.Error("a number and its conjugate have the same bytes")
	}
	zero := s.Call("aten::_efficientzerotensor", []int64{3}, int64(6), nil, nil, nil)
	near(t, "zeros", vals(zero.To(torch.Float64)), []float64{0, 0, 0}, 0)
	if got := len(zero.RawBytes()); got != 12 {
		t.Errorf("got %d bytes vs 12", got)
	}
	odd := torch.Call("aten::view.dtype", torch.FromSlice(s, []uint8{0, 1, 2, 255}), int64(11))
	got := torch.Slice[bool](odd)
	for i, want := range []bool{false, true, true, true} {
		if got[i] != want || want && got[i] != true {
			t.Errorf("bool %d: got %v", i, got[i])
		}
	}
	for i, b := range odd.RawBytes() {
		if b > 1 {
			t.Errorf("byte %d: got %d", i, b)
		}
	}
}

// More elements than any memory holds are an error and not the end of the process.
func TestSliceOfHugeExpansion(t *testing.T) {
	s := scope(t)
	x := s.Ones([]int64{1}).Expand(1 << 45)
	for name, f := range map[string]func(){
		"Slice": func() { torch.Slice[float32](x) }, "RawBytes": func() { x.RawBytes() }, "Float32s": func() { x.Float32s() },
	} {
		if err := torch.Try(f); !errors.Is(err, torch.ErrOutOfMemory) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestArgumentsThatLibtorchDoesNotCheck(t *testing.T) {
	s := scope(t)
	x := s.Ones([]int64{1, 1, 4, 4})
	for _, pad := range [][]int64{nil, {1}, {1, 1}, {1, 1, 1, 1, 1, 1}} {
		says(t, torch.Try(func() { x.ReflectionPad2d(pad) }), "numbers vs left, right, top, bottom")
	}
	w := vec(s, 2).RequiresGrad(true)
	loss := w.Mul(w).Sum()
	for _, bad := range []*torch.Tensor{s.Ones([]int64{7}), s.Ones([]int64{1})} {
		o := torch.GradOptions{Output: bad, RetainGraph: true}
		says(t, torch.Try(func() { torch.Grad(loss, []*torch.Tensor{w}, o) }), "for the output []")
		says(t, torch.Try(func() { torch.Backward(loss, o) }), "for the output []")
	}
	g := torch.Grad(loss, []*torch.Tensor{w}, torch.GradOptions{Output: s.Scalar(3)})[0]
	near(t, "3 * 2w", vals(g), []float64{12}, 0)
	_, err := s.FromBytes(make([]byte, 4), torch.DType(99), torch.CPU, 1)
	says(t, err, "no element type")
	for _, i := range []int{-1, 128, 255, 256, 300} {
		says(t, torch.Try(func() { x.ToDevice(torch.CUDA(i)) }), "vs an index from 0 to 127")
	}
}

func TestLimitsOfSettings(t *testing.T) {
	for _, n := range []int{-1, 0, 1025, 1<<32 + 3} {
		says(t, torch.SetNumThreads(n), "vs 1 to 1024")
	}
	for _, d := range []torch.DType{torch.Int64, torch.Float32, torch.Bool} {
		says(t, torch.Try(func() { torch.Autocast(torch.CUDA(0), d, func() {}) }), "Autocast: got "+d.String())
	}
}
