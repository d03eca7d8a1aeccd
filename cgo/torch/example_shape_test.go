package torch_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

func ExampleTensor_reductions() {
	s := torch.NewScope()
	defer s.Close()
	x := s.FromFloat32s([]float32{1, 2, 3, 4, 5, 9}, 2, 3)
	fmt.Println(x.Sum().Float64(), x.Mean().Float64(), x.Min().Float64(), x.Max().Float64())
	rows, columns := []int64{1}, []int64{0} // the dimensions that go away
	fmt.Println(x.SumDim(rows, false).Float32s(), x.MeanDim(columns, false).Float32s())
	fmt.Println(x.AMax(rows, true), x.AMax(rows, false).Float32s(), x.AMin(columns, false).Float32s())
	fmt.Printf("%.2f %.2f\n", x.VarDim(rows, true, false).Float32s(), x.VarDim(columns, false, false).Float32s()) // by N-1, and by N
	fmt.Println(s.FromFloat32s([]float32{-1, 1, -1, 1}).Std(false).Float64(), s.FromFloat32s([]float32{3, 4}).Norm().Float64())
	// Output:
	// 24 4 1 9
	// [6 18] [2.5 3.5 6]
	// float32[2 1] cpu [3 9] [1 2 3]
	// [1.00 7.00] [2.25 2.25 9.00]
	// 1 5
}

// Softmax makes probabilities of logits. Its logarithm is computed at once, so that a small one does not become -Inf.
func ExampleTensor_Softmax() {
	s := torch.NewScope()
	defer s.Close()
	logits := s.FromFloat32s([]float32{0, 1000, 0, 0}, 2, 2)
	fmt.Println(logits.Softmax(1).Float32s())
	fmt.Printf("%.4f\n", logits.LogSoftmax(1).Float32s())
	// Output:
	// [0 1 0.5 0.5]
	// [-1000.0000 0.0000 -0.6931 -0.6931]
}

// The order of things, and what is at given places.
func ExampleTensor_sorting() {
	s := torch.NewScope()
	defer s.Close()
	x := s.FromFloat32s([]float32{3, 1, 2, 4, 6, 5}, 2, 3)
	values, order := x.SortValues(1, false)
	fmt.Println(values.Float32s(), torch.Slice[int64](order))
	fmt.Println(torch.Slice[int64](x.Argsort(1, true)), torch.Slice[int64](x.Argmax(1)))
	fmt.Println(x.Gather(1, order).Float32s())                            // sorted again: one index for each element
	fmt.Println(x.IndexSelect(1, s.FromInt64s([]int64{2, 0})).Float32s()) // one for each column
	// Output:
	// [1 2 3 4 5 6] [1 2 0 0 2 1]
	// [0 2 1 1 2 0] [0 1]
	// [1 2 3 4 5 6]
	// [2 3 5 4]
}

// These share storage with their tensor where they can: nothing is copied, and what is written to one is seen in both.
func ExampleTensor_shapes() {
	s := torch.NewScope()
	defer s.Close()
	x := s.Arange(0, 24).Reshape(2, 3, -1) // the rest of 24
	fmt.Println(x.Shape(), x.Dim(), x.Size(1), x.Size(-1), x.Numel())
	fmt.Println(x.Flatten(1).Shape(), x.Unsqueeze(0).Shape(), x.Unsqueeze(0).Squeeze(0).Shape())
	fmt.Println(x.Transpose(0, 2).Shape(), x.Permute(1, 2, 0).Shape())
	row := s.Ones([]int64{1, 4})
	fmt.Println(row.Expand(3, 4).Shape(), row.ExpandAs(x).Shape())

	second := x.Select(0, 1)
	fmt.Println(second.Shape(), torch.Slice[int64](second.Narrow(0, 1, 2).Narrow(1, 0, 2)))
	second.Fill_(0)
	fmt.Println(x.Sum().Int64()) // 0 + 1 + ... + 11
	// Output:
	// [2 3 4] 3 3 4 24
	// [2 12] [1 2 3 4] [2 3 4]
	// [4 3 2] [3 4 2]
	// [3 4] [2 3 4]
	// [3 4] [16 17 20 21]
	// 66
}

// Cutting a batch and putting it together again.
func ExampleTensor_Split() {
	s := torch.NewScope()
	defer s.Close()
	x := s.Arange(0, 5)
	for _, part := range x.Split(2, 0) {
		fmt.Print(torch.Slice[int64](part), " ")
	}
	ones := x.Unbind(0)
	fmt.Println(len(ones), ones[4].Int64())

	a, b := s.FromInt64s([]int64{1, 2}), s.FromInt64s([]int64{3, 4})
	pair := []*torch.Tensor{a, b}
	fmt.Println(torch.Cat(pair, 0).Shape(), torch.Stack(pair, 0).Shape())
	fmt.Println(torch.Slice[int64](torch.Stack(pair, 1)))
	// Output:
	// [0 1] [2 3] [4] 5 4
	// [4] [2 2]
	// [1 3 2 4]
}

// Borders and mirrors. Numbers are for left and right of the last dimension first, then top and bottom.
func ExampleTensor_Pad() {
	s := torch.NewScope()
	defer s.Close()
	x := s.FromFloat32s([]float32{1, 2, 3})
	fmt.Println(x.Pad([]int64{1, 2}, 0).Float32s())
	image := x.Reshape(1, 1, 1, 3)
	fmt.Println(image.ReflectionPad2d([]int64{2, 1, 0, 0}).Float32s())
	err := torch.Try(func() { image.ReflectionPad2d([]int64{3, 0, 0, 0}) })
	fmt.Println(err != nil) // a mirror shows no more than there is
	fmt.Println(x.Flip(0).Float32s(), x.Roll([]int64{1}, []int64{0}).Float32s())
	// Output:
	// [0 1 2 3 0 0]
	// [3 2 1 2 3 2]
	// true
	// [3 2 1] [3 1 2]
}

// A transposed matrix has its elements in another order than they lie in memory; a copy puts them into a row.
func ExampleTensor_Contiguous() {
	s := torch.NewScope()
	defer s.Close()
	x := s.Ones([]int64{2, 3}).Transpose(0, 1)
	fmt.Println(x.Shape(), x.Strides(), x.IsContiguous())
	y := x.Contiguous()
	fmt.Println(y.Shape(), y.Strides(), y.IsContiguous())
	// Output:
	// [3 2] [1 3] false
	// [3 2] [2 1] true
}
