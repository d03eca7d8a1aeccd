package models_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// A generator's two parts, as a trainer calls them: styles of two batches of latents, mixed, and images with new noise.
func ExampleNewStyleGAN2() {
	root := torch.NewScope()
	defer root.Close()
	b := nn.Builder{Scope: root.Child()}
	g, d, err := models.NewStyleGAN2(b, models.DemoStyleConfig(32))
	if err != nil {
		fmt.Println(err)
		return
	}
	b.Scope.Seal()
	err = root.Scoped(func(s *torch.Scope) error {
		w := g.Mapping.Forward(s.Randn(nil, []int64{4, 64}))
		g.Mapping.UpdateAverage(w, models.StyleAverageDecay)
		other := g.Mapping.Forward(s.Randn(nil, []int64{4, 64}))
		cut := models.RandomCuts(s, nil, 1, g.Synthesis.NumStyles(), 0.9, torch.CPU)
		ws := models.MixStyles(g.Synthesis.Broadcast(w), g.Synthesis.Broadcast(other), cut)
		images := g.Synthesis.Forward(ws, models.RandomNoise(nil))
		fmt.Println(ws, images, d.Forward(images))
		return nil
	})
	fmt.Println(err)
	_, _, err = models.NewStyleGAN2(b, models.StyleConfig{Resolution: 100})
	fmt.Println(err)
	// Output:
	// float32[4 8 64] cpu float32[4 3 32 32] cpu float32[4] cpu
	// <nil>
	// models: stylegan2: got resolution 100 vs a power of two from 8 to 1024
}

// Samples nearer to the mean image: all layers moved 30 % of the way.
func ExampleStyleGenerator_Sample() {
	root := torch.NewScope()
	defer root.Close()
	b := nn.Builder{Scope: root.Child()}
	g, err := models.NewStyleGenerator(b, models.DemoStyleConfig(16))
	if err != nil {
		fmt.Println(err)
		return
	}
	b.Scope.Seal()
	err = root.Scoped(func(s *torch.Scope) error {
		torch.NoGrad(func() { fmt.Println(g.Sample(s.Randn(nil, []int64{2, 64}), 0.7, -1, models.StyleNoise{})) })
		return nil
	})
	fmt.Println(err)
	// Output:
	// float32[2 3 16 16] cpu
	// <nil>
}
