package torch_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// What a program says of its libtorch when somebody asks why it does not run.
func ExampleVersion() {
	if err := torch.CheckVersion(); err != nil { // built against another one than was loaded
		fmt.Println(err)
		return
	}
	config, err := torch.Config()
	fmt.Println(strings.Count(torch.Version(), ".") >= 2, strings.Contains(config, "PyTorch built with"), err)
	fmt.Println(strings.Contains(torch.LoadTrace(), "libtorch"), strings.ContainsAny(torch.CPUCapability(), " \n"))
	// Output:
	// true true <nil>
	// true false
}

// A name from a command line or a file. Whether there is such a device is another question, with an answer for people.
func ExampleParseDevice() {
	for _, name := range []string{"cpu", "cuda", "cuda:3", "gpu"} {
		d, err := torch.ParseDevice(name)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(d, d.IsCUDA(), d.Index(), d == torch.CUDA(3))
	}
	fmt.Println(torch.CPU.Check(), torch.CUDA(100).Check() != nil)
	// Output:
	// cpu false 0 false
	// cuda:0 true 0 false
	// cuda:3 true 3 true
	// torch: device "gpu": got no device name vs want cpu, cuda or cuda:N
	// <nil> true
}

// The best device that there is.
func ExampleCUDADevices() {
	info, err := torch.CUDADevices()
	if err != nil {
		fmt.Println(err)
		return
	}
	d := torch.CPU
	if info.Count > 0 {
		d = torch.CUDA(0)
	}
	s := torch.NewScope()
	defer s.Close()
	x := s.Ones([]int64{2, 2}, torch.Options{Device: d})
	fmt.Println(x.Device() == d, x.Sum().Float64())
	// Output: true 4
}

// Settings of the whole process, before the first operation: main functions make them, libraries do not.
func ExampleSetNumThreads() {
	if err := torch.SetNumThreads(1); err != nil { // one for each of several workers
		fmt.Println(err)
		return
	}
	_ = torch.RetainHostMemory() // steps of one size ask for the same blocks again and again
	fmt.Println(torch.NumThreads(), torch.SetNumThreads(0))
	// Output: 1 torch: SetNumThreads: got 0 threads vs 1 to 1024
}

// The same bits in every run, or an error that names the operator that cannot give them.
func ExampleSetDeterministic() {
	if err := torch.SetDeterministic(true); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = torch.SetDeterministic(false) }()
	s := torch.NewScope()
	defer s.Close()
	a := s.Ones([]int64{8, 8})
	fmt.Println(a.MatMul(a).Sum().Float64())
	err := torch.Try(func() { torch.Call("aten::put_", a, s.FromInt64s([]int64{0}), s.Ones([]int64{1})) })
	fmt.Println(errors.Is(err, torch.ErrNondeterministic))
	// Output:
	// 512
	// true
}

// Operators come and go between versions of libtorch: ask before one is called.
func ExampleHas() {
	names, err := torch.Operators()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(names) > 1000, slices.Contains(names, "aten::conv2d"), torch.Has("aten::conv2d"))
	_, err = torch.SchemaOf("aten::conv2D")
	fmt.Println(torch.Has("aten::conv2D"), errors.Is(err, torch.ErrUnsupported))
	// Output:
	// true true true
	// false true
}

// Another binding of the same libtorch gets a tensor as the address of a C++ object, here from this package itself: both
// see the same elements.
func ExampleFromATen() {
	s := torch.NewScope()
	defer s.Close()
	x := s.FromFloat32s([]float32{1, 2})
	object := torch.ToATen(x) // for C++, which deletes it; these few bytes stay
	y := torch.FromATen(s, object)
	y.AddScalar_(1)
	fmt.Println(torch.SameTensor(x, y), x.Float32s())
	// Output: true [2 3]
}
