package nn_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// Classifier is a module of one's own: a struct with modules in it.
type Classifier struct {
	Features nn.Sequential
	Head     *nn.Linear `torch:"fc"`
}

func (c *Classifier) Forward(x *torch.Tensor) *torch.Tensor {
	return c.Head.Forward(c.Features.Forward(x).Flatten(1))
}

func Example() {
	root := torch.NewScope()
	defer root.Close()
	b := nn.Builder{Scope: root.Child()}
	net := &Classifier{
		Features: nn.Sequential{
			nn.NewConv2d(b, 3, 4, 3, nn.Conv2dOptions{Stride: 2, Padding: 1}), nn.NewBatchNorm2d(b, 4), nn.ReLU,
		},
		Head: nn.NewLinear(b, 4*4*4, 10),
	}
	b.Scope.Seal()
	err := root.Scoped(func(step *torch.Scope) error {
		y := net.Forward(step.Randn(nil, []int64{2, 3, 8, 8}))
		fmt.Println(y)
		return nil
	})
	fmt.Println(err, nn.CountParams(net))
	for name, t := range nn.StateDict(net) {
		fmt.Println(name, t.Shape())
	}
	// Output:
	// float32[2 10] cpu
	// <nil> 770
	// features.0.weight [4 3 3 3]
	// features.0.bias [4]
	// features.1.weight [4]
	// features.1.bias [4]
	// features.1.running_mean [4]
	// features.1.running_var [4]
	// features.1.num_batches_tracked []
	// fc.weight [10 64]
	// fc.bias [10]
}

func ExampleLoad() {
	root := torch.NewScope()
	defer root.Close()
	l := nn.NewLinear(nn.Builder{Scope: root}, 2, 1)
	err := nn.Load(l, map[string]*torch.Tensor{"weight": root.Ones([]int64{2, 1})}, false)
	fmt.Println(err)
	// Output:
	// nn: load: the state dict does not fit the module: 1 missing (bias), 1 misshapen (weight: got [2 1] vs [1 2])
}
