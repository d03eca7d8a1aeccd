package trainers

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// On the unit circle the way from 0 to the angle w is at t w; norms 1 and 3 give 1 + 2t along it.
func TestSlerpOnTheCircle(t *testing.T) {
	s := scope(t)
	for _, w := range []float64{1e-9, 1e-6, 1e-4, 0.01, 1, math.Pi / 2, 2, 3, math.Pi - 0.01} {
		a := s.FromFloat64s([]float64{1, 0, 1, 0}, 2, 2)
		b := s.FromFloat64s([]float64{math.Cos(w), math.Sin(w), 3 * math.Cos(w), 3 * math.Sin(w)}, 2, 2)
		for _, at := range []float64{0, 0.1, 0.5, 0.75, 1} {
			c, d, n := math.Cos(at*w), math.Sin(at*w), 1+2*at
			// acos loses digits near 0 and 180 degrees; eleven are left.
			require.InDeltaSlice(t, []float64{c, d, n * c, n * d}, torch.Slice[float64](Slerp(a, b, at)), 1e-11, "%v at %v", w, at)
		}
	}
}

// White 2016 for equal norms, over all dimensions of a sample: weights sin((1-t)w)/sin w and sin(tw)/sin w.
func TestSlerpOfSamples(t *testing.T) {
	s := scope(t)
	shape := []int64{4, 3, 2, 5}
	g, err := s.NewGenerator(torch.CPU, 1)
	require.NoError(t, err)
	unit := func() *torch.Tensor {
		x := s.Randn(g, shape, double)
		return x.Div(x.Square().SumDim([]int64{1, 2, 3}, true).Sqrt())
	}
	a, b := unit(), unit()
	got := torch.Slice[float64](Slerp(a, b, 0.3))
	x, y := torch.Slice[float64](a), torch.Slice[float64](b)
	for i := range 4 {
		dot := 0.0
		for k := range 30 {
			dot += x[i*30+k] * y[i*30+k]
		}
		w := math.Acos(dot)
		for k := i * 30; k < (i+1)*30; k++ {
			require.InDelta(t, (math.Sin(0.7*w)*x[k]+math.Sin(0.3*w)*y[k])/math.Sin(w), got[k], 1e-12)
		}
	}
	require.Equal(t, shape, Slerp(a, b, 0.3).Shape())
}

func norms(x *torch.Tensor) []float64 {
	return torch.Slice[float64](x.To(torch.Float64).Flatten(1).Square().SumDim([]int64{1}, false).Sqrt())
}

// The ends are exact in every type, and norms stay between those of the ends, also beyond 90 degrees, where the paper's
// formula gives 1.15 at 120 degrees between norms of 1 and 0.
func TestSlerpEndsAndNorms(t *testing.T) {
	s := scope(t)
	g, err := s.NewGenerator(torch.CPU, 2)
	require.NoError(t, err)
	for _, d := range []torch.DType{torch.Float32, torch.Float64, torch.Float16, torch.BFloat16} {
		a := s.Randn(g, []int64{50, 2}).To(d) // two dimensions: all angles
		b := s.Randn(g, []int64{50, 2}).MulScalar(2).To(d)
		require.Equal(t, d, Slerp(a, b, 0.5).DType())
		require.Equal(t, torch.Slice[float64](a.To(torch.Float64)), torch.Slice[float64](Slerp(a, b, 0).To(torch.Float64)), d)
		require.Equal(t, torch.Slice[float64](b.To(torch.Float64)), torch.Slice[float64](Slerp(a, b, 1).To(torch.Float64)), d)
		if d.Size() < 4 {
			continue
		}
		na, nb := norms(a), norms(b)
		for _, at := range []float64{0.01, 0.25, 0.5, 0.9} {
			for i, n := range norms(Slerp(a, b, at)) {
				require.InDelta(t, na[i]+at*(nb[i]-na[i]), n, 1e-6*max(na[i], nb[i])) // float32
			}
		}
	}
}

