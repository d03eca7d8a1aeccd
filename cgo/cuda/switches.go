package cuda

import "github.com/tigas-train/tigas-train/cgo/internal/ctorch"

// Switches choose kernels on CUDA. They are settings of the whole process, for every thread and device, so programs set
// them, not libraries. They exist without CUDA too, and change nothing there.
type Switches struct {
	CuDNN bool // use cuDNN at all; on by default
	// CuDNNBenchmark lets cuDNN time its convolutions for each new shape and take the fastest. Which one that is depends on
	// the clock, and so do the last bits of results; off by default.
	CuDNNBenchmark bool
	// CuDNNDeterministic keeps cuDNN to kernels that give the same bits every time; off by default. [torch.SetDeterministic]
	// sets it, together with what else that takes, and switches CuDNNBenchmark off.
	CuDNNDeterministic bool
	// CuDNNTF32 and MatmulTF32 round the factors of float32 convolutions and matrix products to 10 bits of fraction, which is
	// several times as fast since compute capability 8.0. libtorch's default is on for convolutions and off for products.
	CuDNNTF32  bool
	MatmulTF32 bool
}

// ReadSwitches returns the switches as they are.
func ReadSwitches() (Switches, error) {
	w, err := ctorch.CUDASwitches()
	return Switches{w.CuDNN != 0, w.Benchmark != 0, w.Deterministic != 0, w.CuDNNTF32 != 0, w.MatmulTF32 != 0},
		wrap("ReadSwitches", err)
}

// SetSwitches sets all of them. To change one, read them first:
//
//	w, err := cuda.ReadSwitches()
//	w.CuDNNBenchmark = true
//	err = cuda.SetSwitches(w)
func SetSwitches(w Switches) error {
	return wrap("SetSwitches", ctorch.SetCUDASwitches(ctorch.Switches{CuDNN: number(w.CuDNN), Benchmark: number(w.CuDNNBenchmark),
		Deterministic: number(w.CuDNNDeterministic), CuDNNTF32: number(w.CuDNNTF32), MatmulTF32: number(w.MatmulTF32)}))
}

func number(b bool) int32 {
	if b {
		return 1
	}
	return 0
}
