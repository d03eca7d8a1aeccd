package trainers

import (
	"context"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
)

// startFeed reads ahead from where the stream is. The context is not that of the run: a step that has begun gets its data.
func (l *loop) startFeed() {
	p := pull(context.Background(), l.o.Loader)
	l.next, l.gpu.from = p.next, p
	l.stopFeed = func() {
		p.stop()
		l.stopAhead()
	}
}

// nextBatch copies the next batch to the device and maps its bytes to [-1, 1].
func (l *loop) nextBatch(s *torch.Scope) (*torch.Tensor, error) {
	defer l.phases.Begin("data")()
	if l.gpu.reads {
		return l.nextAhead(s)
	}
	b, err, ok := l.next()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, context.Canceled
	}
	l.taken(b, l.o.Loader.Broken())
	return Normalize(torch.FromSlice(s, b.Pixels, int64(b.N), 3, int64(b.R), int64(b.R)).ToDevice(l.o.Device)), nil
}

// nextAhead is nextBatch where batches are read ahead. Where there is no pinned memory for that, they are copied as they come.
func (l *loop) nextAhead(s *torch.Scope) (*torch.Tensor, error) {
	if l.gpu.ahead == nil {
		var err error
		if l.gpu.ahead, err = newAhead(l.scope, l.gpu.from, l.o.Device, l.o.Loader); err != nil {
			l.o.Console.Warn("training waits while batches are copied to the device: %s", err)
			l.gpu.reads = false
			return l.nextBatch(s)
		}
	}
	x, b, broken, err := l.gpu.ahead.take(s)
	if err != nil {
		return nil, err
	}
	l.taken(&b.Batch, broken)
	return Normalize(x), nil
}

// taken counts a batch that is trained on, and tells of the pictures that were broken up to it.
func (l *loop) taken(b *data.Batch, broken []data.Broken) {
	l.warnBroken(broken)
	l.s.Images += int64(b.N)
	l.s.Epoch = b.Epoch
	l.stats.epoch = epochAt(b.Epoch)
}

func (l *loop) warnBroken(broken []data.Broken) {
	for _, x := range broken {
		l.o.Console.Warn("skipping picture %d: %v", x.Index, x.Err)
	}
}

// position is where the loader is for a snapshot: what was taken, not what was read ahead.
func (l *loop) position() data.State {
	if a := l.gpu.ahead; a != nil {
		return a.before
	}
	return l.o.Loader.State()
}

// stopAhead drops what was read ahead, and puts the loader back to what was taken.
func (l *loop) stopAhead() {
	a := l.gpu.ahead
	if a == nil {
		return
	}
	l.warnBroken(a.close())
	l.gpu.ahead = nil
}
