package torch_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// A gradient penalty: the gradient of the critic with respect to images is differentiated again.
func ExampleSecondOrder() {
	err := torch.Scoped(func(s *torch.Scope) error {
		images := s.Ones([]int64{1, 1, 2, 2}).RequiresGrad(true)
		weight := s.Full([]int64{1, 1, 2, 2}, 0.5).RequiresGrad(true)
		var score *torch.Tensor
		torch.SecondOrder(func() { score = images.Conv2d(weight, nil, torch.ConvOptions{}) })
		slope := torch.Grad(score.Sum(), []*torch.Tensor{images}, torch.GradOptions{CreateGraph: true})[0]
		penalty := slope.Square().Sum()
		fmt.Println(penalty.Float64(), torch.Grad(penalty, []*torch.Tensor{weight}, torch.GradOptions{})[0].Float32s())
		return nil
	})
	fmt.Println(err)
	// Output:
	// 1 [1 1 1 1]
	// <nil>
}
