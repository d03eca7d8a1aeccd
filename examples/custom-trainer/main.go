// Command custom-trainer is a training loop of its own, a hinge GAN on the demo pictures, with the TIGAS term in its loss.
package main

import (
	"context"
	"log"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// networks are a generator [N, 64, 1, 1] -> [N, 3, 32, 32] in [-1, 1] and a critic of such images.
func networks(root *torch.Scope) (g, d nn.Sequential) {
	b := nn.Builder{Scope: root.Child()}
	up := nn.Conv2dOptions{Stride: 2, Padding: 1}
	g = nn.Sequential{nn.NewConvTranspose2d(b, 64, 64, 4, nn.Conv2dOptions{}), nn.ReLU, nn.NewConvTranspose2d(b, 64, 32, 4, up), nn.ReLU,
		nn.NewConvTranspose2d(b, 32, 16, 4, up), nn.ReLU, nn.NewConvTranspose2d(b, 16, 3, 4, up), nn.Tanh}
	d = nn.Sequential{nn.NewConv2d(b, 3, 16, 4, up), nn.LeakyReLU(0.2), nn.NewConv2d(b, 16, 32, 4, up), nn.LeakyReLU(0.2),
		nn.NewConv2d(b, 32, 1, 8, nn.Conv2dOptions{})}
	b.Scope.Seal() // results belong into the scope of a step
	return g, d
}

// generatorLoss is the adversarial loss plus the term, which is weighted by its schedule and absent where that is 0.
func generatorLoss(g, d nn.Sequential, term *tigas.Term, p sched.Progress, z *torch.Tensor) (loss, score *torch.Tensor) {
	fake := g.Forward(z)
	loss = d.Forward(fake).Mean().Neg()
	if a := term.Apply(p, fake); a.Loss != nil {
		loss, score = loss.Add(a.Loss), a.Score
	}
	return loss, score
}

// train returns the mean score of each step that the term is part of.
func train(root *torch.Scope, det *tigas.Detector, loader *data.Loader, steps int64, weight float64) (scores []float64, err error) {
	g, d := networks(root)
	ofG, ofD := nn.ParamList(g), nn.ParamList(d)
	optG := optim.NewAdam(root, ofG, optim.AdamOptions{LR: 5e-4, Beta1: 0.5})
	optD := optim.NewAdam(root, ofD, optim.AdamOptions{LR: 5e-4, Beta1: 0.5})
	warmup := sched.Linear{To: weight, Over: sched.Span{N: float64(steps) / 5, Unit: sched.Step}}
	term := &tigas.Term{Detector: det, Weight: warmup, Options: tigas.LossOptions{Range: tigas.Symmetric}}
	hinge := func(x *torch.Tensor) *torch.Tensor { return x.AddScalar(1).ReLU().Mean() }
	var p sched.Progress
	for b, err := range loader.Batches(context.Background()) {
		if err != nil || p.Step == steps {
			return scores, err
		}
		err = root.Scoped(func(s *torch.Scope) error { // everything of a step is freed with it; an error of libtorch is returned
			real := torch.FromSlice(s, b.Pixels, int64(b.N), 3, 32, 32).To(torch.Float32).DivScalar(127.5).AddScalar(-1)
			z := s.Randn(nil, []int64{int64(b.N), 64, 1, 1})
			lossD := hinge(d.Forward(real).Neg()).Add(hinge(d.Forward(g.Forward(z).Detach())))
			optD.Step(torch.Grad(lossD, ofD, torch.GradOptions{}))
			loss, score := generatorLoss(g, d, term, p, z)
			optG.Step(torch.Grad(loss, ofG, torch.GradOptions{}))
			if score != nil {
				scores = append(scores, score.Float64())
			}
			return nil
		})
		if p.Step++; err != nil {
			return scores, err
		}
	}
	return scores, nil
}

func main() {
	root := torch.NewScope()
	defer root.Close()
	det := must(tigas.Embedded(root, tigas.OpenOptions{})) // or tigas.Open(root, "tigas.pt", ...) for pictures of your own
	loader := must(data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: 16, Transform: data.Transform{Resolution: 32}}))
	scores := must(train(root, det, loader, 1000, 0.1))
	log.Printf("mean score of %d steps: from %.3f to %.3f", len(scores), scores[0], scores[len(scores)-1])
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
