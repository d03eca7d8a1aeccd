package cuda

import (
	"errors"
	"fmt"
	"time"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Event is a moment in a stream: it passes when everything that was queued before it is done. It belongs to a scope, which
// frees it; using it afterwards panics. It is used by one goroutine at a time.
type Event struct {
	scope *torch.Scope
	c     *eventCell
}

// eventCell is what the scope frees; it must not refer to the scope.
type eventCell struct {
	h        ctorch.Event
	device   torch.Device
	recorded bool
	at       time.Time // on the CPU
}

// NewEvent returns an event of s that has not been recorded. It needs no CUDA until it is.
func NewEvent(s *torch.Scope) *Event {
	torch.CheckScope(s, "cuda.NewEvent")
	c := &eventCell{}
	s.OnClose(func() {
		if c.h != nil {
			ctorch.EventFree(c.h, c.device.Index())
		}
	})
	return &Event{s, c}
}

func (e *Event) check(op string) *eventCell {
	torch.CheckScope(e.scope, "cuda."+op)
	return e.c
}

// Record makes e the present moment of s: what was queued by now comes before it. Recording again moves it. An event stays
// with the device that it was first recorded on; another one is an error.
func (e *Event) Record(s Stream) error {
	const op = "Event.Record"
	c := e.check(op)
	if c.recorded && c.device != s.device {
		return &cudaError{text: fmt.Sprintf("%s: got a stream of %s vs an event of %s", op, s.device, c.device)}
	}
	if s.device.IsCUDA() {
		h, err := ctorch.EventRecord(c.h, s.device.Index(), s.id)
		if h != nil {
			c.h, c.device = h, s.device
		}
		if err != nil {
			return wrap(op, err)
		}
	}
	c.device, c.recorded, c.at = s.device, true, time.Now()
	return nil
}

// Query tells, without waiting, whether e has passed; an event that was never recorded has.
func (e *Event) Query() (passed bool, err error) {
	c := e.check("Event.Query")
	if c.h == nil {
		return true, nil
	}
	passed, err = ctorch.EventQuery(c.h)
	return passed, wrap("Event.Query", err)
}

// Synchronize waits until e has passed. An event that was never recorded is not waited for.
func (e *Event) Synchronize() error {
	c := e.check("Event.Synchronize")
	if c.h == nil {
		return nil
	}
	return wrap("Event.Synchronize", ctorch.EventSynchronize(c.h))
}

// Elapsed is the time between two events of one device as the device measures it, to about half a microsecond; on the CPU
// it is the host's time between the calls of [Event.Record]. It waits for end. It returns an error unless both were
// recorded, on one device.
func Elapsed(start, end *Event) (time.Duration, error) {
	const op = "Elapsed"
	a, b := start.check(op), end.check(op)
	if !a.recorded || !b.recorded {
		return 0, wrap(op, errors.New("an event was not recorded"))
	}
	if a.device != b.device {
		return 0, &cudaError{text: fmt.Sprintf("%s: got events of %s and %s vs one device", op, a.device, b.device)}
	}
	if a.h == nil {
		return b.at.Sub(a.at), nil
	}
	if err := end.Synchronize(); err != nil {
		return 0, err
	}
	ms, err := ctorch.EventElapsed(a.h, b.h, a.device.Index())
	return time.Duration(ms * float64(time.Millisecond)), wrap(op, err)
}
