package cuda

import (
	"errors"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Usage is what libtorch's cache of device memory counts for one device, in bytes. Allocated belongs to tensors, Reserved
// was taken from the device: the difference is kept for the next tensors. Peaks are since the start or [ResetPeak].
type Usage struct {
	Allocated, Reserved, PeakAllocated, PeakReserved int64
	CacheRetries                                     int64 // how often the cache gave memory back to satisfy a tensor
	Failures                                         int64 // how often a tensor could not be made all the same
}

// Memory reads the cache's counts for d; zeros for the CPU, and before d was used. It returns an error that wraps
// [ErrNoCUDA] where there is no CUDA, and one that wraps [torch.ErrUnsupported] where this build has no such counts.
func Memory(d torch.Device) (Usage, error) {
	if !d.IsCUDA() {
		return Usage{}, nil
	}
	s, err := ctorch.CUDAMemory(d.Index())
	return Usage{s.Allocated, s.Reserved, s.PeakAllocated, s.PeakReserved, s.Retries, s.Failures}, wrap("Memory", err)
}

// ResetPeak makes the peaks of d what is in use now. For the CPU it does nothing. Errors are those of [Memory].
func ResetPeak(d torch.Device) error {
	if !d.IsCUDA() {
		return nil
	}
	return wrap("ResetPeak", ctorch.CUDAResetPeak(d.Index()))
}

// EmptyCache gives memory that no tensor uses back to the devices, for other programs; libtorch itself would use it again
// and is slower without. Where there is no CUDA it does nothing. The error wraps [torch.ErrUnsupported] where this build
// cannot.
func EmptyCache() error {
	err := wrap("EmptyCache", ctorch.CUDAEmptyCache())
	if errors.Is(err, ErrNoCUDA) {
		return nil
	}
	return err
}

// DeviceMemory returns how many bytes of d's memory nobody uses, and all of them, as the driver counts: other programs and
// CUDA itself use memory too. Zeros for the CPU.
func DeviceMemory(d torch.Device) (free, total int64, err error) {
	if !d.IsCUDA() {
		return 0, 0, nil
	}
	free, total, err = ctorch.CUDADeviceMemory(d.Index())
	return free, total, wrap("DeviceMemory", err)
}

// Retries counts the calls in this process that were tried once more with an emptied cache because a device was out of
// memory, and those of them that then succeeded. Many of them mean that the device is too small for what is done: each
// waits for the device and has the cache built up anew.
//
// Tried again are libtorch's operators, and calls of TorchScript that consists of them, if they leave their operands and
// the state of random numbers alone: not those that work in place, update the statistics of a batch norm, or draw; not
// operators of other libraries; and no gradients, whose graph is consumed on the way.
func Retries() (tried, helped int64) { return ctorch.Retries() }
