// Package devicetest says to tests on which devices they run.
package devicetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// GPU is the first CUDA device; the test is skipped where there is none.
func GPU(t testing.TB) torch.Device {
	t.Helper()
	if len(cuda.Devices()) == 0 {
		t.Skip("skipped: no CUDA")
	}
	return torch.CUDA(0)
}

// All are the CPU, and the first CUDA device where there is one.
func All() []torch.Device {
	if len(cuda.Devices()) == 0 {
		return []torch.Device{torch.CPU}
	}
	return []torch.Device{torch.CPU, torch.CUDA(0)}
}

// ExactFloat32 keeps GPUs from rounding the factors of float32 products to 10 bits until the test ends. The switch is one of
// the process: such tests are not parallel.
func ExactFloat32(t testing.TB) {
	t.Helper()
	before, err := cuda.ReadSwitches()
	require.NoError(t, err)
	now := before
	now.CuDNNTF32, now.MatmulTF32 = false, false
	require.NoError(t, cuda.SetSwitches(now))
	t.Cleanup(func() { require.NoError(t, cuda.SetSwitches(before)) })
}
