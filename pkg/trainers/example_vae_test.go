package trainers_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// A recipe that takes means in place of sums has another beta than it says: for 64 x 64 pixels and 128 dimensions 96 times
// as large.
func ExampleVAEOptions() {
	o := trainers.DefaultVAEOptions()
	fmt.Println(o.Reduction, o.Beta, o.EffectiveBeta(), o.Validate())
	o.Reduction = trainers.MeanReduction
	fmt.Println(o.Reduction, o.Beta, o.EffectiveBeta(), o.Validate())
	o.TermOn = "decoded"
	fmt.Println(o.Validate())
	o.TermOn = trainers.TermOnPrior // what the VAE will be asked for, beside TermOnReconstructions and TermOnBoth
	fmt.Println(o.Validate())
	// Output:
	// sum 1 1 <nil>
	// mean 1 96 <nil>
	// trainers: --tigas-on: got "decoded" vs recon, prior or both
	// <nil>
}

// A VAE draws pictures from latents and makes pictures from pictures. It is ready for [trainers.Run], which shows both.
func ExampleNewVAE() {
	root := torch.NewScope()
	defer root.Close()
	o := trainers.DefaultVAEOptions()
	o.Resolution, o.Latent, o.Width = 32, 8, 4 // of a size for an example
	vae, err := trainers.NewVAE(root, nil, o, torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(vae.Objective())
	images, err := vae.Sample(context.Background(), trainers.DrawLatents(root, vae, nil, 4, torch.CPU))
	fmt.Println(vae.LatentShape(), images.Shape(), err)
	var r trainers.Reconstructor = vae
	fmt.Println(r.Reconstruct(root.Zeros([]int64{2, 3, 32, 32})).Shape())
	// Output:
	// mse + 1 * KL, sum over values and dimensions
	// [8] [4 3 32 32] <nil>
	// [2 3 32 32]
}

// The network of a run, from the tensors of its snapshot. They must be those of the same options.
func ExampleLoadVAE() {
	root := torch.NewScope()
	defer root.Close()
	o := trainers.DefaultVAEOptions()
	o.Resolution, o.Latent, o.Width = 32, 8, 4
	vae, err := trainers.NewVAE(root, nil, o, torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	tensors := map[string]*torch.Tensor{}
	for name, t := range vae.Tensors() {
		tensors[name] = t
	}
	again, err := trainers.LoadVAE(root, o, tensors, torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	x := root.Zeros([]int64{1, 3, 32, 32})
	fmt.Printf("%.3f\n", again.Reconstruct(x).Sub(vae.Reconstruct(x)).Abs().Max().Float64())
	o.Latent = 9
	_, err = trainers.LoadVAE(root, o, tensors, torch.CPU)
	fmt.Println(strings.Contains(err.Error(), "shape"))
	// Output:
	// 0.000
	// true
}
