package trainers_test

import (
	"context"
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// The configurations of StyleGAN2-ADA by name. "auto" follows the resolution, with a gamma of 0.0002 · 256² / 16 here.
func ExampleStylePreset() {
	fmt.Println(trainers.StylePresets)
	o, err := trainers.StylePreset("auto", 256, 16)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("gamma %.3f batch %d learning rates %g %g %v\n", o.Gamma, o.Batch, o.GenLR, o.CriticLR, o.Validate())
	_, err = trainers.StylePreset("stylegan3", 256, 16)
	fmt.Println(err)
	// Output:
	// [auto stylegan2 paper256 paper512 paper1024 cifar]
	// gamma 0.819 batch 16 learning rates 0.0025 0.0025 <nil>
	// trainers: --cfg: got "stylegan3" vs one of auto, stylegan2, paper256, paper512, paper1024, cifar
}

// A StyleGAN2 with small networks, ready for [trainers.Run].
func ExampleNewStyleGAN() {
	root := torch.NewScope()
	defer root.Close()
	o, err := trainers.StylePreset("auto", 16, 4)
	if err != nil {
		fmt.Println(err)
		return
	}
	o.Net = models.StyleConfig{Resolution: 16, Latent: 8, StyleDim: 8, MappingLayers: 1, ChannelBase: 64, ChannelMax: 8}
	o.Augment = "color,translation"
	g, err := trainers.NewStyleGAN(root, nil, o, torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(g.Objective())
	images, err := g.Sample(context.Background(), trainers.DrawLatents(root, g, nil, 2, torch.CPU))
	fmt.Println(images.Shape(), err)
	// Output:
	// nonsaturating, R1 0.0128 every 16, path length 2 every 4, DiffAugment color,translation
	// [2 3 16 16] <nil>
}

// Pictures of a trained StyleGAN: truncated to 0 all are the one of the mean style; a walk between styles is smoother than
// one between latents.
func ExampleLoadStyleGAN() {
	root := torch.NewScope()
	defer root.Close()
	o, err := trainers.StylePreset("auto", 16, 4)
	if err != nil {
		fmt.Println(err)
		return
	}
	o.Net = models.StyleConfig{Resolution: 16, Latent: 8, StyleDim: 8, MappingLayers: 1, ChannelBase: 64, ChannelMax: 8}
	g, err := trainers.NewStyleGAN(root, nil, o, torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	tensors := map[string]*torch.Tensor{}
	for name, t := range g.Tensors() {
		tensors[name] = t
	}
	m, err := trainers.LoadStyleGAN(root, o, tensors, torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	z := trainers.DrawLatents(root, m, nil, 2, torch.CPU)
	for _, m.Trunc = range []float64{0, 1} {
		images, err := m.Sample(context.Background(), z)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(images.Select(0, 0).Sub(images.Select(0, 1)).Abs().Max().Float64() > 1e-3)
	}
	walk := trainers.StyleWalk(m.Styles(z), 6) // through the styles [2, layers, D]
	fmt.Println(m.LatentShape(), m.Synthesize(walk).Shape())
	// Output:
	// false
	// true
	// [8] [6 3 16 16]
}
