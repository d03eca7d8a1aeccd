package torch_test

import (
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// A kernel of 2 x 2 ones sums each window. Layers with weights are in package nn; these are the functions under them.
func ExampleTensor_Conv2d() {
	s := torch.NewScope()
	defer s.Close()
	x := s.Arange(1, 10, torch.Options{DType: torch.Float32}).Reshape(1, 1, 3, 3)
	kernel, bias := s.Ones([]int64{1, 1, 2, 2}), s.Full([]int64{1}, 100)
	fmt.Println(x.Conv2d(kernel, nil, torch.ConvOptions{}).Float32s())
	fmt.Println(x.Conv2d(kernel, bias, torch.ConvOptions{Stride: 2, Padding: 1}).Float32s())
	// Output:
	// [12 16 24 28]
	// [101 105 111 128]
}

// The transpose of a convolution makes images larger, as generators do: a kernel of 4 with stride 2 and padding 1 doubles
// them.
func ExampleTensor_ConvTranspose2d() {
	s := torch.NewScope()
	defer s.Close()
	x := s.Ones([]int64{1, 8, 16, 16})
	w := s.Ones([]int64{8, 4, 4, 4}) // [in, out, height, width]
	fmt.Println(x.ConvTranspose2d(w, nil, torch.ConvOptions{Stride: 2, Padding: 1}).Shape())
	// Output: [1 4 32 32]
}

func ExampleTensor_Linear() {
	s := torch.NewScope()
	defer s.Close()
	x := s.FromFloat32s([]float32{1, 2, 3, 4}, 2, 2)
	w, b := s.FromFloat32s([]float32{10, 1}, 1, 2), s.FromFloat32s([]float32{0.5})
	fmt.Println(x.Linear(w, b).Float32s(), x.Linear(w, nil).Float32s())
	// Output: [12.5 34.5] [12 34]
}

// Each of them takes the mean off and divides by the standard deviation; they differ in what these are taken over.
func ExampleTensor_normalisation() {
	s := torch.NewScope()
	defer s.Close()
	x := s.FromFloat32s([]float32{0, 2, 4, 8}, 2, 2, 1, 1) // two images with two channels of one pixel
	batch := x.BatchNorm(nil, nil, nil, nil, true, 0.1, 0) // each channel over the batch
	layer := x.LayerNorm([]int64{2, 1, 1}, nil, nil, 0)    // each image
	group := x.GroupNorm(1, nil, nil, 0)                   // each image, in one group of channels
	fmt.Printf("%.0f\n", batch.Float32s())
	fmt.Printf("%.0f\n", layer.Float32s())
	fmt.Printf("%.0f\n", group.Float32s())

	mean, variance := s.Zeros([]int64{2}), s.Ones([]int64{2}) // running statistics, moved half way
	x.BatchNorm(nil, nil, mean, variance, true, 0.5, 0)
	fmt.Printf("%.1f %.1f\n", mean.Float32s(), variance.Float32s())
	// Output:
	// [-1 -1 1 1]
	// [-1 1 -1 1]
	// [-1 1 -1 1]
	// [1.0 2.5] [4.5 9.5]
}

// Outside of training dropout does nothing. In training the mean stays what it is.
func ExampleTensor_Dropout() {
	s := torch.NewScope()
	defer s.Close()
	x := s.Ones([]int64{10_000})
	y := x.Dropout(0.5, true)
	fmt.Println(y.Min().Float64(), y.Max().Float64(), math.Abs(y.Mean().Float64()-1) < 0.1)
	fmt.Println(x.Dropout(0.5, false).Min().Float64())
	// Output:
	// 0 2 true
	// 1
}

// Making images smaller and larger.
func ExampleTensor_Resize() {
	s := torch.NewScope()
	defer s.Close()
	x := s.FromFloat32s([]float32{0, 0, 4, 8}, 1, 1, 1, 4)
	square := x.Expand(1, 1, 4, 4)
	fmt.Println(square.AvgPool2d(2).Float32s(), square.MaxPool2d(2).Float32s())
	fmt.Println(x.Narrow(3, 2, 2).UpsampleNearest2d(1, 4).Float32s(), x.Narrow(3, 2, 2).Resize(1, 4, false).Float32s())

	// Shrunk to a quarter by sampling, most pixels have no part in the result, and no gradient; antialiased, all have.
	for _, antialias := range []bool{false, true} {
		x := s.Ones([]int64{1, 1, 16, 16}).RequiresGrad(true)
		g := torch.Grad(x.Resize(4, 4, antialias).Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0]
		fmt.Println(g.GtScalar(0).Sum().Int64(), "of", g.Numel())
	}
	// Output:
	// [0 6 0 6] [0 8 0 8]
	// [4 4 8 8] [4 5 7 8]
	// 64 of 256
	// 256 of 256
}

// Losses are means over all elements.
func ExampleTensor_losses() {
	s := torch.NewScope()
	defer s.Close()
	x, target := s.FromFloat32s([]float32{0, 3}), s.FromFloat32s([]float32{1, 1})
	fmt.Println(x.MSE(target).Float64(), x.L1(target).Float64())
	fmt.Println(x.SmoothL1(target, 1).Float64()) // (1/2 + (2 - 1/2)) / 2

	// A logit of 0 is a probability of 1/2, whose cross-entropy is log 2; a large one does not overflow.
	logits := s.FromFloat32s([]float32{0, 1000})
	fmt.Printf("%.4f\n", logits.BCEWithLogits(target).MulScalar(2).Float64())
	// Output:
	// 2.5 1.5
	// 1
	// 0.6931
}
