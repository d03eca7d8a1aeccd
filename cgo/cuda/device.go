package cuda

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// ErrNoCUDA: this process has no CUDA device. Errors that wrap it say why.
var ErrNoCUDA = errors.New("no CUDA")

// cudaError is an error of this package; kind is what it wraps, nil if nothing.
type cudaError struct {
	text string
	kind error
}

func (e *cudaError) Error() string { return "cuda: " + e.text }
func (e *cudaError) Unwrap() error { return e.kind }

// wrap gives an error of the shim its operation's name; nil stays nil.
func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	text, kind := reason(err)
	return &cudaError{op + ": " + text, kind}
}

func reason(err error) (text string, kind error) {
	var c *ctorch.Error
	if !errors.As(err, &c) {
		return err.Error(), errors.Unwrap(err)
	}
	if c.Code == ctorch.CodeNoCUDA {
		why := "no CUDA"
		if bad := torch.CUDA(0).Check(); bad != nil {
			why = strings.TrimPrefix(bad.Error(), "torch: device cuda:0: ")
		}
		return why, ErrNoCUDA
	}
	text, _, _ = strings.Cut(c.Msg, "\n") // advice about Python follows
	return text, torch.KindOf(err)
}

// must panics with *torch.Error, for what stands where an operation does.
func must(op string, err error) {
	if err != nil {
		text, kind := reason(err)
		panic(&torch.Error{Op: "cuda." + op, Msg: text, Kind: kind})
	}
}

// Properties are what the driver says of a device.
type Properties struct {
	Name       string // e.g. "NVIDIA H100 80GB HBM3"
	Major      int    // compute capability, e.g. 9 and 0
	Minor      int
	Processors int   // streaming multiprocessors
	Total      int64 // memory in bytes
}

// String is one line for people.
func (p Properties) String() string {
	return fmt.Sprintf("%s, compute capability %d.%d, %d multiprocessors, %.1f GiB", p.Name, p.Major, p.Minor, p.Processors,
		float64(p.Total)/(1<<30))
}

// Devices lists the GPUs that can be used; none where there are none. For why, see [torch.Device.Check].
func Devices() []torch.Device {
	info, err := torch.CUDADevices()
	if err != nil {
		return nil
	}
	l := make([]torch.Device, info.Count)
	for i := range l {
		l[i] = torch.CUDA(i)
	}
	return l
}

// PropertiesOf describes a CUDA device. It returns an error that wraps [ErrNoCUDA] where there is none, and an error for the
// CPU and for an index that there is no device with.
func PropertiesOf(d torch.Device) (Properties, error) {
	const op = "PropertiesOf"
	if !d.IsCUDA() {
		return Properties{}, &cudaError{text: op + ": got the CPU vs a CUDA device"}
	}
	p, err := ctorch.CUDAProperties(d.Index())
	return Properties(p), wrap(op, err)
}

// Synchronize waits until everything that was queued on d, on any stream, is done. Errors of the work that was queued come
// back here. For the CPU it does nothing.
func Synchronize(d torch.Device) error {
	if !d.IsCUDA() {
		return nil
	}
	return wrap("Synchronize", ctorch.CUDASynchronize(d.Index()))
}

// OnDevice runs f with d as CUDA's current device, which is the one that libraries use that are not told. Operations on
// tensors need no such region: they go where their operands are. The region holds the OS thread and ends with f, also when f
// panics. For the CPU it only runs f. It panics with *[torch.Error] when there is no such device.
func OnDevice(d torch.Device, f func()) {
	if !d.IsCUDA() {
		f()
		return
	}
	region("OnDevice", d.Index(), nil, f)
}

// CurrentDevice is the device of the innermost [OnDevice] or [On] region, else the first one.
func CurrentDevice() (torch.Device, error) {
	i, err := ctorch.CUDACurrent()
	if err != nil {
		return torch.CPU, wrap("CurrentDevice", err)
	}
	return torch.CUDA(i), nil
}

// region puts this OS thread on a device and a stream of it while f runs. Both belong to the thread in CUDA and in libtorch,
// and Go moves goroutines between threads, so the thread is held.
func region(op string, device int, stream *int64, f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	saved, err := ctorch.EnterCUDA(device, stream)
	must(op, err)
	defer func() { must(op, ctorch.LeaveCUDA(saved)) }()
	f()
}

// Missing names what cannot be had in this process although there is CUDA, one a line for people; nothing where there is no
// CUDA library, except that a program that was built without CUDA's headers, for a libtorch before 2.9, has no statistics
// of memory and no second try when a device is out of it.
func Missing() ([]string, error) {
	text, err := ctorch.CUDAMissing()
	var l []string
	for line := range strings.Lines(text) {
		l = append(l, strings.TrimSpace(line))
	}
	return l, wrap("Missing", err)
}
