package trainers_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// The generator of a run as TorchScript, which any program with libtorch can load, Python too.
func ExampleExportGAN() {
	root := torch.NewScope()
	defer root.Close()
	o := trainers.DefaultGANOptions()
	o.Latent, o.GenWidth, o.CriticWidth = 16, 4, 4 // of a size for an example
	gan, err := trainers.NewGAN(root, nil, o, torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	weights := map[string]*torch.Tensor{} // or those of checkpoint.Load
	for name, t := range gan.Tensors() {
		weights[name] = t
	}
	e, err := trainers.ExportGAN(root, gan.Options(), weights, torch.CPU, trainers.Which{}) // the averaged generator
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := e.TorchScript(root)
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := m.Bytes() // or m.Save
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := jit.LoadBytes(root, file, torch.CPU, "generator.pt")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(again.ForwardTensor(root.Randn(nil, []int64{3, 16})).Shape())
	for name, t := range e.Tensors() {
		fmt.Println(name, t.Shape()) // the first one; names are those of PyTorch's state dict
		break
	}
	// Output:
	// [3 3 32 32]
	// main.0.weight [16 16 4 4]
}

// A VAE has methods for both ways.
func ExampleExportVAE() {
	root := torch.NewScope()
	defer root.Close()
	o := trainers.DefaultVAEOptions()
	o.Resolution, o.Latent, o.Width = 16, 8, 4
	vae, err := trainers.NewVAE(root, nil, o, torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	weights := map[string]*torch.Tensor{}
	for name, t := range vae.Tensors() {
		weights[name] = t
	}
	e, err := trainers.ExportVAE(root, o, weights, torch.CPU, trainers.Which{})
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := e.TorchScript(root)
	if err != nil {
		fmt.Println(err)
		return
	}
	latents := m.MustCall("encode", root.Zeros([]int64{5, 3, 16, 16})).(jit.Tuple) // means, logarithms of variances
	fmt.Println(latents[0], m.MustCall("decode", latents[0]))
	// Output: float32[5 8] cpu float32[5 3 16 16] cpu
}

// The network of a diffusion model takes noisy images and their timesteps; sampling is the caller's.
func ExampleExportDiffusion() {
	root := torch.NewScope()
	defer root.Close()
	o := trainers.DefaultDiffusionOptions()
	o.Resolution = 16
	o.UNet = models.UNetConfig{Resolution: 16, Channels: []int{8, 8}, Blocks: 1, Groups: 4}
	d, err := trainers.NewDiffusion(root, nil, o, torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	weights := map[string]*torch.Tensor{}
	for name, t := range d.Tensors() {
		weights[name] = t
	}
	e, err := trainers.ExportDiffusion(root, o, weights, torch.CPU, trainers.Which{Raw: true}) // not the average
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := e.TorchScript(root)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.MustCall("forward", root.Randn(nil, []int64{5, 3, 16, 16}), root.Arange(0, 5)))
	// Output: float32[5 3 16 16] cpu
}

// The discriminator of a StyleGAN, in place of its generator.
func ExampleExportStyleGAN() {
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
	weights := map[string]*torch.Tensor{}
	for name, t := range g.Tensors() {
		weights[name] = t
	}
	e, err := trainers.ExportStyleGAN(root, o, weights, torch.CPU, trainers.Which{Critic: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := e.TorchScript(root)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.ForwardTensor(root.Zeros([]int64{8, 3, 16, 16})).Shape())
	// Output: [8]
}
