package trainers

import (
	"errors"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// gpu is what the loop has besides on a device that works while the host goes on: time by the device's clock, its memory in the
// log, and batches that are on their way while the one before is trained on. On the CPU all of it is absent.
type gpu struct {
	clock *deviceClock
	usage func() (cuda.Usage, error) // since the last call; nil: not known
	reads bool                       // batches are to be read ahead
	from  *puller                    // that they come from
	ahead *ahead                     // nil: none was wanted yet
}

// startGPU prepares what there is for a CUDA device.
func (l *loop) startGPU() {
	d := l.o.Device
	if !d.IsCUDA() {
		return
	}
	l.useDeviceClock()
	l.gpu.reads = true
	l.gpu.usage = func() (cuda.Usage, error) {
		u, err := cuda.Memory(d)
		return u, errors.Join(err, cuda.ResetPeak(d))
	}
}

// useDeviceClock lets the phases tell the device's time.
func (l *loop) useDeviceClock() {
	l.gpu.clock = newDeviceClock(l.scope, l.o.Device)
	l.phases.UseClock(l.gpu.clock)
}

// checkClock goes back to the host's time if the device's cannot be had.
func (l *loop) checkClock() {
	c := l.gpu.clock
	if c == nil || c.err == nil {
		return
	}
	l.o.Console.Warn("times of a step are those of the host: %s", c.err)
	l.phases.UseClock(nil)
	l.gpu.clock = nil
}

// memory is how much of the GPU's memory tensors take, and took at most since the last call. A build that cannot tell says
// nothing.
func (l *loop) memory() []monitor.Value {
	if l.gpu.usage == nil {
		return nil
	}
	u, err := l.gpu.usage()
	if err != nil {
		if !errors.Is(err, torch.ErrUnsupported) {
			l.o.Console.Warn("the log has no memory of the GPU: %s", err)
		}
		l.gpu.usage = nil
		return nil
	}
	mib := func(bytes int64) float64 { return float64(bytes) / (1 << 20) }
	return []monitor.Value{{Name: monitor.GPUAllocated, Value: mib(u.Allocated)}, {Name: monitor.GPUPeak, Value: mib(u.PeakAllocated)},
		{Name: monitor.GPUReserved, Value: mib(u.Reserved)}}
}
