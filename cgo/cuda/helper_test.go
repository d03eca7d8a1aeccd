package cuda_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

func TestMain(m *testing.M) {
	if err := torch.SetNumThreads(1); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// gpu is the first device; the test is skipped where there is none.
func gpu(t testing.TB) torch.Device {
	t.Helper()
	if len(cuda.Devices()) == 0 {
		t.Skip("skipped: no CUDA")
	}
	return torch.CUDA(0)
}

// withoutGPU skips a test of what happens where there is none.
func withoutGPU(t testing.TB) {
	t.Helper()
	if len(cuda.Devices()) > 0 {
		t.Skip("skipped: there is CUDA")
	}
}

// within is a scope that the test's end closes, and checks that no tensor of the test outlives it.
func within(t testing.TB) *torch.Scope {
	t.Helper()
	before := torch.LiveTensors()
	s := torch.NewScope()
	t.Cleanup(func() {
		s.Close()
		require.Equal(t, before, torch.LiveTensors(), "live tensors after the test")
	})
	return s
}

// near compares with what the CPU computes, relative to the larger of 1 and |want|.
func near(t testing.TB, got, want *torch.Tensor, tol float64) {
	t.Helper()
	g, w := got.Float32s(), want.Float32s()
	require.Len(t, g, len(w))
	for i := range g {
		require.InDelta(t, w[i], g[i], tol*max(1, float64(w[i]), -float64(w[i])), "element %d", i)
	}
}
