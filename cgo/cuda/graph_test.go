package cuda_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

func TestGraphsWantCUDA(t *testing.T) {
	s := within(t)
	_, err := cuda.Capture(s, cuda.Stream{}, cuda.CaptureOptions{}, func() { t.Error("it ran") })
	require.ErrorIs(t, err, cuda.ErrNoCUDA)
	require.EqualError(t, err, "cuda: Capture: got the stream of cpu vs one of CUDA")
}

// A step of gradient descent with noise, once as it is and once as a graph: the same numbers, random ones too, and the same
// gradient through the engine's own threads.
func TestGraphsComputeTheSame(t *testing.T) {
	d := gpu(t)
	const steps = 6
	train := func(graph bool) (weights, noise []float32) {
		s := within(t)
		stream, err := cuda.NewStream(d)
		require.NoError(t, err)
		gen, err := s.NewGenerator(d, 5)
		require.NoError(t, err)
		w := s.Full([]int64{8, 8}, 0.1, torch.Options{Device: d}).RequiresGrad(true)
		input := s.Zeros([]int64{4, 8}, torch.Options{Device: d})
		var kept *torch.Scope
		var last *torch.Tensor
		step := func() {
			kept = s.Child()
			work := s.Child()
			defer work.Close()
			x := work.Use(input).Add(work.Randn(gen, []int64{4, 8}, torch.Options{Device: d}))
			y := x.MatMul(w).Tanh()
			g := torch.Grad(y.Square().Mean(), []*torch.Tensor{w}, torch.GradOptions{})[0]
			torch.NoGrad(func() { w.Sub_(g.MulScalar(0.5)) })
			last = kept.Adopt(x)
		}
		cuda.On(stream, func() {
			var g *cuda.Graph
			for i := range steps {
				torch.NoGrad(func() { input.Fill_(float64(i)) })
				switch {
				case !graph || i < 2:
					step()
				default:
					if g == nil {
						g, err = cuda.Capture(s, stream, cuda.CaptureOptions{Generators: []*torch.Generator{gen}}, step)
						require.NoError(t, err)
					}
					require.NoError(t, g.Replay())
				}
			}
			require.NoError(t, stream.Synchronize())
			weights, noise = w.Detach().ToDevice(torch.CPU).Float32s(), last.ToDevice(torch.CPU).Float32s()
		})
		return weights, noise
	}
	w, n := train(false)
	gw, gn := train(true)
	require.Equal(t, n, gn)
	require.Equal(t, w, gw)
}

// What cannot be recorded is an error, and the device goes on.
func TestGraphsThatReadAreRefused(t *testing.T) {
	d := gpu(t)
	s := within(t)
	stream, err := cuda.NewStream(d)
	require.NoError(t, err)
	x := s.Ones([]int64{3}, torch.Options{Device: d})
	require.NoError(t, cuda.Synchronize(d))
	_, err = cuda.Capture(s, stream, cuda.CaptureOptions{}, func() { x.Sum().Float64() })
	require.ErrorContains(t, err, "synchroniz")
	require.NotErrorIs(t, err, cuda.ErrSpoiled, "libtorch refuses before CUDA does")
	require.NoError(t, cuda.EmptyCache(), "the cache is as it was")
	require.Equal(t, 3.0, x.Sum().Float64())
	g, err := cuda.Capture(s, stream, cuda.CaptureOptions{}, func() { x.Add_(x) })
	require.NoError(t, err)
	require.NoError(t, g.Replay())
	require.NoError(t, g.Replay())
	require.NoError(t, stream.Synchronize())
	require.Equal(t, []float32{4, 4, 4}, x.ToDevice(torch.CPU).Float32s())
}
