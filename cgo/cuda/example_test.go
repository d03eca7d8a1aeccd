package cuda_test

import (
	"errors"
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// best is the first GPU, or the CPU.
func best() torch.Device {
	for _, d := range cuda.Devices() {
		return d
	}
	return torch.CPU
}

// How long something takes on the device: the host's clock would only say how long queueing took. It works on the CPU too.
func ExampleElapsed() {
	d := best()
	s := torch.NewScope()
	defer s.Close()
	stream, err := cuda.NewStream(d)
	if err != nil {
		fmt.Println(err)
		return
	}
	x := s.Ones([]int64{256, 256}, torch.Options{Device: d})
	made, start, end := cuda.NewEvent(s), cuda.NewEvent(s), cuda.NewEvent(s)
	main, err := cuda.CurrentStream(d)
	err = errors.Join(err, made.Record(main), stream.Wait(made)) // x is made on another stream
	var y *torch.Tensor
	cuda.On(stream, func() {
		err = errors.Join(err, start.Record(stream))
		y = x.MatMul(x)
		err = errors.Join(err, end.Record(stream))
	})
	took, late := cuda.Elapsed(start, end) // waits for the end
	fmt.Println(took > 0, y.Max().Float64(), errors.Join(err, late))
	// Output: true 256 <nil>
}

// Batches of bytes, each on its way while the one before is worked on.
func ExampleUploader() {
	batches := [][]byte{{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10}} // the last one has fewer rows
	err := torch.Scoped(func(s *torch.Scope) error {
		up, err := cuda.NewUploader(s, best(), torch.Uint8, 2, 2)
		if err != nil {
			return err
		}
		if err := up.Put(batches[0]); err != nil {
			return err
		}
		for n := range batches {
			if n+1 < len(batches) {
				if err := up.Put(batches[n+1]); err != nil {
					return err
				}
			}
			err := s.Scoped(func(in *torch.Scope) error {
				x, err := up.Take(in)
				if err == nil {
					fmt.Println(x.Shape(), x.To(torch.Float32).Sum().Float64())
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// [2 2] 10
	// [2 2] 26
	// [1 2] 19
	// <nil>
}

// The peak of one step, in bytes. There are no figures of the CPU.
func ExampleMemory() {
	d := best()
	s := torch.NewScope()
	defer s.Close()
	x := s.Zeros([]int64{1 << 20}, torch.Options{Device: d})
	err := cuda.ResetPeak(d)
	x.AddScalar(1)
	use, also := cuda.Memory(d)
	fmt.Println(use.PeakAllocated >= use.Allocated, errors.Join(err, also))
	// Output: true <nil>
}
