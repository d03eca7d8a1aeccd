package trainers

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// A part of a loss that is not finite once is named; its update is left out, counted, and the run goes on.
func TestGuiltyTermIsNamed(t *testing.T) {
	terms := map[string][]string{
		"gan": {"D", "gp", "G"}, "stylegan": {"G", "path_loss", "D", "r1"}, "vae": {"recon", "kl"}, "diffusion": {"mse"},
	}
	for name, s := range families() {
		for _, term := range terms[name] {
			for _, bad := range []float64{math.NaN(), math.Inf(1)} {
				t.Run(fmt.Sprintf("%s %s %v", name, term, bad), func(t *testing.T) {
					var console bytes.Buffer
					s := s
					s.dir, s.steps, s.console = filepath.Join(t.TempDir(), "run"), 3, &console
					done := false
					s.plant = func(name string, v *torch.Tensor) *torch.Tensor {
						if name != term || done {
							return v
						}
						done = true
						return v.MulScalar(bad)
					}
					weights, err := s.run(t)
					require.NoError(t, err)
					require.True(t, done, "it has no such term")
					require.Contains(t, console.String(), "("+term+" is not)")
					require.Contains(t, console.String(), "at step 0")
					require.NotEmpty(t, weights)
					for i, line := range timeless(t, s.dir) {
						if bad, ok := line["nonfinite"]; ok {
							require.LessOrEqual(t, i, 1, "a later mean is spoiled") // the line of the first samples comes first
							require.Subset(t, []any{term, "total", "path_length"}, bad)
						}
					}
				})
			}
		}
	}
}

// Where updates are decided on the device the host hears of it later, with the step and the part of the loss that it was.
func TestGuiltyTermIsNamedLater(t *testing.T) {
	residentCPU(t)
	for name, term := range map[string]string{"gan": "gp", "stylegan": "r1", "vae": "kl", "diffusion": "mse"} {
		t.Run(name, func(t *testing.T) {
			s := families()[name]
			var console bytes.Buffer
			s.dir, s.steps, s.console = filepath.Join(t.TempDir(), "run"), 3, &console
			done := false
			s.plant = func(name string, v *torch.Tensor) *torch.Tensor {
				if name != term || done {
					return v
				}
				done = true
				return v.MulScalar(math.NaN())
			}
			_, err := s.run(t)
			require.NoError(t, err)
			require.Contains(t, console.String(), "("+term+" is not)")
			require.Contains(t, console.String(), "at step 0")
			require.Equal(t, 1, strings.Count(console.String(), "the update is left out"))
			skipped := 0
			for _, line := range timeless(t, s.dir) {
				for name, v := range line {
					if strings.HasPrefix(name, skipPrefix) {
						require.Equal(t, 1.0, v)
						skipped++
					}
				}
			}
			require.Equal(t, 1, skipped, "the log speaks of it once")
		})
	}
}

// So does a return to a snapshot come later; what it returns to is good, and what comes is as the host would have it.
func TestRollBackDecidedOnTheDevice(t *testing.T) {
	residentCPU(t)
	s := families()["vae"]
	var console bytes.Buffer
	s.dir, s.steps, s.console = filepath.Join(t.TempDir(), "run"), 90, &console
	n := 0
	s.plant = func(name string, v *torch.Tensor) *torch.Tensor {
		if name == "kl" {
			if n++; n > 13 && n <= 13+maxSkips+1 {
				return v.MulScalar(math.NaN())
			}
		}
		return v
	}
	weights, err := s.run(t)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(console.String(), "back to step "), console.String())
	require.Contains(t, console.String(), "with learning rates times 0.5")
	for name, bytes := range weights {
		require.NotContains(t, bytes, string([]byte{0, 0, 0xc0, 0x7f}), name) // a NaN of float32
	}
}

