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
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// dream trains a generator by the TIGAS term alone, on no pictures: it draws what the detector takes for real.
type dream struct {
	net  nn.Sequential
	opt  optim.Optimizer
	term tigas.Term
}

const dreamLatent, dreamSize, dreamBatch = 8, 32, 4

func newDream(root *torch.Scope, init *torch.Generator, term tigas.Term) *dream {
	b := nn.Builder{Scope: root.Child(), Generator: init}
	d := &dream{term: term, net: nn.Sequential{nn.NewLinear(b, dreamLatent, 64), nn.ReLU,
		nn.NewLinear(b, 64, 3*dreamSize*dreamSize), nn.Tanh}}
	b.Scope.Seal()
	d.opt = optim.NewAdam(root, nn.ParamList(d.net), optim.AdamOptions{LR: 1e-2})
	return d
}

func (d *dream) forward(z *torch.Tensor) *torch.Tensor {
	return d.net.Forward(z).Reshape(-1, 3, dreamSize, dreamSize)
}

// Step makes two updates, each with a scope of its own: the graph of the first is freed before that of the second is built.
func (d *dream) Step(st *trainers.Step) error {
	for range 2 {
		if err := st.Sub(d.update); err != nil {
			return err
		}
	}
	st.Count(2 * dreamBatch) // the run's length is counted in images, and nobody asked for real ones
	return nil
}

func (d *dream) update(st *trainers.Step) error {
	images := d.forward(st.Scope.Randn(st.Noise, []int64{dreamBatch, dreamLatent}))
	a := d.term.Apply(st.Progress, images)
	if a.Loss == nil {
		return nil // not due
	}
	st.Report("score", a.Score) // by this name the log, the summary and the report know it
	grads := torch.Grad(a.Loss, nn.ParamList(d.net), torch.GradOptions{})
	_, err := optim.ClipGradNorm(grads, 1)
	if err == nil {
		d.opt.Step(grads)
	}
	return st.Updated("G", err)
}

func (d *dream) LatentShape() []int64 { return []int64{dreamLatent} }

func (d *dream) Sample(_ context.Context, z *torch.Tensor) (images *torch.Tensor, err error) {
	torch.NoGrad(func() { images = d.forward(z) })
	return images, nil
}

func (d *dream) Tensors() iter.Seq2[string, *torch.Tensor] { return nn.StateDict(d.net) }

func (d *dream) Optimizers() []trainers.NamedOptimizer {
	return []trainers.NamedOptimizer{{Name: "G", Optimizer: d.opt}}
}

// TIGAS has the loop score the sample pictures too.
func (d *dream) TIGAS() tigas.Term { return d.term }

// A family with the TIGAS term and without data.
func ExampleStep() {
	dir, err := os.MkdirTemp("", "dream")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	var scores []float64
	err = torch.Scoped(func(root *torch.Scope) error {
		init, err := root.NewGenerator(torch.CPU, 1)
		if err != nil {
			return err
		}
		det, err := tigas.Embedded(root, tigas.OpenOptions{})
		if err != nil {
			return err
		}
		term := tigas.Term{Detector: det, Weight: sched.Constant{Value: 1},
			Options: tigas.LossOptions{Range: tigas.Symmetric, Form: tigas.Log}}
		out, err := checkpoint.Create(filepath.Join(dir, "dream"))
		if err != nil {
			return err
		}
		loader, err := data.NewLoader(data.NewDemo(dreamSize, false), data.LoaderOptions{ // for the grid of real pictures
			Batch: dreamBatch, Transform: data.Transform{Resolution: dreamSize}})
		if err != nil {
			return err
		}
		return trainers.Run(context.Background(), newDream(root, init, term), trainers.RunOptions{
			Kimg: 0.08, TickKimg: 0.016, SnapKimg: 1, Grid: 2, Loader: loader, Out: out,
			Console: &monitor.Console{W: os.Stderr, Quiet: true},
			OnTick: func(t monitor.Tick) {
				score, _ := t.Value("score")
				scores = append(scores, score)
			},
		})
	})
	fmt.Println("the score rose:", scores[len(scores)-1] > scores[0], err)
	// Output: the score rose: true <nil>
}
