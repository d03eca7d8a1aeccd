// Command custom-trainer is a training loop of its own, a hinge GAN on the demo pictures, with the TIGAS term in its loss.
// The term takes pkg/tigas and no more, see generatorLoss; networks, optimisers and pictures could be anybody's.
package main

import (
	"context"
	"log"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// networks are a generator [N, 64, 1, 1] -> [N, 3, 32, 32] in [-1, 1] and a critic of such images.
func networks(root *torch.Scope) (g, d nn.Sequential) {
	b := nn.Builder{Scope: root.Child()}
	half := nn.Conv2dOptions{Stride: 2, Padding: 1}
	g = nn.Sequential{nn.NewConvTranspose2d(b, 64, 64, 4, nn.Conv2dOptions{}), nn.ReLU, // 4 x 4
		nn.NewConvTranspose2d(b, 64, 32, 4, half), nn.ReLU, nn.NewConvTranspose2d(b, 32, 16, 4, half), nn.ReLU,
		nn.NewConvTranspose2d(b, 16, 3, 4, half), nn.Tanh}
	d = nn.Sequential{nn.NewConv2d(b, 3, 16, 4, half), nn.LeakyReLU(0.2), nn.NewConv2d(b, 16, 32, 4, half), nn.LeakyReLU(0.2),
		nn.NewConv2d(b, 32, 1, 8, nn.Conv2dOptions{})}
	b.Scope.Seal() // results belong into the scope of a step
	return g, d
}

// generatorLoss adds the TIGAS term, weight * (1 - mean score), to any loss of images in [-1, 1].
func generatorLoss(adversarial, fake *torch.Tensor, det *tigas.Detector, weight float64) (loss, score *torch.Tensor) {
	term, score := det.Loss(fake, tigas.LossOptions{Range: tigas.Symmetric})
	return adversarial.Add(term.MulScalar(weight)), score
}

// train returns the mean score of the generated images of each step.
func train(root *torch.Scope, det *tigas.Detector, loader *data.Loader, steps int, weight float64) (scores []float64, err error) {
	g, d := networks(root)
	paramsG, paramsD := nn.ParamList(g), nn.ParamList(d)
	adam := optim.AdamOptions{LR: 5e-4, Beta1: 0.5}
	optG, optD := optim.NewAdam(root, paramsG, adam), optim.NewAdam(root, paramsD, adam)
	for batch, err := range loader.Batches(context.Background()) {
		if err != nil || len(scores) == steps {
			return scores, err
		}
		warmup := min(1, 5*float64(len(scores))/float64(steps)) // a fifth of the run
		err = root.Scoped(func(s *torch.Scope) error {          // frees all of the step, and returns an error of libtorch
			real := torch.FromSlice(s, batch.Pixels, int64(batch.N), 3, 32, 32).To(torch.Float32).DivScalar(127.5).SubScalar(1)
			fake := g.Forward(s.Randn(nil, []int64{int64(batch.N), 64, 1, 1}))
			lossD := d.Forward(real).RSubScalar(1).ReLU().Mean().Add(d.Forward(fake.Detach()).AddScalar(1).ReLU().Mean())
			optD.Step(torch.Grad(lossD, paramsD, torch.GradOptions{}))
			loss, score := generatorLoss(d.Forward(fake).Mean().Neg(), fake, det, weight*warmup)
			optG.Step(torch.Grad(loss, paramsG, torch.GradOptions{}))
			scores = append(scores, score.Float64())
			return nil
		})
		if err != nil {
			return scores, err
		}
	}
	return scores, nil
}

func main() {
	torch.RetainHostMemory() // or each step gets its memory from the system anew
	root := torch.NewScope()
	defer root.Close()
	det := must(tigas.Embedded(root, tigas.OpenOptions{})) // tigas.Open(root, "tigas.pt", ...) for pictures of your own
	loader := must(data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: 16, Transform: data.Transform{Resolution: 32}}))
	scores := must(train(root, det, loader, 1000, 0.1))
	log.Printf("mean score: from %.3f to %.3f in %d steps", scores[0], scores[len(scores)-1], len(scores))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
