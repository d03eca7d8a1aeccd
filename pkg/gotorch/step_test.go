//go:build gotorch

package gotorch_test

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
	gt "github.com/wangkuiyi/gotorch"

	"github.com/tigas-train/tigas-train/cgo/torch"
	bridge "github.com/tigas-train/tigas-train/pkg/gotorch"
)

func collections() uint32 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.NumGC
}

var sink []byte

// 200 MB of garbage start a dozen collections, in a step none; afterwards the settings are what they were.
func TestNoCollectionInAStep(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(50))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(1 << 40))
	garbage := func() (n uint32) {
		before := collections()
		for range 200 {
			sink = make([]byte, 1<<20)
		}
		return collections() - before
	}
	require.NotZero(t, garbage())
	bridge.Step(func() {
		debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
		require.Zero(t, garbage())
		bridge.Step(func() { require.Zero(t, garbage()) })
		require.Zero(t, garbage(), "after a step inside of the step")
	})
	require.Panics(t, func() { bridge.Step(func() { panic("out") }) })
	require.NotZero(t, garbage())
	require.Equal(t, 50, debug.SetGCPercent(50))
	require.EqualValues(t, 1<<40, debug.SetMemoryLimit(-1))
}

// Chains of gotorch's operators, whose operands nobody holds, beside a goroutine that makes garbage. Without Step this ends
// with a segmentation fault, or with wrong numbers.
func TestOperandsLiveThroughAStep(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		var mine []byte
		for {
			select {
			case <-stop:
				return
			default:
				mine = make([]byte, 1<<20)
				mine[0] = 1
			}
		}
	}()
	for range 20 {
		bridge.Step(func() {
			x := gt.Full([]int64{256, 256}, 1, false)
			for range 20 {
				y := gt.Add(gt.Add(x, x, 1), gt.Add(x, x, 1), 1)
				require.Equal(t, float32(4), y.Mean().Item())
			}
		})
	}
}

// gotorch's own way, for loops that have it: GC first in each step, and FinishGC at the end, on one thread.
func TestGotorchGC(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	root := scope(t)
	w := root.Ones([]int64{1 << 18}).RequiresGrad(true)
	// In a function of its own: a variable whose address is taken counts as in use until its function returns, and GC waits
	// for every tensor.
	step := func() {
		s := root.Child()
		defer s.Close()
		x := bridge.To(w)
		loss := bridge.From(s, gt.Mul(x, x).Sum())
		g := torch.Grad(loss, []*torch.Tensor{w}, torch.GradOptions{})[0]
		require.Equal(t, float32(2), bridge.To(g).Mean().Item())
	}
	live := torch.LiveTensors()
	var before float64
	for i := range 320 {
		gt.GC()
		step()
		if i == 20 {
			before = residentMB(t)
		}
		require.Equal(t, live, torch.LiveTensors())
	}
	gt.FinishGC()
	// 300 steps make 300 MB of gradients, and as much of products.
	require.Less(t, residentMB(t)-before, 10.0)
}
