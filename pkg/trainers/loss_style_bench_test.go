package trainers

import (
	"fmt"
	"testing"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

// BenchmarkStyleGAN2 times the four updates of a StyleGAN2 step on the demo networks. A step is D + R1/16 + G + PL/4. The
// number of threads comes from OMP_NUM_THREADS, before the first operation.
func BenchmarkStyleGAN2(b *testing.B) {
	torch.RetainHostMemory()
	for _, batch := range []int64{16, 32} {
		root := torch.NewScope()
		gen, err := root.NewGenerator(torch.CPU, 1)
		if err != nil {
			b.Fatal(err)
		}
		build := nn.Builder{Scope: root.Child(), Generator: gen}
		g, d, err := models.NewStyleGAN2(build, models.DemoStyleConfig(32))
		if err != nil {
			b.Fatal(err)
		}
		build.Scope.Seal()
		gp, dp := nn.ParamList(g), nn.ParamList(d)
		gOpt := optim.NewAdam(root, gp, optim.AdamOptions{LR: 0.002, Beta2: 0.99})
		dOpt := optim.NewAdam(root, dp, optim.AdamOptions{LR: 0.002, Beta2: 0.99})
		styles := func(s *torch.Scope, n int64) *torch.Tensor {
			w := g.Mapping.Forward(s.Randn(gen, []int64{n, 64}))
			g.Mapping.UpdateAverage(w, models.StyleAverageDecay)
			other := g.Synthesis.Broadcast(g.Mapping.Forward(s.Randn(gen, []int64{n, 64})))
			cut := models.RandomCuts(s, gen, 1, g.Synthesis.NumStyles(), 0.9, torch.CPU)
			return models.MixStyles(g.Synthesis.Broadcast(w), other, cut)
		}
		noise := models.RandomNoise(gen)
		mean := root.Scalar(0)
		for _, part := range []struct {
			name string
			step func(s *torch.Scope)
		}{
			{"D", func(s *torch.Scope) {
				var fake *torch.Tensor
				torch.NoGrad(func() { fake = g.Synthesis.Forward(styles(s, batch), noise) })
				real := s.Randn(gen, []int64{batch, 3, 32, 32})
				loss := NonSaturatingCritic(d.Forward(real), d.Forward(fake))
				dOpt.Step(torch.Grad(loss, dp, torch.GradOptions{}))
			}},
			{"R1", func(s *torch.Scope) {
				loss := R1Penalty(d.Forward, s.Randn(gen, []int64{batch, 3, 32, 32}), 1)
				dOpt.Step(torch.Grad(loss, dp, torch.GradOptions{AllowUnused: true}))
			}},
			{"G", func(s *torch.Scope) {
				loss := NonSaturatingGenerator(d.Forward(g.Synthesis.Forward(styles(s, batch), noise)))
				gOpt.Step(torch.Grad(loss, gp, torch.GradOptions{}))
			}},
			{"PL", func(s *torch.Scope) {
				ws := styles(s, batch/2)
				images := g.Synthesis.Forward(ws, noise)
				penalty, _ := PathLengthPenalty(images, ws, s.Randn(gen, images.Shape()), s.Use(mean))
				gOpt.Step(torch.Grad(penalty, gp, torch.GradOptions{AllowUnused: true}))
			}},
		} {
			b.Run(fmt.Sprintf("batch%d/%s", batch, part.name), func(b *testing.B) {
				for b.Loop() {
					if err := root.Scoped(func(s *torch.Scope) error { part.step(s); return nil }); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		root.Close()
	}
}
