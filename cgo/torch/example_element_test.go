package torch_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// spread is the difference of the largest and the smallest number of a list, for each of the Go types that tensors are made
// from.
func spread[T torch.Element](list []T) float64 {
	s := torch.NewScope()
	defer s.Close()
	x := torch.FromSlice(s, list)
	return x.Max().To(torch.Float64).Sub(x.Min()).Float64()
}

// A function of one's own for every type of elements.
func ExampleElement() {
	fmt.Println(spread([]float32{1, -2, 0.5}), spread([]uint8{3, 250}), spread([]torch.BF16{0x3f80, 0x4000})) // 1 and 2
	// Output: 3 247 1
}
