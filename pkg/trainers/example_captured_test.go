package trainers_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// replayed is a picture whose step is a CUDA graph on a GPU, with its pass in the run's precision. What changes from step to step
// goes into the part as a tensor.
type replayed struct{ *picture }

func (r replayed) Step(st *trainers.Step) error {
	real, err := st.Real()
	if err != nil {
		return err
	}
	return st.Captured("x", []*torch.Tensor{real}, func(st *trainers.Step, in []*torch.Tensor) error {
		image := st.Autocast(func() *torch.Tensor { return st.Scope.Use(r.x).Unsqueeze(0).Tanh() })
		loss := st.Term("mse", image.Sub(in[0]).Square().Mean())
		return st.Update("x", r.opt, []*torch.Tensor{r.x}, loss)
	})
}

func ExampleStep_Captured() {
	fmt.Println(trainers.Precisions, trainers.GraphModes)
	var precision trainers.Precision
	var graphs trainers.GraphMode
	precision, err := trainers.ParsePrecision("bf16")
	if err == nil {
		graphs, err = trainers.ParseGraphMode("auto")
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	if err = precision.Switch(torch.CPU); err != nil { // of a GPU: TF32
		fmt.Println(err)
		return
	}
	seen, err := (&picture{}).run(func(p *picture) trainers.Family { return replayed{p} },
		trainers.RunOptions{Precision: precision, CUDAGraphs: graphs})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(precision.DType(), seen["mse"], seen["x_grad_norm"])
	// Output:
	// [fp32 tf32 bf16 fp16] [auto on off]
	// bfloat16 true true
}
