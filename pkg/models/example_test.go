package models_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

func ExampleNewGAN() {
	root := torch.NewScope()
	defer root.Close()
	b := nn.Builder{Scope: root.Child()}
	gan, err := models.NewGAN(b, "dcgan", models.Config{Resolution: 32, Latent: 64, Ngf: 8, Ndf: 8})
	if err != nil {
		fmt.Println(err)
		return
	}
	b.Scope.Seal()
	err = root.Scoped(func(s *torch.Scope) error {
		images := gan.Generator.Forward(s.Randn(nil, []int64{4, 64}))
		fmt.Println(images, gan.Critic.Forward(images))
		return nil
	})
	fmt.Println(err)
	_, err = models.NewGAN(b, "dcgan", models.Config{Resolution: 100})
	fmt.Println(err)
	// Output:
	// float32[4 3 32 32] cpu float32[4] cpu
	// <nil>
	// models: dcgan: got resolution 100 vs one of [32 64 128]
}
