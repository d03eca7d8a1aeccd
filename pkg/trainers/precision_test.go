package trainers

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

// residentCPU lets updates be decided on the device where that is the CPU, for the length of a test.
func residentCPU(t *testing.T) {
	was := resident
	resident = func(torch.Device) bool { return true }
	t.Cleanup(func() { resident = was })
}

// scaleOf is the scale of a loop's learner.
func scaleOf(l *loop, name string) float64 {
	return maps.Collect(l.scalers.by[name].State())["scale"].Float64()
}

// Scaled by a power of two a run is what it is without: weights, optimisers and what is logged.
func TestScaledLossesChangeNothing(t *testing.T) {
	residentCPU(t)
	for name, s := range families() {
		t.Run(name, func(t *testing.T) {
			s.steps = 5
			s.dir = filepath.Join(t.TempDir(), "plain")
			want, err := s.run(t)
			require.NoError(t, err)
			plain := timeless(t, s.dir)
			s.dir, s.scaled = filepath.Join(t.TempDir(), "scaled"), true
			got, err := s.run(t)
			require.NoError(t, err)
			require.Len(t, got, len(want))
			for name := range want {
				require.True(t, want[name] == got[name], "%s differs", name)
			}
			log := timeless(t, s.dir)
			scales := 0
			for _, line := range log {
				for name, v := range line {
					if strings.HasPrefix(name, scalePrefix) {
						require.Equal(t, 65536.0, v)
						delete(line, name)
						scales++
					}
				}
			}
			require.NotZero(t, scales)
			require.Equal(t, plain, log)
		})
	}
}

// A gradient that overflows halves the scale of its network, and leaves its weights and moments as they are, bit for bit.
func TestOverflowHalvesTheScale(t *testing.T) {
	residentCPU(t)
	loader, err := data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: familyBatch, Transform: data.Transform{Resolution: 32}})
	require.NoError(t, err)
	clip := tiny()
	clip.Loss, clip.CriticSteps = WGANClip, 1
	for name, c := range map[string]struct {
		term    string
		learner func(f Family) *learner
		build   func(root *torch.Scope) (Family, error)
	}{
		"vae": {"kl", func(f Family) *learner { return &f.(*VAE).l }, func(root *torch.Scope) (Family, error) {
			return NewVAE(root, nil, tinyVAE(), torch.CPU)
		}},
		"the host decides": {"D", func(f Family) *learner { return &f.(*GAN).d }, func(root *torch.Scope) (Family, error) {
			return NewGAN(root, nil, clip, torch.CPU)
		}},
	} {
		for _, bad := range []float64{math.Inf(1), math.NaN(), 1e37} { // the last one is finite before it is scaled
			t.Run(fmt.Sprint(name, " ", bad), func(t *testing.T) {
				root := scope(t)
				f, err := c.build(root)
				require.NoError(t, err)
				var said bytes.Buffer
				l := &loop{o: RunOptions{Precision: FP16, Loader: loader, Console: &monitor.Console{W: &said}}, f: f, scope: root, uncast: true,
					stats: newStats(root), s: state{Skipped: map[string]int{}}, next: ramps(familyBatch, 32),
					noise: diffGenerator(t, root, 1), choice: diffGenerator(t, root, 2)}
				l.stats.seen = l.leftOut
				net := c.learner(f)
				bits := func() map[string]string {
					m := map[string]string{}
					for i, p := range net.params {
						m[fmt.Sprint(i)] = string(p.RawBytes())
					}
					for name, x := range net.opt.State() {
						m[name] = string(x.RawBytes())
					}
					return m
				}
				step := func() {
					require.NoError(t, l.step())
					l.s.Step++
				}
				step()
				before := bits()
				step()
				require.NotEqual(t, before, bits())
				require.Equal(t, 65536.0, scaleOf(l, net.name))
				before = bits()
				l.plant = func(name string, v *torch.Tensor) *torch.Tensor {
					if name == c.term {
						return v.MulScalar(bad)
					}
					return v
				}
				step()
				if name == "vae" {
					require.Equal(t, before, bits())
				} else { // weights are clipped all the same
					after := bits()
					require.Equal(t, before["0.square_avg"], after["0.square_avg"])
					require.Equal(t, before["0"], after["0"])
				}
				require.Equal(t, 32768.0, scaleOf(l, net.name))
				l.plant = nil
				step()
				require.NotEqual(t, before, bits())
				require.Equal(t, 32768.0, scaleOf(l, net.name))
				require.NoError(t, l.reportScales())
				values := map[string]float64{}
				for _, v := range l.stats.take() {
					values[v.Name] = v.Value
				}
				require.Equal(t, 32768.0, values[scalePrefix+net.name])
				require.Equal(t, 1.0, values[skipPrefix+net.name])
				require.EqualValues(t, 1, l.s.LeftOut)
				require.Empty(t, said.String(), "the first ones are no trouble")
			})
		}
	}
}

