package trainers

import (
	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
)

// ahead brings batches to a device one ahead: while one is trained on, the next one is copied on a stream of its own. All of it
// is called by the goroutine that computes; pictures are decoded by those of the loader.
type ahead struct {
	scope  *torch.Scope // of the buffers
	from   *puller
	loader *data.Loader
	up     *cuda.Uploader
	next   *readAhead // nil: none
	before data.State // where the loader is for those who know nothing of next: behind the batch that was taken last
}

// readAhead is a batch that was not taken yet, or the end of the stream.
type readAhead struct {
	pulled
	sent   bool          // it is on its way
	broken []data.Broken // pictures that were met up to it
}

// newAhead begins to read. Its buffers have a scope of their own, which closes with it.
func newAhead(s *torch.Scope, from *puller, d torch.Device, l *data.Loader) (*ahead, error) {
	r := int64(l.Resolution())
	a := &ahead{scope: s.Child(), from: from, loader: l, before: l.State()}
	var err error
	if a.up, err = cuda.NewUploader(a.scope, d, torch.Uint8, int64(l.Batch()), 3, r, r); err != nil {
		a.scope.Close()
		return nil, err
	}
	from.ask()
	return a, nil
}

// take returns the next batch as a tensor of s, [N, 3, R, R] of bytes, and what is to be noted of it; its pixels are no longer
// valid. It waits only for a batch that the loader does not have yet.
func (a *ahead) take(s *torch.Scope) (x *torch.Tensor, b pulled, broken []data.Broken, err error) {
	if a.next == nil {
		a.got(a.from.wait())
	}
	next := a.next
	if next.err != nil {
		return nil, next.pulled, nil, next.err
	}
	if err := a.send(); err != nil {
		return nil, pulled{}, nil, err
	}
	if x, err = a.up.Take(s); err != nil {
		return nil, pulled{}, nil, err
	}
	a.next, a.before = nil, next.after
	// The loader was asked for the next one when this one was sent: mostly it is there. If it cannot be sent now, it can perhaps
	// when it is taken, and there is more memory.
	if i, ok := a.from.poll(); ok {
		a.got(i)
		if i.err == nil {
			_ = a.send()
		}
	}
	return x, next.pulled, next.broken, nil
}

func (a *ahead) got(i pulled) { a.next = &readAhead{pulled: i, broken: a.loader.Broken()} }

// send puts the next batch on its way, unless it is, and asks the loader for the one behind it: the bytes are copied by then.
func (a *ahead) send() error {
	if a.next.sent {
		return nil
	}
	if err := a.up.Put(a.next.Pixels); err != nil {
		return err
	}
	a.next.sent = true
	a.from.ask()
	return nil
}

// close ends it; the puller has ended before. It puts the loader back to what was taken, and returns the broken pictures of the
// batch that was not, of which the loader does not tell again.
func (a *ahead) close() (broken []data.Broken) {
	a.scope.Close()
	a.loader.Restore(a.before)
	if a.next != nil {
		broken = a.next.broken
	}
	return broken
}
