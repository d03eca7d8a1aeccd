package trainers

import (
	"time"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// deviceClock is a [monitor.Clock] of a device: its marks are events on the stream that is current when they are noted. Events
// are used again, so there are as many as were pending at a time.
type deviceClock struct {
	scope  *torch.Scope // of the events
	device torch.Device
	events []*cuda.Event // a mark is an index
	free   []int
	err    error // the first; since then there is no time
}

func newDeviceClock(s *torch.Scope, d torch.Device) *deviceClock {
	return &deviceClock{scope: s, device: d}
}

// Mark records an event.
func (c *deviceClock) Mark() int {
	var i int
	if n := len(c.free); n > 0 {
		i, c.free = c.free[n-1], c.free[:n-1]
	} else {
		i = len(c.events)
		c.events = append(c.events, cuda.NewEvent(c.scope))
	}
	if c.err == nil {
		var here cuda.Stream
		if here, c.err = cuda.CurrentStream(c.device); c.err == nil {
			c.err = c.events[i].Record(here)
		}
	}
	return i
}

// Passed asks for an event, without waiting.
func (c *deviceClock) Passed(mark int) (passed bool) {
	if c.err == nil {
		passed, c.err = c.events[mark].Query()
	}
	return passed || c.err != nil
}

// Between is the time that the device measured from event to event.
func (c *deviceClock) Between(a, b int) (d time.Duration) {
	if c.err == nil {
		d, c.err = cuda.Elapsed(c.events[a], c.events[b])
	}
	if c.err != nil {
		return 0
	}
	return d
}

// Free keeps an event for another mark.
func (c *deviceClock) Free(mark int) { c.free = append(c.free, mark) }
