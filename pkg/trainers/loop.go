package trainers

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/sched"
)

// Errors of [Run] that callers branch on.
var (
	// ErrDiverged: gradients were not finite for too many updates in a row.
	ErrDiverged = errors.New("training diverged")
	// ErrInterrupted: the context ended; a snapshot was written.
	ErrInterrupted = errors.New("interrupted")
)

// maxSkips is how many updates in a row may be left out before a run is given up.
const maxSkips = 50

// RunOptions are the settings of the loop, the same for every family.
type RunOptions struct {
	Kimg     float64 `json:"kimg"`      // length of the run in thousands of real images shown
	TickKimg float64 `json:"tick_kimg"` // length of a tick; 0: a 50th of the run, at most 4
	SnapKimg float64 `json:"snap_kimg"` // distance of pictures and snapshots; 0: an 8th of the run, at most 200
	Grid     int     `json:"grid"`      // pictures along each side of the sample grid; 0: 8
	Seed     int64   `json:"seed"`

	Config  string             `json:"-"` // JSON that goes into every snapshot, so that the file alone is enough to sample from
	Device  torch.Device       `json:"-"`
	Loader  *data.Loader       `json:"-"`
	Out     *checkpoint.Run    `json:"-"`
	Console *monitor.Console   `json:"-"`
	OnTick  func(monitor.Tick) `json:"-"` // may be nil
}

func (o RunOptions) resolve() RunOptions {
	if o.TickKimg == 0 {
		o.TickKimg = min(4, o.Kimg/50)
	}
	if o.SnapKimg == 0 {
		o.SnapKimg = min(200, o.Kimg/8)
	}
	if o.Grid == 0 {
		o.Grid = 8
	}
	return o
}

// loop is the state of one call of [Run].
type loop struct {
	o      RunOptions
	f      Family
	scope  *torch.Scope
	stats  *stats
	log    *monitor.JSONLog
	noise  *torch.Generator
	choice *torch.Generator
	fixed  *torch.Tensor // latents of the sample grid
	known  *torch.Tensor // real images to reconstruct; nil for a family that cannot

	next  func() (*data.Batch, error, bool)
	p     sched.Progress
	rate  *monitor.Rate
	tick  int
	skips map[string]int // updates left out in a row, by network
}

// Run trains f for Kimg thousand images: it draws sample pictures and writes snapshots into Out, appends to its log.jsonl
// and shows ticks on Console. It returns nil when the run is complete, an error that wraps [ErrInterrupted] when ctx
// ended it (after a snapshot), one that wraps [ErrDiverged], or what went wrong.
func Run(ctx context.Context, f Family, o RunOptions) (err error) {
	// libtorch keeps a team of worker threads for every OS thread that ever computed: stay on one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l := &loop{o: o.resolve(), f: f, scope: torch.NewScope(), skips: map[string]int{}}
	defer l.scope.Close()
	defer o.Console.Done()
	l.stats = newStats(l.scope)
	if l.noise, err = l.scope.NewGenerator(o.Device, o.Seed+1); err != nil {
		return err
	}
	fixed, err := l.scope.NewGenerator(torch.CPU, o.Seed+2)
	if err != nil {
		return err
	}
	l.fixed = DrawLatents(l.scope, f, fixed, l.o.Grid*l.o.Grid, o.Device)
	if l.choice, err = l.scope.NewGenerator(torch.CPU, o.Seed+3); err != nil {
		return err
	}
	if l.log, err = monitor.OpenJSONLog(o.Out.Log()); err != nil {
		return err
	}
	defer func() {
		if e := l.log.Close(); err == nil {
			err = e
		}
	}()
	return l.train(ctx)
}