// After too many updates in a row the run goes back to its last snapshot with half the learning rates, and on from there.
func TestRollBack(t *testing.T) {
	s := families()["vae"]
	var console bytes.Buffer
	s.dir, s.steps, s.console = filepath.Join(t.TempDir(), "run"), 80, &console
	planted := 0
	s.plant = func(name string, v *torch.Tensor) *torch.Tensor {
		if planted == 0 && countFiles(t, s.dir) < 3 { // two snapshots and the manifest
			return v
		}
		if name == "kl" && planted <= maxSkips {
			planted++
			return v.MulScalar(math.NaN())
		}
		return v
	}
	var rates []float64
	var steps []int64
	s.onTick = func(tick monitor.Tick) {
		steps = append(steps, tick.Step)
		i := slices.IndexFunc(tick.Values, func(v monitor.Value) bool { return v.Name == "lr_VAE" })
		rates = append(rates, tick.Values[i].Value)
	}
	_, err := s.run(t)
	require.NoError(t, err)
	require.Equal(t, maxSkips+1, planted)
	require.Contains(t, console.String(), "back to step 5 (kimg 0.0) with learning rates times 0.5")
	require.Equal(t, []float64{1e-3, 5e-4}, []float64{rates[0], rates[len(rates)-1]})
	require.False(t, slices.IsSorted(steps))
	back := slices.Index(steps, 55)
	require.Equal(t, int64(7), steps[back+1], "steps %v", steps)
	require.EqualValues(t, 80, steps[len(steps)-1])
	run, err := checkpoint.Open(s.dir)
	require.NoError(t, err)
	all, err := run.Snapshots()
	require.NoError(t, err)
	for _, s := range all {
		require.False(t, s.Doubtful, "those of the branch that was left are still there")
	}
}

// A run that diverges again and again ends, with a snapshot that is good.
func TestDivergedForGood(t *testing.T) {
	s := families()["vae"]
	var console bytes.Buffer
	s.dir, s.steps, s.console = filepath.Join(t.TempDir(), "run"), 1000, &console
	s.plant = func(name string, v *torch.Tensor) *torch.Tensor {
		if name == "recon" && countFiles(t, s.dir) > 2 {
			return v.MulScalar(math.NaN())
		}
		return v
	}
	_, err := s.run(t)
	require.ErrorIs(t, err, ErrDiverged)
	require.ErrorContains(t, err, "3 returns to a snapshot")
	require.ErrorContains(t, err, "(recon is not)")
	require.Contains(t, console.String(), "times 0.125")
	run, err := checkpoint.Open(s.dir)
	require.NoError(t, err)
	newest, damaged, err := run.NewestGood()
	require.NoError(t, err)
	require.Empty(t, damaged)
	require.EqualValues(t, 5, newest.Step)
}

// Weights that are not finite are not written over good ones.
func TestNaNSnapshotIsNotWritten(t *testing.T) {
	s := families()["gan"]
	build := s.family
	var g *GAN
	s.family = func(root *torch.Scope, term tigas.Term) (Family, error) {
		f, err := build(root, term)
		g = f.(*GAN)
		return f, err
	}
	var console bytes.Buffer
	s.dir, s.steps, s.console = filepath.Join(t.TempDir(), "run"), 12, &console
	spoiled := false
	s.onTick = func(tick monitor.Tick) {
		if tick.Step >= 6 && !spoiled {
			spoiled = true
			// No gradient passes through the average: nothing else would see it.
			torch.NoGrad(func() { g.ema.Averages()[0].MulScalar_(math.NaN()) })
		}
	}
	_, err := s.run(t)
	require.NoError(t, err)
	require.True(t, spoiled)
	require.Contains(t, console.String(), "G_ema.")
	require.Contains(t, console.String(), "is not finite: back to step 5")
}

// A snapshot that cannot be written is said so, tried again, and ends the run at the third time; one that can be written
// again is as good.
func TestSnapshotFails(t *testing.T) {
	for name, until := range map[string]int64{"for a while": 8, "for good": 1000} {
		t.Run(name, func(t *testing.T) {
			broken := false
			s := families()["vae"]
			var console bytes.Buffer
			s.dir, s.steps, s.console = filepath.Join(t.TempDir(), "run"), 20, &console
			manifest := filepath.Join(s.dir, "snapshots", "manifest.json")
			s.onTick = func(tick monitor.Tick) {
				switch {
				case tick.Step == 1:
					require.NoError(t, os.Rename(manifest, manifest+".away"))
					require.NoError(t, os.Mkdir(manifest, 0o755))
					broken = true
				case broken && tick.Step >= until:
					require.NoError(t, os.Remove(manifest))
					require.NoError(t, os.Rename(manifest+".away", manifest))
					broken = false
				}
			}
			_, err := s.run(t)
			require.Contains(t, console.String(), "no snapshot: checkpoint: ")
			if until == 1000 {
				require.ErrorContains(t, err, "manifest.json")
				require.NotErrorIs(t, err, ErrDiverged)
				return
			}
			require.NoError(t, err)
			run, err := checkpoint.Open(s.dir)
			require.NoError(t, err)
			newest, _, err := run.Newest()
			require.NoError(t, err)
			require.EqualValues(t, 20, newest.Step)
		})
	}
}

