package trainers

import (
	"context"
	"sync"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
)

// startFeed reads ahead from where the stream is. The context is not that of the run: a step that has begun gets its data.
func (l *loop) startFeed() { l.next, l.stopFeed = feed(context.Background(), l.o.Loader) }

// nextBatch copies the next batch to the device and maps its bytes to [-1, 1].
func (l *loop) nextBatch(s *torch.Scope) (*torch.Tensor, error) {
	defer l.phases.Begin("data")()
	b, err, ok := l.next()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, context.Canceled
	}
	for _, x := range l.o.Loader.Broken() {
		l.o.Console.Warn("skipping picture %d: %v", x.Index, x.Err)
	}
	l.s.Images += int64(b.N)
	l.s.Epoch = b.Epoch
	l.stats.epoch = epochAt(b.Epoch)
	return Normalize(torch.FromSlice(s, b.Pixels, int64(b.N), 3, int64(b.R), int64(b.R)).ToDevice(l.o.Device)), nil
}

// feed turns the loader's pushes into pulls with a goroutine. The batch stays valid until the next call.
func feed(ctx context.Context, loader *data.Loader) (next func() (*data.Batch, error, bool), stop func()) {
	type item struct {
		b   *data.Batch
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	want, have := make(chan struct{}), make(chan item)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(have)
		// One request, one batch: the loader may reuse a batch's memory as soon as it is asked for the next one.
		if _, ok := <-want; !ok {
			return
		}
		for b, err := range loader.Batches(ctx) {
			have <- item{b, err}
			if _, ok := <-want; !ok || err != nil {
				return
			}
		}
	}()
	next = func() (*data.Batch, error, bool) {
		select {
		case want <- struct{}{}:
		case <-done:
			return nil, nil, false
		}
		i, ok := <-have
		return i.b, i.err, ok
	}
	stop = sync.OnceFunc(func() {
		cancel()
		close(want)
		<-done
	})
	return next, stop
}
