//go:build gotorch

package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	gt "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn/initializer"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	bridge "github.com/tigas-train/tigas-train/pkg/gotorch"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

func TestMain(m *testing.M) {
	if err := torch.SetNumThreads(1); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func tiny(t *testing.T, weight float64) *gan {
	initializer.ManualSeed(5)
	root := torch.NewScope()
	t.Cleanup(root.Close)
	detector, err := tigas.Embedded(root, tigas.OpenOptions{})
	require.NoError(t, err)
	return newGAN(root, 8, detector, weight)
}

// batch is the first n demo pictures.
func batch(t *testing.T, n int) *data.Batch {
	l, err := data.NewLoader(data.NewDemo(size, false), data.LoaderOptions{Batch: n, Transform: data.Transform{Resolution: size}})
	require.NoError(t, err)
	pixels, err := l.Sample(n)
	require.NoError(t, err)
	return &data.Batch{Pixels: pixels, N: n, R: size}
}

// The term adds weight times its own gradient to the generator's, and nothing else: with the same noise, what two weights
// give differs by that.
func TestTermAddsItsGradient(t *testing.T) {
	m := tiny(t, 0)
	for range 3 { // away from the symmetry of the first step
		bridge.Step(func() { m.step(batch(t, 4)) })
	}
	bridge.Step(func() {
		s := m.root.Child()
		defer s.Close()
		params := nn.ParamList(bridge.Wrap(s, m.g))
		noise := gt.RandN([]int64{8, latent, 1, 1}, false)
		fake := func() gt.Tensor { return m.g.Forward(noise).(gt.Tensor) }
		gradient := func(weight float64) []*torch.Tensor {
			m.weight = weight
			loss, _ := m.generatorLoss(s, fake())
			return torch.Grad(loss, params, torch.GradOptions{})
		}
		const w = 3
		without, with := gradient(0), gradient(w)
		term, _ := m.detector.Loss(bridge.From(s, fake()), tigas.LossOptions{Range: tigas.Symmetric})
		alone := torch.Grad(term, params, torch.GradOptions{})
		for i := range params {
			want := alone[i].MulScalar(w)
			off := with[i].Sub(without[i]).Sub(want).Norm().Float64()
			// The sums are formed in float32, whose steps are 6e-8 of what is summed; a gradient is a sum of thousands of
			// products of both signs, and goes through four layers.
			scale := with[i].Norm().Float64() + without[i].Norm().Float64() + want.Norm().Float64()
			require.LessOrEqual(t, off, 1e-5*scale, "parameter %d", i)
			require.Greater(t, want.Norm().Float64(), 1e-3*scale, "the term's part is too small to be seen")
		}
	})
}

// residentMB is the memory that the process holds now.
func residentMB(t *testing.T) float64 {
	b, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	require.NoError(t, err)
	return float64(pages*os.Getpagesize()) / (1 << 20)
}

// A step of 4 images makes some 5 MB of tensors. In 150 of them neither our handles nor the process grow, with
// bridge.Step and with gotorch's own GC.
func TestMemoryStaysFlat(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // else a collection may come in the middle of an operator
	m, b := tiny(t, 0.1), batch(t, 4)
	step := func() { m.step(b) }
	for name, one := range map[string]func(){
		"bridge.Step": func() { bridge.Step(step) },
		"gotorch.GC":  func() { gt.GC(); step() },
	} {
		t.Run(name, func(t *testing.T) {
			// What gotorch.GC waits for is kept for each thread, and this is a goroutine of its own.
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if name == "gotorch.GC" {
				defer gt.FinishGC()
			}
			for range 30 {
				one()
			}
			before, live := residentMB(t), torch.LiveTensors()
			for range 150 {
				one()
			}
			require.Equal(t, live, torch.LiveTensors())
			require.Less(t, residentMB(t)-before, 25.0) // it would be 85 MB of what the step itself does not free
		})
	}
}

// With a large weight the pictures please the detector more after 60 steps than at first, which they do not without.
func TestScoreRises(t *testing.T) {
	rise := func(weight float64) float64 {
		m := tiny(t, weight)
		m.optG.SetLR(2e-3)
		var first, last float64
		require.NoError(t, m.train(8, 60, func(step int, d, g, score float64) {
			require.False(t, math.IsNaN(d+g+score), "step %d", step)
			if step <= 10 {
				first += score / 10
			} else if step > 50 {
				last += score / 10
			}
		}))
		t.Logf("weight %g: score %.3f to %.3f", weight, first, last)
		return last - first
	}
	with, without := rise(300), rise(0)
	require.Greater(t, with, 0.5)
	require.Greater(t, with, without)
	require.Len(t, tiny(t, 0).samples(4), 4*3*size*size)
}
