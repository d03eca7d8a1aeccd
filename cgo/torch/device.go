package torch

import (
	"fmt"
	"strconv"
	"strings"
)

// Device is where a tensor lives. The zero value is the CPU; devices compare with ==.
type Device struct {
	cuda  bool
	index int
}

// CPU is the host.
var CPU = Device{}

// CUDA is the CUDA device with this index, from 0.
func CUDA(index int) Device { return Device{cuda: true, index: index} }

// IsCUDA tells whether d is a CUDA device.
func (d Device) IsCUDA() bool { return d.cuda }

// Index is the number of a CUDA device, 0 for the CPU.
func (d Device) Index() int { return d.index }

// String is "cpu", "cuda:0" and so on, as PyTorch writes it.
func (d Device) String() string {
	if d.cuda {
		return "cuda:" + strconv.Itoa(d.index)
	}
	return "cpu"
}

// ParseDevice reads "cpu", "cuda" (the first one) or "cuda:N". It does not ask whether the device exists: see
// [Device.Check].
func ParseDevice(s string) (Device, error) {
	switch name, n, has := strings.Cut(s, ":"); {
	case s == "cpu":
		return CPU, nil
	case s == "cuda":
		return CUDA(0), nil
	case name == "cuda" && has:
		if i, err := strconv.Atoi(n); err == nil && i >= 0 && i < 128 {
			return CUDA(i), nil
		}
	}
	return CPU, fmt.Errorf("torch: device %q: got no device name vs want cpu, cuda or cuda:N", s)
}

// Check returns an error that names what is missing when d cannot be used in this process.
func (d Device) Check() error {
	if !d.cuda {
		return nil
	}
	info, err := CUDADevices()
	switch {
	case err != nil:
		return fmt.Errorf("torch: device %s: %w", d, err)
	case info.Broken != "":
		return fmt.Errorf("torch: device %s: libtorch (%s) has CUDA but it cannot be loaded: %s", d, Version(), info.Broken)
	case info.Count == 0 && !info.Library:
		return fmt.Errorf("torch: device %s: this libtorch (%s) has no CUDA: libtorch_cuda.so is not beside "+
			"libtorch_cpu.so; install a CUDA build and run scripts/libtorch.sh again", d, Version())
	case info.Count == 0:
		return fmt.Errorf("torch: device %s: libtorch has CUDA but sees no GPU: check the driver (nvidia-smi) and "+
			"CUDA_VISIBLE_DEVICES; in a container run with --gpus all", d)
	case d.index >= info.Count:
		return fmt.Errorf("torch: device %s: got index %d vs %d CUDA device(s)", d, d.index, info.Count)
	}
	return nil
}

// code is the shim's number of the device.
func (d Device) code() int64 {
	if d.cuda {
		if d.index < 0 || d.index > 127 {
			panicf("device", nil, "got CUDA(%d) vs an index from 0 to 127", d.index)
		}
		return 1<<8 | int64(d.index+1)
	}
	return 0 // type 0, no index
}

func deviceOf(typ, index int32) Device {
	if typ == 1 {
		return CUDA(int(index))
	}
	return CPU
}
