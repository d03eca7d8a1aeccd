package models_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

func ExampleNewUNet() {
	root := torch.NewScope()
	defer root.Close()
	config, err := models.UNetPreset("demo", 32)
	if err != nil {
		fmt.Println(err)
		return
	}
	b := nn.Builder{Scope: root.Child()}
	unet, err := models.NewUNet(b, config)
	if err != nil {
		fmt.Println(err)
		return
	}
	b.Scope.Seal()
	err = root.Scoped(func(s *torch.Scope) error {
		noisy := s.Randn(nil, []int64{4, 3, 32, 32})
		fmt.Println(unet.Forward(noisy, s.FromInt64s([]int64{0, 10, 500, 999})))
		return nil
	})
	fmt.Println(nn.CountParams(unet), "parameters,", err)
	config.Channels[1] = 102
	_, err = models.NewUNet(b, config)
	fmt.Println(err)
	// Output:
	// float32[4 3 32 32] cpu
	// 637787 parameters, <nil>
	// models: unet: got 102 of channels [8 102 32 64] vs multiples of the 4 groups
}
