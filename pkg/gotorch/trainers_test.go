//go:build gotorch

package gotorch_test

import (
	"context"
	"io"
	"iter"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	gt "github.com/wangkuiyi/gotorch"
	gnn "github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"
	"github.com/wangkuiyi/gotorch/nn/initializer"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	bridge "github.com/tigas-train/tigas-train/pkg/gotorch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// family is a WGAN-GP with the TIGAS term in the loop of package trainers, whose two networks are gotorch's.
type family struct {
	g, d       *bridge.Net
	optG, optD *optim.Adam
	term       tigas.Term
}

func newFamily(t *testing.T, root *torch.Scope, seed int64) *family {
	initializer.ManualSeed(seed)
	detector, err := tigas.Embedded(root, tigas.OpenOptions{})
	require.NoError(t, err)
	up := func(in, out, stride, pad int64) gnn.IModule {
		return gnn.ConvTranspose2d(in, out, 4, stride, pad, 0, 1, false, 1, "zeros")
	}
	down := func(in, out, stride, pad int64) gnn.IModule {
		return gnn.Conv2d(in, out, 4, stride, pad, 1, 1, true, "zeros")
	}
	leaky := gnn.Functional(func(x gt.Tensor) gt.Tensor { return F.LeakyRelu(x, 0.2, false) })
	f := &family{
		g: bridge.Wrap(root, gnn.Sequential(up(8, 16, 1, 0), gnn.BatchNorm2d(16, 1e-5, 0.1, true, true), relu(),
			up(16, 8, 2, 1), relu(), up(8, 8, 2, 1), relu(), up(8, 3, 2, 1), gnn.Functional(gt.Tanh))),
		d: bridge.Wrap(root, gnn.Sequential(down(3, 8, 2, 1), leaky, down(8, 16, 2, 1), leaky, down(16, 16, 2, 1), leaky,
			down(16, 1, 1, 0))),
		term: tigas.Term{Detector: detector, Options: tigas.LossOptions{Range: tigas.Symmetric}, Weight: sched.Constant{Value: 0.1}},
	}
	o := optim.AdamOptions{LR: 1e-3, Beta2: 0.9}
	f.optG, f.optD = optim.NewAdam(root, nn.ParamList(f.g), o), optim.NewAdam(root, nn.ParamList(f.d), o)
	return f
}

func (f *family) judge(x *torch.Tensor) *torch.Tensor { return f.d.Forward(x).Reshape(-1) }

func (f *family) Step(st *trainers.Step) error {
	real, err := st.Real()
	if err != nil {
		return err
	}
	fake := f.g.Forward(st.Scope.Randn(st.Noise, []int64{real.Size(0), 8, 1, 1}))
	loss := st.Term("D", trainers.WGANGP.Critic(f.judge(real), f.judge(fake.Detach())))
	gp := trainers.GradientPenalty(f.judge, real, fake, trainers.PenaltyOptions{Generator: st.Noise})
	f.optD.Step(torch.Grad(loss.Add(st.Term("gp", gp)), nn.ParamList(f.d), torch.GradOptions{AllowUnused: true}))
	loss = st.Term("G", trainers.WGANGP.Generator(f.judge(fake))).Add(f.term.Apply(st.Progress, fake).Loss)
	f.optG.Step(torch.Grad(loss, nn.ParamList(f.g), torch.GradOptions{}))
	return nil
}

func (f *family) LatentShape() []int64 { return []int64{8, 1, 1} }

func (f *family) Sample(_ context.Context, z *torch.Tensor) (x *torch.Tensor, err error) {
	nn.Train(f.g, false)
	defer nn.Train(f.g, true)
	torch.NoGrad(func() { x = f.g.Forward(z) })
	return x, nil
}

func (f *family) Tensors() iter.Seq2[string, *torch.Tensor] {
	return func(yield func(string, *torch.Tensor) bool) {
		for prefix, net := range map[string]*bridge.Net{"G.": f.g, "D.": f.d} {
			for name, t := range nn.StateDict(net) {
				if !yield(prefix+name, t) {
					return
				}
			}
		}
	}
}

func (f *family) Optimizers() []trainers.NamedOptimizer {
	return []trainers.NamedOptimizer{{Name: "G", Optimizer: f.optG}, {Name: "D", Optimizer: f.optD}}
}

func (f *family) TIGAS() tigas.Term { return f.term }

// Two networks of gotorch's in our loop, with a gradient penalty, whose gradient is a second derivative of gotorch's
// operators; a snapshot; and a run that goes on from it with new networks, which then draw the same pictures.
func TestTheirNetworksInOurLoop(t *testing.T) {
	root := scope(t)
	loader, err := data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: 4, Transform: data.Transform{Resolution: 32}})
	require.NoError(t, err)
	z := root.Randn(nil, []int64{2, 8, 1, 1})
	drawn := func(f *family) []float32 {
		s := root.Child()
		defer s.Close()
		x, err := f.Sample(t.Context(), s.Use(z))
		require.NoError(t, err)
		return x.Float32s()
	}
	run := func(f *family, dir, resume string, kimg float64) *checkpoint.Run {
		out, err := checkpoint.Create(dir)
		require.NoError(t, err)
		require.NoError(t, trainers.Run(t.Context(), f, trainers.RunOptions{Kimg: kimg, Grid: 2, Loader: loader, Out: out,
			Resume: resume, Console: &monitor.Console{W: io.Discard, Quiet: true}}))
		return out
	}
	dir := t.TempDir()
	f := newFamily(t, root, 1)
	untrained := drawn(f)
	snapshot, err := run(f, filepath.Join(dir, "a"), "", 0.04).Latest()
	require.NoError(t, err)
	trained := drawn(f)
	require.NotEqual(t, untrained, trained)

	other := newFamily(t, root, 2)
	require.NotEqual(t, trained, drawn(other))
	require.NoError(t, torch.Scoped(func(s *torch.Scope) error {
		saved, _, err := checkpoint.Load(s, snapshot, torch.CPU)
		require.Contains(t, saved, "G.SequentialModule.Modules[1].RunningMean")
		return err
	}))
	run(other, filepath.Join(dir, "b"), snapshot, 0.04)
	require.Equal(t, trained, drawn(other))
}
