package optim_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

func needCUDA(t *testing.T) torch.Device {
	t.Helper()
	if info, err := torch.CUDADevices(); err != nil || info.Count == 0 {
		t.Skip("skipped: no CUDA")
	}
	return torch.CUDA(0)
}

// The kernel has the bias corrections in float32, where 1 - 0.999 is off by 6e-5 of itself, hence 1e-4; 2e-5 were seen on an H200.
func TestCapturableOnCUDAFollowsCPU(t *testing.T) {
	d := needCUDA(t)
	eachForm(t, d, func(t *testing.T, name string, lists bool) { follow(t, name, d, lists, 1e-4) })
}

// A captured step, replayed with other gradients, learning rates and skips, is the step of an optimiser without a graph.
func TestCapturedStep(t *testing.T) {
	d := needCUDA(t)
	eachForm(t, d, func(t *testing.T, name string, lists bool) {
		s := torch.NewScope()
		defer s.Close()
		p, q := mixed(s, d), mixed(s, d)
		want, got := adam(name, s, p, true, lists), adam(name, s, q, true, lists)
		skip := s.Scalar(0, torch.Options{Device: d})
		grads := gradsOf(s, 0, d)
		for i, g := range grads {
			grads[i] = g.Contiguous().Clone()
		}
		stream, err := cuda.NewStream(d)
		require.NoError(t, err)
		require.NoError(t, cuda.Synchronize(d))
		before := snapshot(q, got)
		graph, err := cuda.Capture(s, stream, cuda.CaptureOptions{}, func() { got.StepUnless(grads, skip) })
		require.NoError(t, err)
		require.Equal(t, before, snapshot(q, got), "to capture is not to do")
		for step := range 12 {
			cuda.On(stream, func() {
				fresh := gradsOf(s, 12*step, d) // none is nil
				for i, g := range grads {
					g.Copy_(fresh[i])
				}
				lr := 1e-2 / float64(1+step/4)
				want.SetLR(lr)
				got.SetLR(lr)
				skip.Fill_(float64(step % 3 % 2))
				want.StepUnless(grads, skip)
			})
			require.NoError(t, graph.Replay())
			require.NoError(t, stream.Synchronize())
			require.Equal(t, snapshot(p, want), snapshot(q, got), fmt.Sprint("step ", step))
		}
		state := map[string]float64{}
		for key, x := range got.State() {
			if x.Dim() == 0 {
				state[key] = x.Float64()
			}
		}
		require.Equal(t, 8.0, state["0.step"], "four of twelve were left out")
	})
}

// Parameters of two devices have no one device for the state.
func TestCapturableRefusesSeveralDevices(t *testing.T) {
	d := needCUDA(t)
	s := torch.NewScope()
	defer s.Close()
	p := []*torch.Tensor{s.Scalar(1), s.Scalar(1, torch.Options{Device: d})}
	require.EqualError(t, torch.Try(func() { optim.NewAdam(s, p, optim.AdamOptions{Capturable: true}) }),
		"torch: Adam: Capturable: parameter 1: got one on cuda:0 vs cpu, where the first is")
	a := optim.NewAdam(s, p[1:], optim.AdamOptions{Capturable: true})
	require.Error(t, torch.Try(func() { a.StepUnless(p[1:], s.Scalar(1)) }), "skip is on another device")
}
