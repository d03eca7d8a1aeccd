package torch

import (
	"runtime"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
)

// NoGrad runs f without recording operations for gradients. Regions nest; the mode ends with f, also when it panics.
func NoGrad(f func()) {
	region(func(m *ctorch.Modes) { m.Grad = 0 }, f)
}

// EnableGrad runs f with recording on, inside a [NoGrad] region too.
func EnableGrad(f func()) {
	region(func(m *ctorch.Modes) { m.Grad = 1 }, f)
}

// Autocast runs f with mixed precision on a device: matrix products and convolutions in dtype (BFloat16 or Float16),
// sums and losses in float32, as torch.autocast does. DefaultDType switches autocast off inside another region.
// It panics for other types.
func Autocast(d Device, dtype DType, f func()) {
	if dtype != BFloat16 && dtype != Float16 && dtype != DefaultDType {
		panicf("Autocast", nil, "got %s vs bfloat16 or float16", dtype)
	}
	region(func(m *ctorch.Modes) {
		on := int32(0)
		if dtype != DefaultDType {
			on = 1
		}
		if d.cuda {
			m.AutocastCUDA = on
			if on == 1 {
				m.AutocastCUDADType = dtypes[dtype].code
			}
		} else {
			m.AutocastCPU = on
			if on == 1 {
				m.AutocastCPUDType = dtypes[dtype].code
			}
		}
	}, f)
}

// SecondOrder runs f, a pass whose gradient will be differentiated again (CreateGraph), such as that of a gradient penalty. What
// it computes is the same. On CUDA the convolutions in it, [Tensor.Conv2d] and [Tensor.ConvTranspose2d], have second
// derivatives that take as long as first ones; libtorch's own take many times that, and a launch for each group. It does
// nothing inside of [Autocast], and not to what TorchScript computes.
func SecondOrder(f func()) {
	region(func(m *ctorch.Modes) { m.SecondOrder = 1 }, f)
}

// IsGradEnabled tells whether operations on this goroutine are recorded now.
func IsGradEnabled() bool {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	m, err := ctorch.ModesNow()
	must("IsGradEnabled", err)
	return m.Grad != 0
}

// region sets modes of this OS thread, holds the thread while f runs, and restores them. libtorch's modes are
// thread-local and Go moves goroutines between threads, so setting a mode in one call and using it in the next would
// corrupt both.
func region(set func(*ctorch.Modes), f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	m, err := ctorch.ModesNow()
	must("region", err)
	set(&m)
	saved, err := ctorch.EnterModes(m)
	must("region", err)
	defer func() { must("region", ctorch.LeaveModes(saved)) }()
	f()
}
