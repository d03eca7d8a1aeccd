package trainers_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// moments is the smallest model that learns something of pictures: x = tanh(mean + z w). It has the interface
// trainers.Family, so that the loop of the command line trains it, with pictures, logs and snapshots.
type moments struct {
	mean, w *torch.Tensor // [3 R R] and [latent, 3 R R]
	opt     optim.Optimizer
	size    int64
}

const momentsLatent = 4

func newMoments(root *torch.Scope, init *torch.Generator, size int64) *moments {
	s := root.Child()
	n := 3 * size * size
	m := &moments{size: size, mean: s.Zeros([]int64{n}).RequiresGrad(true),
		w: s.Randn(init, []int64{momentsLatent, n}).MulScalar_(0.1).RequiresGrad(true)}
	s.Seal()
	m.opt = optim.NewAdam(root, m.params(), optim.AdamOptions{LR: 0.05})
	return m
}

func (m *moments) params() []*torch.Tensor { return []*torch.Tensor{m.mean, m.w} }

func (m *moments) forward(z *torch.Tensor) *torch.Tensor {
	return z.MatMul(m.w).Add(m.mean).Tanh().Reshape(-1, 3, m.size, m.size)
}

// Step makes one update: the images that are made should have the mean and the variance of real ones, pixel by pixel. What
// it computes is in the scope of the step, and freed by the loop.
func (m *moments) Step(st *trainers.Step) error {
	defer st.Phase("net")()
	real, err := st.Real()
	if err != nil {
		return err
	}
	fake := m.forward(st.Scope.Randn(st.Noise, []int64{real.Size(0), momentsLatent}))
	batch := []int64{0}
	loss := st.Term("mean", fake.MeanDim(batch, false).MSE(real.MeanDim(batch, false))) // in the log under this name
	loss = loss.Add(st.Term("variance", fake.VarDim(batch, false, false).MSE(real.VarDim(batch, false, false))))
	st.Report("total", loss)
	grads := torch.Grad(loss, m.params(), torch.GradOptions{})
	norm, err := optim.ClipGradNorm(grads, 0) // an error: it is not finite, and the update is left out
	if err == nil {
		st.ReportNumber("net_grad_norm", norm)
		m.opt.Step(grads)
	}
	return st.Updated("net", err) // ends the run after too many of them
}

// LatentShape and Sample make it a trainers.Sampler.
func (m *moments) LatentShape() []int64 { return []int64{momentsLatent} }

func (m *moments) Sample(_ context.Context, z *torch.Tensor) (images *torch.Tensor, err error) {
	torch.NoGrad(func() { images = m.forward(z) })
	return images, nil
}

// Tensors and Optimizers are what a snapshot holds.
func (m *moments) Tensors() iter.Seq2[string, *torch.Tensor] {
	return func(yield func(string, *torch.Tensor) bool) { _ = yield("mean", m.mean) && yield("w", m.w) }
}

func (m *moments) Optimizers() []trainers.NamedOptimizer {
	return []trainers.NamedOptimizer{{Name: "net", Optimizer: m.opt}}
}

// TIGAS is absent here.
func (m *moments) TIGAS() tigas.Term { return tigas.Term{} }

var _ trainers.Family = (*moments)(nil)

// A model of one's own in the loop of the command line.
func ExampleFamily() {
	dir, err := os.MkdirTemp("", "family")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	var totals []float64
	err = torch.Scoped(func(root *torch.Scope) error {
		init, err := root.NewGenerator(torch.CPU, 1)
		if err != nil {
			return err
		}
		out, err := checkpoint.Create(filepath.Join(dir, "moments"))
		if err != nil {
			return err
		}
		loader, err := data.NewLoader(data.NewDemo(8, false), data.LoaderOptions{Batch: 32, Transform: data.Transform{Resolution: 8}})
		if err != nil {
			return err
		}
		return trainers.Run(context.Background(), newMoments(root, init, 8), trainers.RunOptions{
			Kimg: 3.2, TickKimg: 0.8, Grid: 2, Loader: loader, Out: out, Console: &monitor.Console{W: os.Stderr, Quiet: true},
			OnTick: func(t monitor.Tick) {
				total, _ := t.Value("total")
				totals = append(totals, total)
			},
		})
	})
	snapshots, _ := filepath.Glob(filepath.Join(dir, "moments", "snapshots", "*.safetensors"))
	fmt.Println("learned:", totals[len(totals)-1] < totals[0]/2, "- snapshots:", len(snapshots) > 0, "-", err)
	// Output: learned: true - snapshots: true - <nil>
}
