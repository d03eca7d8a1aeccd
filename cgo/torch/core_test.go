package torch

import (
	"errors"
	"math"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func within(t *testing.T) *Scope {
	s := NewScope()
	t.Cleanup(s.Close)
	return s
}

// Every operator that a method names exists in this libtorch: a misspelt one would only show when it is called.
func TestDeclaredOperatorsExist(t *testing.T) {
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	n := 0
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), "ops_") {
			continue
		}
		text, err := os.ReadFile(f.Name())
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`"(aten::[\w.]+)"`).FindAllStringSubmatch(string(text), -1) {
			require.True(t, Has(m[1]), m[1])
			n++
		}
	}
	require.Greater(t, n, 100)
	require.False(t, Has("aten::nope"))
}

func TestResultsJoinTheInnermostScope(t *testing.T) {
	root := within(t)
	inner := root.Child()
	w, x := root.Ones([]int64{2}), inner.Ones([]int64{2})
	require.Same(t, inner, w.Add(x).Scope())
	require.Same(t, inner, x.Add(w).Scope())
	require.Same(t, root, w.Neg().Scope())
	other := within(t).Ones([]int64{2})
	err := Try(func() { w.Add(other) })
	require.ErrorContains(t, err, "unrelated scopes")
	x.Add_(other) // makes no result
	require.Equal(t, []float32{2, 2}, x.Float32s())

	params := root.Child()
	p := params.Ones([]int64{2}).RequiresGrad(true)
	params.Seal()
	require.Same(t, inner, p.Mul(x).Scope())
	err = Try(func() { p.Neg() })
	require.ErrorIs(t, err, ErrSealed)
	require.ErrorContains(t, err, "s.Use(")
	require.Same(t, inner, inner.Use(p).Neg().Scope())
	NoGrad(func() { p.Add_(p) })
	require.Equal(t, []float32{2, 2}, p.Float32s())
}