// train runs steps until the length of the run is reached. A step takes as many batches as it wants.
func (l *loop) train(ctx context.Context) error {
	feed, stop := feed(ctx, l.o.Loader)
	defer stop()
	l.next = feed
	l.rate = monitor.NewRate(time.Now(), l.p.Images)
	if err := l.pictures(ctx, true); err != nil {
		if ctx.Err() != nil {
			err = l.stop()
		}
		return err
	}
	nextTick, nextSnap := l.o.TickKimg, l.o.SnapKimg
	for l.kimg() < l.o.Kimg {
		if err := l.step(); err != nil {
			if ctx.Err() != nil {
				return l.stop()
			}
			return fmt.Errorf("step %d (kimg %.1f): %w", l.p.Step, l.kimg(), err)
		}
		l.p.Step++
		done := l.kimg() >= l.o.Kimg
		if done || l.tick == 0 || l.kimg() >= nextTick {
			nextTick = l.kimg() + l.o.TickKimg
			if err := l.endTick(); err != nil {
				return err
			}
		}
		if !done && ctx.Err() != nil {
			return l.stop()
		}
		if done || l.kimg() >= nextSnap {
			for nextSnap <= l.kimg() {
				nextSnap += l.o.SnapKimg
			}
			// Weights, then pictures: on a disk that is nearly full the weights matter more.
			if err := l.save(); err != nil {
				return err
			}
			if err := l.pictures(ctx, false); err != nil {
				if ctx.Err() != nil {
					err = l.interrupted()
				}
				return err
			}
		}
	}
	return nil
}

// stop ends an interrupted run: with a snapshot, without the pictures, which may take minutes.
func (l *loop) stop() error {
	if err := l.save(); err != nil {
		return err
	}
	return l.interrupted()
}

func (l *loop) interrupted() error {
	return fmt.Errorf("%w at step %d (kimg %.1f); the snapshot is in %s", ErrInterrupted, l.p.Step, l.kimg(), l.o.Out.Dir)
}

func (l *loop) kimg() float64 { return float64(l.p.Images) / 1000 }

func (l *loop) step() error {
	return l.scope.Scoped(func(s *torch.Scope) error {
		return l.f.Step(&Step{Scope: s, Progress: l.p, Noise: l.noise, Choice: l.choice, loop: l})
	})
}

// nextBatch copies the next batch to the device and maps its bytes to [-1, 1].
func (l *loop) nextBatch(s *torch.Scope) (*torch.Tensor, error) {
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
	l.p.Images += int64(b.N)
	l.p.Epoch = b.Epoch
	return Normalize(torch.FromSlice(s, b.Pixels, int64(b.N), 3, int64(b.R), int64(b.R)).ToDevice(l.o.Device)), nil
}

// updated counts what became of an update: err is nil, or says why it was left out.
func (l *loop) updated(name string, err error) error {
	if err == nil {
		l.skips[name] = 0
		return nil
	}
	l.skips[name]++
	one := l.scope.Scalar(1)
	l.stats.add("skipped_"+name, one)
	one.Free()
	switch n := l.skips[name]; {
	case n == 1:
		l.o.Console.Warn("the gradient of %s is not finite at step %d: the update is left out", name, l.p.Step)
	case n > maxSkips:
		return fmt.Errorf("%w: the gradient of %s was not finite %d times in a row: lower the learning rates", ErrDiverged,
			name, n)
	}
	return nil
}

// endTick logs the means since the last tick. Reading them is the only time that the loop waits for the device.
func (l *loop) endTick() error {
	var values []monitor.Value
	for _, v := range append(l.stats.take(), l.f.LearningRates()...) {
		values = append(values, monitor.Value(v))
	}
	l.rate.Observe(time.Now(), l.p.Images)
	t := monitor.Tick{
		N: l.tick, Step: l.p.Step, Kimg: l.kimg(), Total: l.o.Kimg, Epoch: l.p.Epoch, Elapsed: l.rate.Elapsed(),
		Rate: l.rate.PerSecond(), Values: values, ETA: l.rate.ETA(int64(l.o.Kimg * 1000)),
	}
	if l.tick == 0 && t.Kimg < t.Total {
		t.ETA = -1 // the first step has what is slow only once
	}
	l.tick++
	l.o.Console.Tick(t)
	if l.o.OnTick != nil {
		l.o.OnTick(t)
	}
	return l.log.Tick(t)
}

// save writes a snapshot.
func (l *loop) save() error {
	return checkpoint.Save(l.o.Out.Snapshot(l.kimg()), l.f.Tensors(), map[string]string{
		"step": fmt.Sprint(l.p.Step), "images": fmt.Sprint(l.p.Images), "format": "tigas-train 1", "config": l.o.Config,
	})
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
	stop = func() {
		cancel()
		close(want)
		<-done
	}
	return next, stop
}
