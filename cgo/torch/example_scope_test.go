package torch_test

import (
	"fmt"
	"sync"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Scopes nest. A result belongs to the inner one of its operands' scopes and goes with it.
func ExampleScope() {
	root := torch.NewScope()
	defer root.Close()
	w := root.Ones([]int64{2})

	step := root.Child()
	y := w.Add(step.Ones([]int64{2}))
	fmt.Println(y.Scope() == step, step.Len(), root.Len())
	step.Close()
	fmt.Println(y, w.Float32s())
	fmt.Println(torch.Try(func() { root.Child().Use(y) }) != nil)
	// Output:
	// true 2 1
	// freed tensor [1 1]
	// true
}

// What is to outlive its scope is moved out. MoveTo is the same, written after a formula.
func ExampleScope_Adopt() {
	root := torch.NewScope()
	defer root.Close()
	var sum, mean *torch.Tensor
	err := root.Scoped(func(s *torch.Scope) error {
		x := s.FromFloat32s([]float32{1, 2, 3})
		sum = root.Adopt(x.Sum())
		mean = x.Mean().MoveTo(root)
		return nil
	})
	fmt.Println(sum.Float64(), mean.Float64(), root.Len(), err)
	// Output: 6 2 2 <nil>
}

// Parameters are made in a scope that is sealed when they are complete: no forgotten result can pile up there. To add more,
// it is opened for a while.
func ExampleScope_Seal() {
	params := torch.NewScope()
	defer params.Close()
	w := params.Ones([]int64{2})
	params.Seal()
	fmt.Println(torch.Try(func() { w.MulScalar(2) }) != nil)

	params.Unseal()
	b := params.Zeros([]int64{2})
	params.Seal()

	s := torch.NewScope()
	defer s.Close()
	x := s.FromFloat32s([]float32{3, 4})
	fmt.Println(x.Mul(w).Add(b).Scope() == s, params.Len())
	// Output:
	// true
	// true 2
}

// Things in C memory that are no tensors are freed with a scope too.
func ExampleScope_OnClose() {
	s := torch.NewScope()
	s.OnClose(func() { fmt.Println("freed") })
	s.Close()
	s.Close() // harmless
	// Output: freed
}

// An operator without method, with its result in a scope that is named: its operands need not have one.
func ExampleScope_Call() {
	s := torch.NewScope()
	defer s.Close()
	fmt.Println(torch.Slice[float32](s.Call("aten::linspace", 0.0, 1.0, 5)))
	parts := s.CallMulti("aten::chunk", s.Arange(0, 6), 3)[0].([]*torch.Tensor)
	fmt.Println(len(parts), torch.Slice[int64](parts[2]))
	// Output:
	// [0 0.25 0.5 0.75 1]
	// 3 [4 5]
}

// Two aliases of one tensor: goroutines share it so, each with a scope of its own.
func ExampleSameTensor() {
	root := torch.NewScope()
	defer root.Close()
	x := root.Ones([]int64{1000})
	sums := make([]float64, 4)
	var wg sync.WaitGroup
	for i := range sums {
		wg.Go(func() {
			_ = torch.Scoped(func(s *torch.Scope) error {
				mine := s.Use(x)
				sums[i] = mine.MulScalar(float64(i)).Sum().Float64()
				return nil
			})
		})
	}
	wg.Wait()
	fmt.Println(sums, torch.SameTensor(x, root.Use(x)), torch.SameTensor(x, x.Clone()))
	// Output: [0 1000 2000 3000] true false
}

// A tensor may be freed before its scope: a large one in a long function.
func ExampleTensor_Free() {
	s := torch.NewScope()
	defer s.Close()
	before, bytes := torch.LiveTensors(), torch.LiveBytes()
	x := s.Zeros([]int64{1024, 1024})
	fmt.Println(torch.LiveTensors()-before, torch.LiveBytes()-bytes)
	x.Free()
	fmt.Println(torch.LiveTensors()-before, torch.LiveBytes()-bytes)
	// Output:
	// 1 4194304
	// 0 0
}

// How a test proves that a step leaves nothing behind: no tensor lives, and no scope was lost.
func ExampleLiveTensors() {
	model := torch.NewScope()
	defer model.Close()
	w := model.Ones([]int64{8, 8}).RequiresGrad(true)
	model.Seal()
	live, leaked := torch.LiveTensors(), torch.LeakedScopes()
	for range 100 {
		err := torch.Scoped(func(s *torch.Scope) error {
			loss := s.Ones([]int64{4, 8}).MatMul(w).Square().Mean()
			g := torch.Grad(loss, []*torch.Tensor{w}, torch.GradOptions{})[0]
			torch.NoGrad(func() { w.Sub_(g.MulScalar(0.01)) })
			return nil
		})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(torch.LiveTensors()-live, torch.LeakedScopes()-leaked)
	// Output: 0 0
}
