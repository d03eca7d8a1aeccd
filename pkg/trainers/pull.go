package trainers

import (
	"context"
	"sync"

	"github.com/tigas-train/tigas-train/pkg/data"
)

// pulled is a batch of the loader, whose pixels are valid until the next one is asked for, or the error that ended the stream.
type pulled struct {
	data.Batch
	after data.State // of the loader behind it
	err   error
}

// puller turns the loader's pushes into pulls with a goroutine. One request, one batch: the loader may reuse a batch's memory as
// soon as it is asked for the next one.
type puller struct {
	want, done chan struct{}
	have       chan pulled
	stop       func() // ends the goroutine
}

func pull(ctx context.Context, loader *data.Loader) *puller {
	ctx, cancel := context.WithCancel(ctx)
	// Room for one, so that who asks goes on, and so does the goroutine if nobody comes for what was asked for.
	p := &puller{want: make(chan struct{}, 1), have: make(chan pulled, 1), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		defer close(p.have)
		if _, ok := <-p.want; !ok {
			return
		}
		for b, err := range loader.Batches(ctx) {
			i := pulled{err: err}
			if err == nil {
				i.Batch, i.after = *b, loader.State()
			}
			p.have <- i
			if _, ok := <-p.want; !ok || err != nil {
				return
			}
		}
	}()
	p.stop = sync.OnceFunc(func() {
		cancel()
		close(p.want)
		<-p.done
	})
	return p
}

// ask requests a batch, which [puller.wait] or [puller.poll] returns; there is one request at a time.
func (p *puller) ask() {
	select {
	case p.want <- struct{}{}:
	case <-p.done:
	}
}

// wait is the batch that was asked for.
func (p *puller) wait() pulled {
	i, ok := <-p.have
	if !ok {
		i.err = context.Canceled
	}
	return i
}

// poll is the batch that was asked for, if it is there.
func (p *puller) poll() (i pulled, there bool) {
	select {
	case i, ok := <-p.have:
		if !ok {
			i.err = context.Canceled
		}
		return i, true
	default:
		return pulled{}, false
	}
}

// next asks for a batch and waits for it; ok tells whether there is one, or an error that says why not. It stays valid until the
// next call.
func (p *puller) next() (b *data.Batch, err error, ok bool) {
	p.ask()
	i, ok := <-p.have
	return &i.Batch, i.err, ok
}