// countFiles is the number of files in a run's snapshots/.
func countFiles(t *testing.T, dir string) int {
	t.Helper()
	l, err := os.ReadDir(filepath.Join(dir, "snapshots"))
	require.NoError(t, err)
	return len(l)
}

// outOfMemory is a family that runs out of memory in one step.
type outOfMemory struct {
	Family
	at int64
}

func (o *outOfMemory) Step(st *Step) error {
	if err := o.Family.Step(st); err != nil || st.Progress.Step != o.at {
		return err
	}
	panic(&torch.Error{Op: "aten::convolution", Msg: "CUDA out of memory. Tried to allocate 2.00 GiB", Kind: torch.ErrOutOfMemory})
}

// When memory runs out what there is is saved, and the run can go on from it.
func TestOutOfMemorySaves(t *testing.T) {
	s := families()["vae"]
	build := s.family
	s.dir, s.steps = filepath.Join(t.TempDir(), "run"), 12
	s.family = func(root *torch.Scope, term tigas.Term) (Family, error) {
		f, err := build(root, term)
		return &outOfMemory{f, 7}, err
	}
	_, err := s.run(t)
	require.ErrorIs(t, err, torch.ErrOutOfMemory)
	require.ErrorContains(t, err, "Tried to allocate 2.00 GiB")
	require.ErrorContains(t, err, "a snapshot of step 7 (kimg 0.1) is in "+s.dir)
	s.family, s.resume = build, true
	_, err = s.run(t)
	require.NoError(t, err)
	run, err := checkpoint.Open(s.dir)
	require.NoError(t, err)
	newest, _, err := run.Newest()
	require.NoError(t, err)
	require.EqualValues(t, 11, newest.Step, "the length is in images, and those of the broken step were shown")
}

// An update of a family of one's own has the learning rate of its optimiser, less what returns from divergence have taken.
func TestUpdateOfOnesOwn(t *testing.T) {
	root := scope(t)
	st := stepOf(t, root)
	x := root.Scalar(1).RequiresGrad(true)
	opt := optim.NewSGD(root, []*torch.Tensor{x}, optim.SGDOptions{LR: 0.5})
	value := func() float64 { return st.Scope.Use(x).Detach().Float64() }
	update := func() error { return st.Update("x", opt, []*torch.Tensor{x}, st.Scope.Use(x).MulScalar(1)) }
	require.NoError(t, update())
	require.Equal(t, 0.5, value())
	st.loop.s.Rollbacks = 2
	require.NoError(t, update())
	require.Equal(t, 0.5-0.125, value())
	st.loop.o.Console = &monitor.Console{W: io.Discard}
	require.NoError(t, st.Update("x", opt, []*torch.Tensor{x}, st.Scope.Use(x).MulScalar(math.NaN())), "left out")
	require.Equal(t, 0.5-0.125, value())
}

// A run that diverges is told so also when that is found out at its very end.
func TestDivergesInTheLastTick(t *testing.T) {
	residentCPU(t)
	s := families()["vae"]
	s.dir, s.steps = filepath.Join(t.TempDir(), "run"), maxSkips+1
	s.plant = func(name string, v *torch.Tensor) *torch.Tensor {
		if name == "kl" {
			return v.MulScalar(math.NaN())
		}
		return v
	}
	_, err := s.run(t)
	require.ErrorIs(t, err, ErrDiverged)
	require.ErrorContains(t, err, "3 returns to a snapshot")
}