// Where there is no angle the line is straight: 0, the same, a multiple, and the opposite.
func TestSlerpWithoutAnAngle(t *testing.T) {
	s := scope(t)
	a := s.FromFloat64s([]float64{0, 0, 0, 0, 3, 4, 3, 4, 3, 4, 9, 0}, 6, 2)
	b := s.FromFloat64s([]float64{0, 0, 2, 4, 3, 4, 6, 8, -3, -4, 0, 0}, 6, 2)
	want := []float64{0, 0, 0.5, 1, 3, 4, 3.75, 5, 1.5, 2, 6.75, 0}
	require.InDeltaSlice(t, want, torch.Slice[float64](Slerp(a, b, 0.25)), 1e-12)
}

func TestSlerpPanics(t *testing.T) {
	s := scope(t)
	x := s.Zeros([]int64{2, 3})
	for _, f := range []func(){
		func() { Slerp(x, s.Zeros([]int64{2, 4}), 0) },
		func() { Slerp(x, s.Zeros([]int64{1, 3}), 0) },
		func() { Slerp(x, s.Zeros([]int64{2, 3}, double), 0) },
		func() { Slerp(s.Zeros([]int64{3}), s.Zeros([]int64{3}), 0) },
		func() { i := x.To(torch.Int64); Slerp(i, i, 0) },
		func() { Slerp(x, x, -0.1) },
		func() { Slerp(x, x, 1.1) },
		func() { Slerp(x, x, math.NaN()) },
		func() { LatentWalk(x, 0) },
		func() { LatentWalk(s.Zeros([]int64{0, 3}), 4) },
		func() { LatentWalk(s.Zeros([]int64{3}), 4) },
	} {
		err := torch.Try(f)
		require.ErrorContains(t, err, "torch: trainers.")
		require.ErrorContains(t, err, " vs ")
	}
}

// Four keys a quarter of a turn apart: the walk is a circle, frame i at the angle 2 pi i / frames, whether or not frames is
// a multiple of four; from the last frame to the first is a step like every other.
func TestLatentWalkIsACircle(t *testing.T) {
	s := scope(t)
	keys := s.FromFloat64s([]float64{1, 0, 0, 1, -1, 0, 0, -1}, 4, 1, 2)
	for _, frames := range []int{1, 3, 4, 8, 10, 60} {
		live := torch.LiveTensors()
		w := LatentWalk(keys, frames)
		require.Equal(t, live+1, torch.LiveTensors(), "intermediate results are freed")
		require.Equal(t, []int64{int64(frames), 1, 2}, w.Shape())
		got := torch.Slice[float64](w)
		for i := range frames {
			a := 2 * math.Pi * float64(i) / float64(frames)
			require.InDeltaSlice(t, []float64{math.Cos(a), math.Sin(a)}, got[2*i:2*i+2], 1e-12, "%d of %d", i, frames)
		}
	}
}

// A style walk goes in straight lines: half way between two keys is their mean.
func TestStyleWalk(t *testing.T) {
	s := scope(t)
	keys := s.FromFloat64s([]float64{1, 0, 0, 3}, 2, 1, 2)
	require.Equal(t, []float64{1, 0, 0.5, 1.5, 0, 3, 0.5, 1.5}, torch.Slice[float64](StyleWalk(keys, 4)))
	require.ErrorContains(t, torch.Try(func() { StyleWalk(keys, 0) }), "trainers.StyleWalk")
}

// Random keys are met exactly when their turn comes, in the type that they have; one key stands still.
func TestLatentWalkMeetsKeys(t *testing.T) {
	s := scope(t)
	g, err := s.NewGenerator(torch.CPU, 3)
	require.NoError(t, err)
	keys := s.Randn(g, []int64{5, 64})
	w := LatentWalk(keys, 60)
	for k := range int64(5) {
		require.Equal(t, torch.Slice[float32](keys.Narrow(0, k, 1)), torch.Slice[float32](w.Narrow(0, 12*k, 1)))
	}
	one := torch.Slice[float32](LatentWalk(keys.Narrow(0, 2, 1), 3))
	key := torch.Slice[float32](keys.Narrow(0, 2, 1))
	require.Equal(t, append(append(append([]float32{}, key...), key...), key...), one)
}
