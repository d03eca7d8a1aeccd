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
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// picture is a family of one picture, which is to be like all others on average, and real: its step leaves the update, and what
// happens to gradients that are not finite, to the loop.
type picture struct {
	x    *torch.Tensor // [3, 32, 32]
	opt  optim.Optimizer
	term tigas.Term
}

func (p *picture) Step(st *trainers.Step) error {
	real, err := st.Real()
	if err != nil {
		return err
	}
	image := st.Scope.Use(p.x).Unsqueeze(0).Tanh()
	loss := st.Term("mse", image.Sub(real).Square().Mean())
	if a := st.Apply(&p.term, image, nil); a.Loss != nil { // weighted by the schedule, and logged
		loss = loss.Add(a.Loss)
	}
	return st.Update("x", p.opt, []*torch.Tensor{p.x}, loss)
}

func (p *picture) LatentShape() []int64 { return []int64{1} }
func (p *picture) Sample(_ context.Context, z *torch.Tensor) (images *torch.Tensor, err error) {
	torch.NoGrad(func() { images = z.Scope().Use(p.x).Tanh().Expand(z.Size(0), 3, 32, 32) })
	return images, nil
}
func (p *picture) Tensors() iter.Seq2[string, *torch.Tensor] {
	return func(yield func(string, *torch.Tensor) bool) { yield("x", p.x) }
}
func (p *picture) TIGAS() tigas.Term { return p.term }
func (p *picture) Optimizers() []trainers.NamedOptimizer {
	return []trainers.NamedOptimizer{{Name: "x", Optimizer: p.opt}}
}

// run trains p, changed by wrap, for ten steps, and returns the names of what was logged.
func (p *picture) run(wrap func(*picture) trainers.Family, o trainers.RunOptions) (seen map[string]bool, err error) {
	dir, err := os.MkdirTemp("", "picture")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	seen = map[string]bool{}
	err = torch.Scoped(func(root *torch.Scope) error {
		det, err := tigas.Embedded(root, tigas.OpenOptions{})
		if err != nil {
			return err
		}
		own := root.Child()
		p.x = own.Zeros([]int64{3, 32, 32}).RequiresGrad(true)
		own.Seal()
		p.opt = optim.NewAdam(root, []*torch.Tensor{p.x}, optim.AdamOptions{LR: 0.1, Beta1: 0.9})
		p.term = tigas.Term{Detector: det, Weight: sched.Constant{Value: 0.1}, Options: tigas.LossOptions{Range: tigas.Symmetric}}
		if o.Loader, err = data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: 8, Transform: data.Transform{Resolution: 32}}); err != nil {
			return err
		}
		if o.Out, err = checkpoint.Create(filepath.Join(dir, "run")); err != nil {
			return err
		}
		o.Kimg, o.Grid, o.Console = 0.08, 1, &monitor.Console{Quiet: true, W: os.Stderr}
		o.OnTick = func(t monitor.Tick) {
			for _, v := range t.Values {
				seen[v.Name] = true
			}
		}
		return trainers.Run(context.Background(), wrap(p), o)
	})
	return seen, err
}

func ExampleStep_Update() {
	seen, err := (&picture{}).run(func(p *picture) trainers.Family { return p }, trainers.RunOptions{})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(seen["mse"], seen["tigas"], seen["score"], seen["x_grad_norm"])
	// Output: true true true true
}
