package cuda

import "github.com/tigas-train/tigas-train/cgo/torch"

func newCarrier(s *torch.Scope, d torch.Device, dtype torch.DType, shape []int64) (carrier, error) {
	torch.CheckScope(s, "cuda.NewUploader")
	if !d.IsCUDA() {
		return newHost(s, dtype, shape)
	}
	stream, err := NewStream(d)
	if err != nil {
		return nil, err
	}
	c := &pinnedCarrier{scope: s, stream: stream}
	for i := range c.places {
		p, err := NewPinned(s, dtype, shape...)
		if err != nil {
			return nil, err
		}
		c.places[i] = place{p, NewEvent(s)}
	}
	return c, nil
}

// place is a buffer and the event behind its last copy.
type place struct {
	pinned *Pinned
	copied *Event
}

// pinnedCarrier copies on a stream of its own.
type pinnedCarrier struct {
	scope  *torch.Scope
	stream Stream
	places [2]place
}

func (c *pinnedCarrier) buffer(i int) ([]byte, error) {
	if err := c.places[i].copied.Synchronize(); err != nil {
		return nil, err
	}
	return c.places[i].pinned.Bytes(), nil
}

func (c *pinnedCarrier) send(i int, rows int64) (t *torch.Tensor, err error) {
	p := c.places[i]
	work := c.scope.Child()
	defer work.Close()
	// The tensor's memory is of this stream too: it was free there, so the copy need not wait for other streams.
	failed := torch.Try(func() {
		On(c.stream, func() {
			t = ToAsync(work, work.Use(p.pinned.Tensor()).Narrow(0, 0, rows), c.stream.Device())
			err = p.copied.Record(c.stream)
		})
	})
	if failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, err
	}
	return c.scope.Adopt(t), nil
}

func (c *pinnedCarrier) receive(i int, s *torch.Scope, t *torch.Tensor) error {
	here, err := CurrentStream(c.stream.Device())
	if err != nil {
		return err
	}
	if err := here.Wait(c.places[i].copied); err != nil {
		return err
	}
	if err := here.Uses(t); err != nil {
		return err
	}
	s.Adopt(t)
	return nil
}

// host is the CPU's: the buffers are ordinary memory, and what is sent is a copy.
type host struct {
	scope  *torch.Scope
	places [2]*Pinned
}

func newHost(s *torch.Scope, dtype torch.DType, shape []int64) (carrier, error) {
	c := &host{scope: s}
	for i := range c.places {
		t, err := torch.Try1(func() *torch.Tensor { return s.Empty(shape, torch.Options{DType: dtype}) })
		if err != nil {
			return nil, err
		}
		if c.places[i], err = newPinned("NewUploader", t); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *host) buffer(i int) ([]byte, error) { return c.places[i].Bytes(), nil }

func (c *host) send(i int, rows int64) (*torch.Tensor, error) {
	work := c.scope.Child()
	defer work.Close()
	return torch.Try1(func() *torch.Tensor {
		return c.scope.Adopt(ToAsync(work, work.Use(c.places[i].Tensor()).Narrow(0, 0, rows), torch.CPU))
	})
}

func (c *host) receive(_ int, s *torch.Scope, t *torch.Tensor) error {
	s.Adopt(t)
	return nil
}
