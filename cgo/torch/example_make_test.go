package torch_test

import (
	"errors"
	"fmt"
	"image"
	"image/color"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// New tensors are float32 on the CPU unless options say otherwise.
func ExampleScope_Zeros() {
	s := torch.NewScope()
	defer s.Close()
	shape := []int64{2, 2}
	fmt.Println(s.Zeros(shape).Float32s(), s.Ones(shape).Float32s(), s.Full(shape, 0.5).Float32s())
	fmt.Println(s.Arange(3, 6), torch.Slice[int64](s.Arange(3, 6)), s.Scalar(7))
	fmt.Println(s.Empty(shape, torch.Options{DType: torch.Float64})) // its elements are arbitrary: fill them

	x := s.Zeros(shape, torch.Options{DType: torch.Int32, Device: torch.CPU})
	fmt.Println(x.ZerosLike(), torch.Slice[int32](x.OnesLike()))
	// Output:
	// [0 0 0 0] [1 1 1 1] [0.5 0.5 0.5 0.5]
	// int64[3] cpu [3 4 5] float32[] cpu
	// float64[2 2] cpu
	// int32[2 2] cpu [1 1 1 1]
}

// Numbers go between Go and tensors by their types. Values that a program branches on are read one at a time; on a GPU
// each of them waits for the device.
func ExampleSlice() {
	s := torch.NewScope()
	defer s.Close()
	x := s.FromInt64s([]int64{3, -1, 4}, 3)
	fmt.Println(torch.Slice[int64](x), x.Float32s()) // Float32s converts
	fmt.Println(x.Max().Int64(), x.Max().Float64(), x.Max().Bool())
	fmt.Println(torch.Try(func() { torch.Slice[float32](x) }))
	fmt.Println(torch.Try(func() { x.Float64() }))
	// Output:
	// [3 -1 4] [3 -1 4]
	// 4 4 true
	// torch: Slice: got elements of int64[3] cpu vs a []float32: convert with To(torch.float32)
	// torch: Float64: got 3 elements vs 1
}

// Bytes of a file become a tensor of any element type, and the other way round.
func ExampleScope_FromBytes() {
	s := torch.NewScope()
	defer s.Close()
	x, err := s.FromBytes([]byte{1, 0, 255, 255}, torch.Int16, torch.CPU, 2) // little-endian
	fmt.Println(x, torch.Slice[int16](x), x.RawBytes(), x.Bytes(), err)
	_, err = s.FromBytes([]byte{1, 0, 0}, torch.Int16, torch.CPU, 2)
	fmt.Println(err)
	// Output:
	// int16[2] cpu [1 -1] [1 0 255 255] 4 <nil>
	// torch: FromBytes: got 3 byte(s) vs int16[2]
}

// Conversions are copies, unless there is nothing to convert. Gradients flow back through them.
func ExampleTensor_To() {
	s := torch.NewScope()
	defer s.Close()
	x := s.FromFloat32s([]float32{1.75, -1.75}).RequiresGrad(true)
	fmt.Println(torch.Slice[int32](x.To(torch.Int32)), torch.SameTensor(x, x.To(torch.Float32)))
	fmt.Println(x.ToDevice(torch.CPU).Device(), x.To(torch.BFloat16).DType())
	g := torch.Grad(x.To(torch.Float64).Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0]
	fmt.Println(g.DType(), g.Float32s())
	// Output:
	// [1 -1] true
	// cpu bfloat16
	// float32 [1 1]
}

func ExampleDType() {
	for _, d := range []torch.DType{torch.Float32, torch.Float64, torch.BFloat16, torch.Int64, torch.Uint8, torch.Bool} {
		fmt.Println(d, d.Size(), d.IsFloat()) // only floats have gradients
	}
	// Output:
	// float32 4 true
	// float64 8 true
	// bfloat16 2 true
	// int64 8 false
	// uint8 1 false
	// bool 1 false
}

// Half-precision numbers have no type in Go: these are their bits.
func ExampleHalf() {
	s := torch.NewScope()
	defer s.Close()
	x := s.FromFloat32s([]float32{1, 1.0 / 3})
	for _, h := range torch.Slice[torch.Half](x.To(torch.Float16)) {
		fmt.Printf("%#04x %.5f\n", uint16(h), h.Float32())
	}
	for _, b := range torch.Slice[torch.BF16](x.To(torch.BFloat16)) { // fewer digits, the range of float32
		fmt.Printf("%#04x %.5f\n", uint16(b), b.Float32())
	}
	// Output:
	// 0x3c00 1.00000
	// 0x3555 0.33325
	// 0x3f80 1.00000
	// 0x3eab 0.33398
}

// A picture becomes bytes [3, H, W], and a tensor of bytes, or of floats in [0, 1], a picture.
func ExampleTensor_images() {
	s := torch.NewScope()
	defer s.Close()
	img := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	img.Set(0, 1, color.NRGBA{R: 255, G: 128, A: 255}) // the first pixel of the second row
	x := s.FromImage(img)
	fmt.Println(x, torch.Slice[uint8](x.Narrow(2, 0, 1)))

	unit := x.To(torch.Float32).DivScalar(255)
	back := unit.Flip(1).ToImage() // upside down
	fmt.Println(back.Bounds(), back.At(0, 0))
	// Output:
	// uint8[3 2 3] cpu [0 255 0 128 0 0]
	// (0,0)-(3,2) {255 128 0 255}
}

// A generator of one's own gives the same numbers in every run, whatever else draws. Its state may be kept, to draw them
// again.
func ExampleGenerator() {
	s := torch.NewScope()
	defer s.Close()
	g, err := s.NewGenerator(torch.CPU, 42)
	if err != nil {
		fmt.Println(err)
		return
	}
	state, err := g.State(s)
	if err != nil {
		fmt.Println(err)
		return
	}
	noise, mix := s.Randn(g, []int64{4, 3, 8, 8}), s.Rand(g, []int64{4, 1, 1, 1})
	if err := g.SetState(state); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Randn(g, noise.Shape()).Eq(noise).All().Bool(), s.Rand(g, mix.Shape()).Eq(mix).All().Bool())
	// Output: true true
}

// The default generator is one for the whole process: dropout and whatever is given no other draws from it.
func ExampleSeed() {
	s := torch.NewScope()
	defer s.Close()
	if err := torch.Seed(7); err != nil {
		fmt.Println(err)
		return
	}
	state, err := s.RNGState(torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	x := s.Zeros([]int64{5})
	normal, uniform := x.RandnLike(), x.RandLike()
	if err := torch.SetRNGState(torch.CPU, state); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(x.RandnLike().Eq(normal).All().Bool(), x.RandLike().Eq(uniform).All().Bool())
	// Output: true true
}

// What went wrong, for a program: the operation, the operands, and a kind to branch on.
func ExampleError() {
	s := torch.NewScope()
	defer s.Close()
	x := s.Ones([]int64{2})
	y, err := torch.Try1(func() *torch.Tensor { return x.Add(s.Ones([]int64{3})) })
	if bad, ok := errors.AsType[*torch.Error](err); ok {
		fmt.Println(y, bad.Op, bad.Args, bad.Kind)
	}
	x.Free()
	err = torch.Try(func() { x.Neg() })
	fmt.Println(err, errors.Is(err, torch.ErrClosed))
	// Output:
	// nil aten::add.Tensor float32[2] cpu, float32[3] cpu <nil>
	// torch: neg: tensor used after Free true
}
