package trainers_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// Whether a snapshot is of these networks can be asked before anything is changed.
func ExampleFits() {
	root := torch.NewScope()
	defer root.Close()
	o := trainers.DefaultVAEOptions()
	o.Resolution, o.Latent, o.Width = 16, 4, 8
	vae, err := trainers.NewVAE(root, nil, o, torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	weights := map[string]*torch.Tensor{}
	for name, t := range vae.Tensors() {
		weights[name] = t
	}
	fmt.Println(trainers.Fits(vae, weights))
	weights["VAE.fc_mu.bias"] = root.Zeros([]int64{8})
	fmt.Println(trainers.Fits(vae, weights))
	// Output:
	// <nil>
	// VAE.fc_mu.bias: got shape [8] vs [4]
}

// The distances that a run takes where none are given.
func ExampleRunOptions_Resolve() {
	o := trainers.RunOptions{Kimg: 1000}.Resolve()
	fmt.Println(o.TickKimg, o.SnapKimg, o.SaveKimg, o.Grid)
	// Output: 4 125 125 8
}
