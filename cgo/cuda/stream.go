package cuda

import (
	"fmt"
	"runtime"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Stream is a queue of work on a device. Streams are values: they compare with ==, belong to the process, and need not be
// freed. The zero Stream is that of the CPU, whose work is done when a call returns.
type Stream struct {
	device torch.Device
	id     int64
}

// NewStream returns a stream from libtorch's pool for d, which has 32 of them: after these they come round again. For the
// CPU it is the zero Stream.
func NewStream(d torch.Device) (Stream, error) { return streamOf("NewStream", d, ctorch.StreamPool) }

// NewPriorityStream is [NewStream] from the pool whose work goes first where a device has work of several streams.
func NewPriorityStream(d torch.Device) (Stream, error) {
	return streamOf("NewPriorityStream", d, ctorch.StreamPriority)
}

// DefaultStream is the stream that operations on d use outside any region.
func DefaultStream(d torch.Device) (Stream, error) {
	return streamOf("DefaultStream", d, ctorch.StreamDefault)
}

// CurrentStream is the stream that operations on d use here: that of the innermost [On] region for d, else the default one.
func CurrentStream(d torch.Device) (Stream, error) {
	return streamOf("CurrentStream", d, ctorch.StreamCurrent)
}

func streamOf(op string, d torch.Device, which int) (Stream, error) {
	if !d.IsCUDA() {
		return Stream{}, nil
	}
	id, err := ctorch.StreamOf(d.Index(), which)
	if err != nil {
		return Stream{}, wrap(op, err)
	}
	return Stream{d, id}, nil
}

// Device is where the stream's work is done.
func (s Stream) Device() torch.Device { return s.device }

// String is e.g. "cuda:0 stream 3", or "cpu".
func (s Stream) String() string {
	if !s.device.IsCUDA() {
		return s.device.String()
	}
	return fmt.Sprintf("%s stream %d", s.device, s.id)
}

// On runs f with s as the stream that operations on its device are queued on, and its device as the current one. It does not
// wait for that work. The region holds the OS thread, nests, and ends with f, also when f panics. A goroutine that f starts
// is not in it. For the CPU it only runs f. It panics with *[torch.Error] when the device cannot be used.
func On(s Stream, f func()) {
	if !s.device.IsCUDA() {
		f()
		return
	}
	region("On", s.device.Index(), &s.id, f)
}

// Synchronize waits until everything that was queued on s is done. Errors of that work come back here.
func (s Stream) Synchronize() error {
	if !s.device.IsCUDA() {
		return nil
	}
	return wrap("Stream.Synchronize", ctorch.StreamSynchronize(s.device.Index(), s.id))
}

// Query tells, without waiting, whether everything that was queued on s is done.
func (s Stream) Query() (done bool, err error) {
	if !s.device.IsCUDA() {
		return true, nil
	}
	done, err = ctorch.StreamQuery(s.device.Index(), s.id)
	return done, wrap("Stream.Query", err)
}

// Wait lets what is queued on s from now on begin after e, as e was recorded last. The host does not wait. An event that was
// never recorded, or on the CPU, is not waited for.
func (s Stream) Wait(e *Event) error {
	c := e.check("Stream.Wait")
	if !s.device.IsCUDA() {
		if c.h == nil {
			return nil
		}
		return e.Synchronize() // the CPU's stream is the host
	}
	if c.h == nil {
		return nil
	}
	return wrap("Stream.Wait", ctorch.EventBlock(c.h, s.device.Index(), s.id))
}

// Uses tells libtorch's cache that work that is queued on s by now uses t, a tensor that was made on another stream, so that
// its memory is not given away before that work is done. On the CPU it does nothing; a tensor of the CPU is an error.
func (s Stream) Uses(t *torch.Tensor) error {
	h := torch.HandleOf(t)
	defer runtime.KeepAlive(t)
	if !s.device.IsCUDA() {
		return nil
	}
	return wrap("Stream.Uses", ctorch.StreamRecord(s.device.Index(), s.id, h))
}
