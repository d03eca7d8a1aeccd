package monitor

import (
	"fmt"
	"math"
	"os"
)

// Names in the log of what libtorch has of a GPU's memory at the end of a tick, in units of 2^20 bytes.
const (
	GPUAllocated = "gpu_allocated_mib" // in tensors
	GPUPeak      = "gpu_peak_mib"      // in tensors, the most at a time since the last tick
	GPUReserved  = "gpu_reserved_mib"  // taken from the device, in tensors or kept for the next ones
)

// ResidentGB is the memory that the process has in RAM, in units of 2^30 bytes; NaN where there is no /proc.
func ResidentGB() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	var size, resident int64
	if err == nil {
		_, err = fmt.Sscan(string(text), &size, &resident)
	}
	if err != nil {
		return math.NaN()
	}
	return float64(resident) * float64(os.Getpagesize()) / (1 << 30)
}
