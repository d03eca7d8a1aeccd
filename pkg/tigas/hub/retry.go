package hub

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	firstWait = 500 * time.Millisecond // doubled from try to try
	longWait  = 30 * time.Second       // and no longer than this
	mostWait  = 2 * time.Minute        // that a server may ask for
)

// retry runs try until it succeeds, fails for good, or has failed Retries times more without gaining anything.
func (k *call) retry(ctx context.Context, try func() (gained bool, err error)) error {
	wait := firstWait
	for left, tries := k.retries(), 1; ; tries++ {
		gained, err := try()
		var f *failure
		if err == nil || !errors.As(err, &f) || !f.again || ctx.Err() != nil {
			return err
		}
		if gained {
			left, wait = k.retries(), firstWait
		}
		if left == 0 || f.after > mostWait {
			last := *f
			if tries > 1 {
				last.what += fmt.Sprintf(" (after %d tries)", tries)
			}
			return &last
		}
		left--
		if err := k.rest(ctx, max(wait, f.after)); err != nil {
			return &failure{what: f.what, cause: err}
		}
		wait = min(2*wait, longWait)
	}
}

// rest sleeps.
func (c *Client) rest(ctx context.Context, d time.Duration) error {
	if c.sleep != nil {
		return c.sleep(ctx, d)
	}
	return pause(ctx, d)
}

// pause sleeps for d or until ctx ends, of which it returns the error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

var errStalled = errors.New("no byte came for too long")

// guard ends a try in which nothing comes any more.
type guard struct {
	context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	limit  time.Duration
}

// guarded starts the clock. The caller must call end.
func (k *call) guarded(ctx context.Context) *guard {
	ctx, cancel := context.WithCancelCause(ctx)
	limit := k.stall()
	return &guard{ctx, cancel, time.AfterFunc(limit, func() { cancel(errStalled) }), limit}
}

// fed starts the clock anew.
func (g *guard) fed() { g.timer.Reset(g.limit) }

func (g *guard) end() {
	g.timer.Stop()
	g.cancel(nil)
}