// Scales are part of a snapshot: a run that goes on is the one that was not interrupted. Runs of another precision go on, too.
func TestScalesAreSaved(t *testing.T) {
	residentCPU(t)
	s := families()["vae"]
	s.steps, s.scaled = 12, true
	run := func(dir string, stopAt int, resume bool) map[string]string {
		n := int64(0)
		s.dir, s.stopAt, s.resume = dir, stopAt, resume
		s.plant = func(name string, v *torch.Tensor) *torch.Tensor {
			if name != "kl" {
				return v
			}
			if n++; n == 3 && !resume {
				return v.MulScalar(math.Inf(1))
			}
			return v
		}
		weights, err := s.run(t)
		if stopAt > 0 {
			require.ErrorIs(t, err, ErrInterrupted)
		} else {
			require.NoError(t, err)
		}
		return weights
	}
	scales := func(dir string) map[string]float64 {
		root := scope(t)
		r, err := checkpoint.Open(dir)
		require.NoError(t, err)
		path, err := r.Latest()
		require.NoError(t, err)
		tensors, _, err := checkpoint.Load(root, path, torch.CPU)
		require.NoError(t, err)
		m := map[string]float64{}
		for name, x := range tensors {
			if rest, ok := strings.CutPrefix(name, "loop.scaler."); ok {
				m[rest] = x.Float64()
				require.False(t, IsWeight(name))
			}
		}
		return m
	}
	whole, parts := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "parts")
	want := run(whole, 0, false)
	run(parts, 7, false)
	require.Equal(t, map[string]float64{"VAE.scale": 32768, "VAE.growth_tracker": 4}, scales(parts))
	got := run(parts, 0, true)
	require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)))
	for name := range want {
		require.True(t, want[name] == got[name], "%s differs", name)
	}
	require.Equal(t, timeless(t, whole), timeless(t, parts))
	require.Equal(t, map[string]float64{"VAE.scale": 32768, "VAE.growth_tracker": 9}, scales(parts))

	other := filepath.Join(t.TempDir(), "other")
	for i, scaled := range []bool{false, true, false} {
		s.scaled, s.steps = scaled, 4*(i+1)
		run(other, 0, i > 0)
		want := map[string]float64{}
		if scaled {
			want = map[string]float64{"VAE.scale": 65536, "VAE.growth_tracker": 4}
		}
		require.Equal(t, want, scales(other))
	}
}

// A snapshot without scales makes them begin anew, and ones of networks that there are not are kept.
func TestLoadScalers(t *testing.T) {
	root := scope(t)
	l := &loop{o: RunOptions{Precision: FP16}, scope: root.Child()}
	l.scaler("G").Update(root.Scalar(1))
	require.Equal(t, 32768.0, scaleOf(l, "G"))
	saved := map[string]*torch.Tensor{}
	for name, x := range l.scalerStates() {
		saved[name] = root.Use(x).Clone()
	}
	saved["loop.scaler.old.net.scale"], saved["loop.scaler.old.net.growth_tracker"] = root.Scalar(8), root.Scalar(3)
	saved["loop.noise"] = root.Scalar(0)
	live := torch.LiveTensors()
	require.NoError(t, l.loadScalers(nil))
	l.scaler("G")
	require.Equal(t, 65536.0, scaleOf(l, "G"))
	require.Equal(t, live, torch.LiveTensors())
	for range 3 {
		require.NoError(t, l.loadScalers(saved))
	}
	require.Equal(t, live+2, torch.LiveTensors())
	require.Equal(t, 32768.0, scaleOf(l, "G"))
	require.Equal(t, 8.0, scaleOf(l, "old.net"))
	delete(saved, "loop.scaler.G.scale")
	require.ErrorContains(t, l.loadScalers(saved), "scaler G: optim: load: the saved state does not fit: 1 missing (scale)")
}

// The first updates that are left out in float16 are no warning; those after them, and 50 in a row, are as ever.
func TestFirstOverflowsAreQuiet(t *testing.T) {
	var said bytes.Buffer
	l := &loop{o: RunOptions{Precision: FP16, Console: &monitor.Console{W: &said}}, stats: newStats(scope(t)), s: state{Skipped: map[string]int{}}}
	bad := &optim.NonFiniteError{Norm: math.Inf(1)}
	for range 10 {
		require.NoError(t, l.updated("D", bad))
		require.NoError(t, l.updated("D", nil))
		require.NoError(t, l.updated("G", bad))
	}
	require.Empty(t, said.String())
	var err error
	for n := 11; err == nil; n++ {
		require.LessOrEqual(t, n, maxSkips+1)
		err = l.updated("G", bad)
		require.Equal(t, 1, strings.Count(said.String(), "\n"), "said when they are no longer few: %s", said.String())
	}
	require.ErrorIs(t, err, ErrDiverged)
	require.ErrorContains(t, err, "51 times in a row")
	require.NoError(t, l.updated("D", bad))
	require.Equal(t, 2, strings.Count(said.String(), "\n"))
}

// Float16 is for GPUs.
func TestFloat16WantsAGPU(t *testing.T) {
	s := families()["vae"]
	s.dir, s.steps, s.scaled = filepath.Join(t.TempDir(), "run"), 1, true
	_, err := s.run(t)
	require.EqualError(t, err, "trainers: the precision fp16 wants a GPU, and this is cpu: bf16 works on a CPU too")
	require.False(t, errors.Is(err, ErrDiverged))
	require.Equal(t, torch.Float16, FP16.DType())
}
