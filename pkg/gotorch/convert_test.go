//go:build gotorch

package gotorch_test

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	gt "github.com/wangkuiyi/gotorch"
	F "github.com/wangkuiyi/gotorch/nn/functional"
	"github.com/wangkuiyi/gotorch/nn/initializer"

	"github.com/tigas-train/tigas-train/cgo/torch"
	bridge "github.com/tigas-train/tigas-train/pkg/gotorch"
)

func TestMain(m *testing.M) {
	if err := torch.SetNumThreads(1); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// scope returns a scope that the test's end closes, and checks that none of our handles outlives it.
func scope(t testing.TB) *torch.Scope {
	t.Helper()
	before := torch.LiveTensors()
	s := torch.NewScope()
	t.Cleanup(func() {
		s.Close()
		require.Equal(t, before, torch.LiveTensors())
	})
	return s
}

// values reads a tensor of gotorch's as float32s.
func values(t gt.Tensor) []float32 {
	s := torch.NewScope()
	defer s.Close()
	return bridge.From(s, t).Detach().Float32s()
}

// residentMB is the memory that the process holds now.
func residentMB(t testing.TB) float64 {
	b, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	require.NoError(t, err)
	return float64(pages*os.Getpagesize()) / (1 << 20)
}

// One tensor, whichever way it goes: libtorch's own object is the same, and with it the address of the elements.
func TestSameTensor(t *testing.T) {
	bridge.Step(func() {
		s := scope(t)
		x := s.Randn(nil, []int64{2, 3})
		require.True(t, torch.SameTensor(x, bridge.From(s, bridge.To(x))))
		y := gt.RandN([]int64{4, 5}, false)
		a, b := bridge.From(s, y), bridge.From(s, y)
		require.True(t, torch.SameTensor(a, b))
		require.True(t, torch.SameTensor(a, bridge.From(s, bridge.To(b))))
		// Storage, offset and sizes: a view of gotorch's has its elements where ours are.
		require.Equal(t, []any{true}, torch.CallMulti("aten::is_set_to", a, bridge.From(s, y.View(4, 5))))
		require.False(t, torch.SameTensor(a, bridge.From(s, y.View(4, 5))))
	})
}

func TestChangesInPlaceAreSeen(t *testing.T) {
	bridge.Step(func() {
		s := scope(t)
		ours := s.FromFloat32s([]float32{1, 2, 3})
		theirs := bridge.To(ours)
		theirs.AddI(gt.NewTensor([]float32{10, 20, 30}), 1)
		require.Equal(t, []float32{11, 22, 33}, ours.Float32s())
		torch.NoGrad(func() { ours.Zero_() })
		require.Equal(t, []float32{0, 0, 0}, values(theirs))

		made := gt.NewTensor([]float32{4, 5})
		shared := bridge.From(s, made)
		initializer.Ones(&made)
		require.Equal(t, []float32{1, 1}, shared.Float32s())
	})
}

func TestTypesAndShapes(t *testing.T) {
	bridge.Step(func() {
		s := scope(t)
		for d, code := range map[torch.DType]int8{torch.Float32: gt.Float, torch.Float64: gt.Double, torch.Float16: gt.Half,
			torch.BFloat16: gt.BFloat16, torch.Int64: gt.Long, torch.Int32: gt.Int, torch.Int16: gt.Short, torch.Int8: gt.Char,
			torch.Uint8: gt.Byte, torch.Bool: gt.Bool} {
			for _, shape := range [][]int64{{}, {0}, {3}, {2, 0, 4}, {1, 2, 3, 4, 5}} {
				x := s.Zeros(shape, torch.Options{DType: d})
				y := bridge.To(x)
				require.Equal(t, code, y.Dtype())
				require.Equal(t, shape, y.Shape())
				z := bridge.From(s, y)
				require.Equal(t, d, z.DType())
				require.Equal(t, shape, z.Shape())
			}
		}
		turned := bridge.From(s, gt.NewTensor([][]float32{{1, 2, 3}, {4, 5, 6}}).Transpose(0, 1))
		require.False(t, turned.IsContiguous())
		require.Equal(t, []float32{1, 4, 2, 5, 3, 6}, turned.Float32s())
	})
}

func TestAbsentTensors(t *testing.T) {
	s := scope(t)
	require.Nil(t, bridge.From(s, gt.Tensor{}))
	require.Nil(t, bridge.From(s, gt.RandN([]int64{2}, true).Grad()), "an undefined gradient")
	require.Nil(t, bridge.To(nil).T)
	closed := torch.NewScope()
	x := closed.Scalar(1)
	closed.Close()
	require.ErrorIs(t, torch.Try(func() { bridge.To(x) }), torch.ErrClosed)
	require.ErrorIs(t, torch.Try(func() { bridge.From(closed, gt.RandN([]int64{2}, false)) }), torch.ErrClosed)
}

// sum(sigmoid(x * x) * x), one part of it on the other side: the operators are the same, so is every bit of the gradient.
func TestGradientThroughBoth(t *testing.T) {
	bridge.Step(func() {
		s := scope(t)
		x := s.Randn(nil, []int64{3, 4}).RequiresGrad(true)
		mixed := bridge.From(s, gt.Sigmoid(bridge.To(x.Mul(x)))).Mul(x).Sum()
		want := torch.Grad(x.Mul(x).Sigmoid().Mul(x).Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0]
		require.Equal(t, want.Float32s(), torch.Grad(mixed, []*torch.Tensor{x}, torch.GradOptions{})[0].Float32s())

		// The other way around: a leaf and the loss are gotorch's, with its own backward pass and with ours.
		leaf := bridge.To(x.Detach().Clone().RequiresGrad(true))
		loss := func() gt.Tensor {
			inner := bridge.From(s, gt.Mul(leaf, leaf)).Sigmoid()
			return gt.Mul(bridge.To(inner), leaf).Sum()
		}
		loss().Backward()
		require.Equal(t, want.Float32s(), values(leaf.Grad()))
		bridge.Backward(loss()) // adds
		require.Equal(t, want.MulScalar(2).Float32s(), values(leaf.Grad()))
		require.True(t, torch.SameTensor(bridge.From(s, leaf.Grad()), s.GradOf(bridge.From(s, leaf))))
	})
}

// Either side may go first. The graph counts too: what it saved is still there for a gradient afterwards.
func TestFreeingInEitherOrder(t *testing.T) {
	before := torch.LiveTensors()
	var theirs, leaf gt.Tensor
	bridge.Step(func() {
		s := torch.NewScope()
		x := s.FromFloat32s([]float32{1, 2}).RequiresGrad(true)
		theirs, leaf = bridge.To(x.Mul(x).Sum()), bridge.To(x)
		s.Close()
	})
	require.Equal(t, before, torch.LiveTensors())
	bridge.Step(func() {
		require.Equal(t, []float32{5}, values(theirs))
		bridge.Backward(theirs)
		require.Equal(t, []float32{2, 4}, values(leaf.Grad()))
	})
	runtime.KeepAlive(theirs.T)
	runtime.KeepAlive(leaf.T)

	s := scope(t)
	var x, y *torch.Tensor
	bridge.Step(func() {
		leaf := gt.Full([]int64{2}, 3, true)
		x, y = bridge.From(s, leaf), bridge.From(s, gt.Mul(leaf, leaf).Sum())
	})
	bridge.Step(func() {}) // destroys gotorch's objects
	g := torch.Grad(y, []*torch.Tensor{x}, torch.GradOptions{})[0]
	require.Equal(t, []float32{6, 6}, g.Float32s())
	x.Free()
	require.Equal(t, 18.0, y.Float64())
}

// What gotorch would end the process with is an error; what it panics with as a string, too.
func TestErrors(t *testing.T) {
	bridge.Step(func() {
		x := gt.RandN([]int64{2, 3}, false)
		err := bridge.Try(func() { bridge.Backward(x.Sum()) })
		require.ErrorContains(t, err, "torch: Backward: element 0 of tensors does not require grad")
		y := gt.RandN([]int64{2}, true)
		loss := gt.Mul(y, y).Sum()
		bridge.Backward(loss)
		require.ErrorContains(t, bridge.Try(func() { bridge.Backward(loss) }), "backward through the graph a second time")
		err = bridge.Try(func() { gt.MM(x, x) })
		require.EqualError(t, err, "torch: gotorch: mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)")
		require.Panics(t, func() { _ = bridge.Try(func() { var p *int; *p = 1 }) }, "a bug stays a bug")
		require.NoError(t, bridge.Try(func() { F.Relu(x, false) }))
	})
}

// An at::Tensor is 8 bytes, 32 with what malloc adds: 300,000 that stay would be 9 MB and more.
func TestConversionsLeakNothing(t *testing.T) {
	s := scope(t)
	x := s.Zeros([]int64{1 << 20})
	many := func(n int) {
		for range n / 1000 {
			bridge.Step(func() {
				for range 1000 {
					bridge.From(s, bridge.To(x)).Free()
				}
			})
		}
	}
	many(50_000) // what the allocators keep
	before := residentMB(t)
	many(300_000)
	require.Less(t, residentMB(t)-before, 6.0)
}

// Memory goes with the last reference: 400 tensors of 4 MB, 1.6 GB, lost by both sides, and some by one
// before the other.
func TestMemoryOfSharedTensorsIsFreed(t *testing.T) {
	runtime.LockOSThread() // each thread has a heap of its own, and keeps a part of what is freed
	defer runtime.UnlockOSThread()
	var held gt.Tensor
	some := func(n int) {
		for i := range n {
			bridge.Step(func() {
				require.NoError(t, torch.Scoped(func(s *torch.Scope) error {
					y := bridge.To(s.Ones([]int64{1 << 20}))
					z := bridge.From(s, gt.Add(y, y, 1))
					if i%2 == 0 {
						held = bridge.To(z)
					}
					return nil
				}))
			})
		}
	}
	some(60)
	before := residentMB(t)
	some(200)
	require.Less(t, residentMB(t)-before, 100.0) // fragments: some 20 MB
	runtime.KeepAlive(held.T)
}