func TestScopeLifetimes(t *testing.T) {
	before := LiveTensors()
	root := NewScope()
	var kept, lost *Tensor
	err := root.Scoped(func(s *Scope) error {
		lost = s.Ones([]int64{3})
		kept = root.Adopt(s.Ones([]int64{4}))
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []int64{4}, kept.Shape())
	err = Try(func() { lost.Neg() })
	require.ErrorIs(t, err, ErrClosed)

	err = root.Scoped(func(s *Scope) error {
		s.Ones([]int64{2, 3}).MatMul(s.Ones([]int64{2, 3}))
		return nil
	})
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Contains(t, err.Error(), "torch: matmul: ")
	require.Contains(t, err.Error(), "float32[2 3] cpu")
	require.Panics(t, func() { _ = root.Scoped(func(*Scope) error { panic("mine") }) }, "only torch's panics become errors")

	kept.Free()
	kept.Free()
	require.Error(t, Try(func() { kept.Neg() }))
	child := root.Child()
	child.Ones([]int64{5})
	root.Close()
	root.Close()
	require.Error(t, Try(func() { child.Ones([]int64{1}) }))
	require.Equal(t, before, LiveTensors())
	require.Zero(t, root.Len())
}

// A scope that nobody closed is found by the garbage collector, counted, and freed by the next one.
func TestLostScopesAreFreed(t *testing.T) {
	before, counted := LiveTensors(), LeakedScopes()
	func() {
		s := NewScope()
		s.Ones([]int64{10})
	}()
	for range 50 {
		runtime.GC()
		runtime.Gosched()
		NewScope().Close()
		if LiveTensors() == before {
			break
		}
	}
	require.Equal(t, before, LiveTensors())
	require.Greater(t, LeakedScopes(), counted)
}

func TestCallChecksItsArguments(t *testing.T) {
	s := within(t)
	x := s.FromFloat32s([]float32{-1, 0, 2})
	live := LiveTensors()
	for _, test := range []struct {
		args []any
		want string
	}{
		{[]any{"aten::softplus", x, "a"}, "argument 1 'beta': got string vs want Scalar"},
		{[]any{"aten::add.Tensor", x}, "argument 1 'other' is missing"},
		{[]any{"aten::neg", x, x}, "got 2 arguments vs at most 1"},
		{[]any{"aten::neg", nil}, "got nil vs want Tensor"},
		{[]any{"aten::neg", struct{}{}}, "no form in libtorch"},
		{[]any{"aten::nope", x}, "no such operator"},
	} {
		err := Try(func() { Call(test.args[0].(string), test.args[1:]...) })
		require.ErrorContains(t, err, test.want)
		require.NotContains(t, err.Error(), "\n")
	}
	require.Equal(t, live, LiveTensors())
	require.InDelta(t, math.Log1p(math.Exp(2)), float64(Call("aten::softplus", x).Float32s()[2]), 1e-6) // defaults filled
	require.InDelta(t, math.Log1p(math.Exp(2)), float64(Call("aten::softplus", x, 1, 20).Float32s()[2]), 1e-6)
	parts := CallMulti("aten::split.Tensor", x, 2)[0].([]*Tensor)
	require.Len(t, parts, 2)
	require.Same(t, x, Call("aten::contiguous", x), "a result that is an operand makes no second handle")
	text, err := SchemaOf("aten::neg")
	require.NoError(t, err)
	require.Contains(t, text, "aten::neg(Tensor self) -> Tensor")
}

func TestOutOfMemoryAndBadShapesAreErrors(t *testing.T) {
	s := within(t)
	err := Try(func() { s.Zeros([]int64{1 << 46}) })
	require.ErrorIs(t, err, ErrOutOfMemory)
	require.Error(t, Try(func() { s.Zeros([]int64{-1}) }))
	require.Error(t, Try(func() { FromSlice(s, []float32{1, 2}, 3) }))
	_, err = s.FromBytes([]byte{1, 2, 3}, Float32, CPU, 1)
	require.Error(t, err)
}

// d²(x³)/dx² = 6x needs the first gradient to be part of a graph.
func TestSecondDerivative(t *testing.T) {
	s := within(t)
	x := s.FromFloat64s([]float64{1, 2, 3}).RequiresGrad(true)
	g := Grad(x.Pow(3).Sum(), []*Tensor{x}, GradOptions{CreateGraph: true})[0]
	h := Grad(g.Sum(), []*Tensor{x}, GradOptions{})[0]
	require.InDeltaSlice(t, []float64{6, 12, 18}, Slice[float64](h), 1e-12)

	y := s.Ones([]int64{1}).RequiresGrad(true)
	require.Error(t, Try(func() { Grad(x.Sum(), []*Tensor{y}, GradOptions{}) }))
	require.Nil(t, Grad(x.Sum(), []*Tensor{y}, GradOptions{AllowUnused: true})[0])

	Backward(x.Square().Sum(), GradOptions{})
	require.Equal(t, []float64{2, 4, 6}, Slice[float64](s.GradOf(x)))
	ZeroGrad(x)
	require.Nil(t, s.GradOf(x))
}

func TestModesNestAndSurvivePanics(t *testing.T) {
	s := within(t)
	w := s.Ones([]int64{2, 2}).RequiresGrad(true)
	NoGrad(func() {
		require.False(t, w.Neg().IsGradRequired())
		EnableGrad(func() { require.True(t, w.Neg().IsGradRequired()) })
		require.False(t, w.Neg().IsGradRequired())
	})
	require.Panics(t, func() { NoGrad(func() { panic("x") }) })
	require.True(t, IsGradEnabled())
	Autocast(CPU, BFloat16, func() {
		require.Equal(t, BFloat16, w.MatMul(w).DType())
		Autocast(CPU, DefaultDType, func() { require.Equal(t, Float32, w.MatMul(w).DType()) })
	})
	require.Equal(t, Float32, w.MatMul(w).DType())
}

// Work with and without gradients on many goroutines at once gives the right gradients, and leaves no thread in a mode.
func TestGoroutines(t *testing.T) {
	root := within(t)
	w := root.FromFloat32s([]float32{1, 2, 3}).RequiresGrad(true)
	root.Seal()
	before := LiveTensors()
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 40 {
				err := Scoped(func(s *Scope) error {
					x := s.Use(w)
					if (g+i)%2 == 0 {
						NoGrad(func() {
							runtime.Gosched()
							if x.Square().IsGradRequired() {
								t.Error("recorded inside NoGrad")
							}
						})
						return nil
					}
					runtime.Gosched()
					d := Grad(x.Square().Sum(), []*Tensor{w}, GradOptions{})[0].Float32s()
					if !slices.Equal(d, []float32{2, 4, 6}) {
						t.Errorf("got gradient %v", d)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	// A survey of threads: each goroutine holds one while all others do.
	hold := make(chan struct{})
	var ready, done sync.WaitGroup
	for range 24 {
		ready.Add(1)
		done.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if !IsGradEnabled() {
				t.Error("a thread was left without gradients")
			}
			ready.Done()
			<-hold
		})
	}
	ready.Wait()
	close(hold)
	done.Wait()
	require.Equal(t, before, LiveTensors())
}

func TestElementTypesRoundTrip(t *testing.T) {
	s := within(t)
	require.Equal(t, []float32{1.5, -2}, Slice[float32](FromSlice(s, []float32{1.5, -2})))
	require.Equal(t, []float64{1.5, -2}, Slice[float64](FromSlice(s, []float64{1.5, -2})))
	require.Equal(t, []int64{1 << 40, -2}, Slice[int64](FromSlice(s, []int64{1 << 40, -2})))
	require.Equal(t, []int32{7, -2}, Slice[int32](FromSlice(s, []int32{7, -2})))
	require.Equal(t, []uint8{0, 255}, Slice[uint8](FromSlice(s, []uint8{0, 255})))
	require.Equal(t, []bool{true, false}, Slice[bool](FromSlice(s, []bool{true, false})))
	require.Error(t, Try(func() { Slice[float64](s.Ones([]int64{1})) }))
	// All halves and all bfloat16 against libtorch's own conversion.
	halves, brains := make([]Half, 65536), make([]BF16, 65536)
	for i := range 65536 {
		halves[i], brains[i] = Half(i), BF16(i)
	}
	for i, v := range FromSlice(s, halves).Float32s() {
		require.True(t, math.Float32bits(v) == math.Float32bits(halves[i].Float32()) || v != v, "half %#x", i)
	}
	for i, v := range FromSlice(s, brains).Float32s() {
		require.True(t, math.Float32bits(v) == math.Float32bits(brains[i].Float32()) || v != v, "bfloat16 %#x", i)
	}
	img := FromSlice(s, []uint8{255, 0, 0, 10, 0, 20}, 3, 1, 2).ToImage()
	require.Equal(t, []uint8{255, 0, 0, 10, 0, 20}, Slice[uint8](s.FromImage(img)))
}

func TestRandomNumbers(t *testing.T) {
	s := within(t)
	require.NoError(t, Seed(5))
	state, err := s.RNGState(CPU)
	require.NoError(t, err)
	a := s.Randn(nil, []int64{5}).Float32s()
	require.NoError(t, SetRNGState(CPU, state))
	require.Equal(t, a, s.Randn(nil, []int64{5}).Float32s())
	g, err := s.NewGenerator(CPU, 5)
	require.NoError(t, err)
	require.Equal(t, a, s.Randn(g, []int64{5}).Float32s(), "the same seed, another generator")
	st, err := g.State(s)
	require.NoError(t, err)
	b := s.Rand(g, []int64{5}).Float32s()
	require.NoError(t, g.SetState(st))
	require.Equal(t, b, s.Rand(g, []int64{5}).Float32s())
}

func TestDevices(t *testing.T) {
	for text, want := range map[string]Device{"cpu": CPU, "cuda": CUDA(0), "cuda:3": CUDA(3)} {
		d, err := ParseDevice(text)
		require.NoError(t, err)
		require.Equal(t, want, d)
	}
	for _, text := range []string{"", "gpu", "cuda:", "cuda:-1", "cuda:x", "cpu:0"} {
		_, err := ParseDevice(text)
		require.Error(t, err, text)
	}
	require.NoError(t, CPU.Check())
	require.NoError(t, CheckVersion())
	if info, err := CUDADevices(); err == nil && info.Count == 0 {
		require.ErrorContains(t, CUDA(0).Check(), "CUDA")
		require.Error(t, Try(func() { within(t).Ones([]int64{1}, Options{Device: CUDA(0)}) }))
	}
	require.True(t, errors.Is(&Error{Kind: ErrUnsupported}, ErrUnsupported))
}
