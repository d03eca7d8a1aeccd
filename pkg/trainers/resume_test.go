package trainers

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/monitor/diagnose"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// session is one process of a run: networks and detector are built anew.
type session struct {
	dir      string
	family   func(root *torch.Scope, term tigas.Term) (Family, error)
	steps    int
	resume   bool
	stopAt   int // the step after which it is told to stop; 0: never
	perStep  int // images
	plant    func(name string, v *torch.Tensor) *torch.Tensor
	console  io.Writer
	onTick   func(monitor.Tick)
	saveKimg float64
	pictures int           // in the data; 0: as many as the demo has
	watched  *diagnose.Run // with TensorBoard too
	scaled   bool          // losses are, as in float16, while the passes stay in float32

	usage func() (cuda.Usage, error) // not nil: it goes the ways of a GPU
}

// few are the first pictures of a set.
type few struct {
	data.Dataset
	n int
}

func (f few) Len() int { return f.n }

// run trains, and returns the weights as bytes and the error of [Run].
func (s session) run(t *testing.T) (map[string]string, error) {
	t.Helper()
	root := torch.NewScope()
	defer root.Close()
	require.NoError(t, torch.Seed(5))
	term := constantTerm(embedded(t, root), 0.1)
	term.Options.Augment = tigas.DefaultAugment(1)
	f, err := s.family(root, term)
	require.NoError(t, err)
	var set data.Dataset = data.NewDemo(32, false)
	if s.pictures > 0 {
		set = few{set, s.pictures}
	}
	loader, err := data.NewLoader(set, data.LoaderOptions{Batch: familyBatch, Seed: 3,
		Transform: data.Transform{Resolution: 32, Mirror: true}})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	o := RunOptions{Kimg: float64(s.steps*s.perStep) / 1000, TickKimg: 2.5 * float64(s.perStep) / 1000, Seed: 3, Grid: 2,
		SnapKimg: 5 * float64(s.perStep) / 1000, SaveKimg: s.saveKimg, Loader: loader, Console: &monitor.Console{W: io.Discard},
		Keep: checkpoint.Retention{Last: 3}, OnTick: s.onTick}
	if s.scaled {
		o.Precision = FP16
	}
	o.Diagnosis, o.TensorBoard = s.watched, s.watched != nil
	if s.console != nil {
		o.Console.W = s.console
	}
	if s.resume {
		o.Out, err = checkpoint.Open(s.dir)
		require.NoError(t, err)
		o.Resume, err = o.Out.Latest()
		require.NoError(t, err)
	} else {
		o.Out, err = checkpoint.Create(s.dir)
		require.NoError(t, err)
		require.NoError(t, o.Out.WriteConfig(struct{}{}))
	}
	err = Run(ctx, &stopping{Family: f, stop: stop, at: s.stopAt, plant: s.plant, usage: s.usage, scaled: s.scaled}, o)
	weights := map[string]string{}
	for name, x := range f.Tensors() {
		weights[name] = string(x.RawBytes())
	}
	for _, opt := range f.Optimizers() {
		for name, x := range opt.State() {
			weights[opt.Name+" "+name] = string(x.RawBytes())
		}
	}
	return weights, err
}

// stopping tells a run to stop in the middle of a step.
type stopping struct {
	Family
	stop  func()
	at    int
	plant func(name string, v *torch.Tensor) *torch.Tensor
	usage func() (cuda.Usage, error)

	scaled bool
}

func (s *stopping) Step(st *Step) error {
	st.loop.plant, st.loop.uncast = s.plant, s.scaled
	if s.usage != nil {
		likeGPU(st.loop, s.usage)
	}
	if s.at > 0 && st.Progress.Step == int64(s.at-1) {
		s.stop()
	}
	return s.Family.Step(st)
}

// timeless are the lines of a run's log without what depends on the clock.
func timeless(t *testing.T, dir string) (lines []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "log.jsonl"))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m))
		maps.DeleteFunc(m, func(name string, _ any) bool { return monitor.OfClock(name) })
		lines = append(lines, m)
	}
	return lines
}

func families() map[string]session {
	all := map[string]session{"gan": {perStep: 5 * familyBatch, family: func(root *torch.Scope, term tigas.Term) (Family, error) {
		o := tiny()
		o.Term = term
		return NewGAN(root, nil, o, torch.CPU)
	}}}
	for name, tiny := range tinyFamilies {
		all[name] = session{perStep: familyBatch, family: tiny.build}
	}
	dropout := session{perStep: familyBatch, family: func(root *torch.Scope, term tigas.Term) (Family, error) {
		o := tinyDiffusion()
		o.Term, o.UNet.Dropout = term, 0.2
		return NewDiffusion(root, nil, o, torch.CPU)
	}}
	all["diffusion with dropout"] = dropout
	return all
}

// A run that is told to stop finishes its step; continued, it is bit for bit the run that was not interrupted: weights,
// optimisers, log and pictures. So is one whose batches are read ahead, as on a GPU.
func TestResumeIsExact(t *testing.T) {
	for name, s := range families() {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s.steps = 18
			s.dir = filepath.Join(dir, "whole")
			want, err := s.run(t)
			require.NoError(t, err)
			for parts, usage := range map[string]func() (cuda.Usage, error){"parts": nil, "ahead": someMemory} {
				s.dir, s.usage = filepath.Join(dir, parts), usage
				for i, at := range []int{1, 8, 10} { // after the first step, between ticks, pictures and snapshots, and at pictures and a snapshot
					s.resume, s.stopAt = i > 0, at
					_, err = s.run(t)
					require.ErrorIs(t, err, ErrInterrupted)
					require.ErrorContains(t, err, fmt.Sprintf("at step %d ", at), "the step was not finished")
				}
				s.resume, s.stopAt = true, 0
				got, err := s.run(t)
				require.NoError(t, err)
				for name := range maps.Keys(want) {
					require.True(t, want[name] == got[name], "%s: %s differs", parts, name)
				}
				require.Equal(t, timeless(t, filepath.Join(dir, "whole")), timeless(t, s.dir), parts)
				pictures, err := filepath.Glob(filepath.Join(dir, "whole", "samples", "*"))
				require.NoError(t, err)
				require.Greater(t, len(pictures), 4)
				for _, p := range pictures {
					a, err := os.ReadFile(p)
					require.NoError(t, err)
					b, err := os.ReadFile(filepath.Join(s.dir, "samples", filepath.Base(p)))
					require.NoError(t, err)
					require.True(t, string(a) == string(b), "%s: %s differs", parts, filepath.Base(p))
				}
			}
		})
	}
}
