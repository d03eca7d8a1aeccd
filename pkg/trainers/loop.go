package trainers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"time"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/monitor/diagnose"
)

// ErrInterrupted: the context ended; a snapshot was written.
var ErrInterrupted = errors.New("interrupted")

// OutputError is that of a file of the run folder that could not be written.
type OutputError struct {
	Err error // what the system said, such as syscall.ENOSPC
}

// Error is the text of Err as it is.
func (e *OutputError) Error() string { return e.Err.Error() }

// Unwrap returns Err, for errors.Is and errors.As.
func (e *OutputError) Unwrap() error { return e.Err }

// output marks an error as one of writing; nil stays nil.
func output(err error) error {
	if err == nil {
		return nil
	}
	return &OutputError{err}
}

// RunOptions are the settings of the loop, the same for every family.
type RunOptions struct {
	Kimg     float64 `json:"kimg"`          // length of the run in thousands of real images shown
	TickKimg float64 `json:"tick_kimg"`     // length of a tick; 0: a 50th of the run, at most 4
	SnapKimg float64 `json:"snap_kimg"`     // distance of pictures; 0: an 8th of the run, at most 200
	SaveKimg float64 `json:"snapshot_kimg"` // distance of snapshots; 0: that of pictures
	Grid     int     `json:"grid"`          // pictures along each side of the sample grid; 0: 8
	Seed     int64   `json:"seed"`          // of the noise in training and of the latents of the sample grid

	Keep     checkpoint.Retention `json:"-"` // which snapshots stay
	Best     string               `json:"-"` // value of the log that the best snapshot has the lowest mean of, or with - in front the highest; "": none
	Resume   string               `json:"-"` // snapshot to continue from; "": a new run
	OnResume func() error         `json:"-"` // called when that was read and fits, before the run changes anything; may be nil
	// TensorBoard has an event file written into Out, Diagnosis the log looked at for diseases that are told on Console; it may be
	// nil. Neither failing ends the run.
	TensorBoard bool          `json:"-"`
	Diagnosis   *diagnose.Run `json:"-"`

	Precision  Precision `json:"precision"`   // of the passes through the networks; "" is FP32
	CUDAGraphs GraphMode `json:"cuda_graphs"` // see [GraphModes]; "" is GraphsOff

	Config  string             `json:"-"` // JSON that goes into every snapshot, so that the file alone is enough to sample from
	Device  torch.Device       `json:"-"`
	Loader  *data.Loader       `json:"-"`
	Out     *checkpoint.Run    `json:"-"`
	Console *monitor.Console   `json:"-"`
	OnTick  func(monitor.Tick) `json:"-"` // may be nil
}

// Resolve fills in the distances, and the size of the grid, that zero values stand for.
func (o RunOptions) Resolve() RunOptions {
	if o.TickKimg == 0 {
		o.TickKimg = min(4, o.Kimg/50)
	}
	if o.SnapKimg == 0 {
		o.SnapKimg = min(200, o.Kimg/8)
	}
	if o.SaveKimg == 0 {
		o.SaveKimg = o.SnapKimg
	}
	if o.Grid == 0 {
		o.Grid = 8
	}
	return o
}

// validate refuses words that are none.
func (o RunOptions) validate() error {
	if o.Precision != "" {
		if _, err := ParsePrecision(string(o.Precision)); err != nil {
			return err
		}
	}
	if o.CUDAGraphs == "" {
		return nil
	}
	_, err := ParseGraphMode(string(o.CUDAGraphs))
	return err
}

// loop is one call of [Run].
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
	real   measured      // of real pictures

	s      state
	phases monitor.Phases
	gpu    gpu
	graphs *graphs // parts of steps that are replayed; nil: none
	steps  int     // since the last line of the log, in this session
	drawn  bool    // the snapshot that the run goes on from has its pictures
	observers
	rate     *monitor.Rate
	next     func() (*data.Batch, error, bool)
	stopFeed func()
	failed   int   // snapshots in a row that could not be written
	saved    int64 // the step of the newest snapshot
	warned   bool  // that there is no best snapshot
	broken   bool  // memory ran out in the middle of a step
	diverged error // was seen in values that had crossed over

	learners  map[string]*learner // of [Step.Update]
	scalers   scalers
	constants map[string]bool // buffers that are not finite, and are meant so

	plant  func(name string, v *torch.Tensor) *torch.Tensor // of tests: changes a part of the loss
	uncast bool                                             // of tests: passes are in float32 whatever the precision
}

// Run trains f for Kimg thousand images: it draws sample pictures and writes snapshots into Out, appends to its log.jsonl
// and shows ticks on Console. It returns nil when the run is complete, an error that wraps [ErrInterrupted] when ctx
// ended it (after a snapshot), one that wraps [ErrDiverged], or what went wrong.
//
// With Resume it goes on from a snapshot of such a run, in the same folder: on the same machine, with the same number of
// threads and the same options, what comes is bit for bit what would have come without the interruption.
func Run(ctx context.Context, f Family, o RunOptions) (err error) {
	// libtorch keeps a team of worker threads for every OS thread that ever computed: stay on one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	o = o.Resolve()
	if err = o.validate(); err != nil {
		return err
	}
	if err = o.Precision.check(o.Device); err != nil {
		return err
	}
	l := &loop{o: o, f: f, scope: torch.NewScope()}
	defer l.scope.Close()
	defer o.Console.Done()
	l.stats = newStats(l.scope)
	l.stats.seen = l.leftOut
	l.startGPU()
	l.s = state{Skipped: map[string]int{}, NextTick: o.TickKimg, NextPictures: o.SnapKimg, NextSnapshot: o.SaveKimg, Draw: true}
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
	if err := o.Out.Inside(o.Out.Log()); err != nil {
		return output(err)
	}
	if l.log, err = monitor.OpenJSONLog(o.Out.Log()); err != nil {
		return output(err)
	}
	defer func() {
		if e := l.log.Close(); err == nil {
			err = output(e)
		}
	}()
	return l.onStream(func() error { return l.session(ctx) })
}

// session is what Run does with what it opened.
func (l *loop) session(ctx context.Context) error {
	if err := guarded(l.begin); err != nil {
		return err
	}
	l.startObservers()
	defer l.stopObservers()
	l.startFeed()
	defer func() { l.stopFeed() }()
	defer l.breakdown()
	defer l.dropGraphs()
	err := guarded(func() error { return l.train(ctx) })
	if errors.Is(err, torch.ErrOutOfMemory) {
		l.dropGraphs() // to have some
		return guarded(func() error { return l.saveAfter(err) })
	}
	return err
}

// guarded returns what f panics of libtorch as an error.
func guarded(f func() error) (err error) {
	if e := torch.Try(func() { err = f() }); e != nil {
		return e
	}
	return err
}

// begin writes the first snapshot of a new run, or goes on from one.
func (l *loop) begin() error {
	if err := l.noteConstants(); err != nil {
		return err
	}
	if l.o.Resume == "" {
		l.rate = monitor.NewRate(time.Now(), 0)
		return l.save()
	}
	if err := l.load(l.o.Resume); err != nil {
		return err
	}
	if l.o.OnResume != nil {
		if err := l.o.OnResume(); err != nil {
			return err
		}
	}
	l.rate = monitor.NewRate(time.Now(), l.s.Images)
	if n := l.o.Loader.Len(); n != l.s.Pictures {
		l.o.Console.Warn("the data has %d pictures and had %d: what comes is not what would have come", n, l.s.Pictures)
	}
	// Lines after the snapshot are made again.
	var err error
	if l.drawn, err = l.log.Rewind(l.s.LogBytes, l.s.Step); err != nil {
		l.o.Console.Warn("%s", err)
	}
	return nil
}

// train runs steps until the length of the run is reached. A step takes as many batches as it wants.
func (l *loop) train(ctx context.Context) error {
	if err := l.unlessUnwritten(l.firstPictures(ctx)); err != nil {
		return l.orStop(ctx, err)
	}
	for l.kimg() < l.o.Kimg {
		if err := l.step(); err != nil {
			if errors.Is(err, ErrDiverged) {
				if err = l.rollBack(err); err == nil {
					continue
				}
			}
			return fmt.Errorf("step %d (kimg %.1f): %w", l.s.Step, l.kimg(), err)
		}
		l.s.Step++
		l.s.Draw = false
		done := l.kimg() >= l.o.Kimg
		if done || l.s.Tick == 0 || l.kimg() >= l.s.NextTick {
			l.s.NextTick = l.kimg() + l.o.TickKimg
			if err := l.endTick(); err != nil {
				return err
			}
			if l.diverged != nil { // as the values say that have crossed over now
				if err := l.rollBack(l.diverged); err != nil {
					return fmt.Errorf("step %d (kimg %.1f): %w", l.s.Step, l.kimg(), err)
				}
				continue
			}
		}
		l.s.Draw = passed(&l.s.NextPictures, l.o.SnapKimg, l.kimg()) || done
		due := passed(&l.s.NextSnapshot, l.o.SaveKimg, l.kimg()) || done
		if !done && ctx.Err() != nil {
			return l.orStop(ctx, ctx.Err())
		}
		// Weights, then pictures: on a disk that is nearly full the weights matter more.
		if due {
			if err := l.snapshot(done); err != nil {
				return err
			}
		}
		if l.s.Draw {
			err := l.pictures(ctx)
			if !done {
				err = l.unlessUnwritten(err)
			}
			if err != nil {
				return l.orStop(ctx, err)
			}
		}
	}
	return nil
}

// unlessUnwritten is err, or a warning in its place if all that went wrong is that pictures could not be written.
func (l *loop) unlessUnwritten(err error) error {
	if unwritten := (*OutputError)(nil); errors.As(err, &unwritten) {
		l.o.Console.Warn("no pictures: %s", unwritten)
		return nil
	}
	return err
}

// passed tells whether a position has been reached, and then sets the next one.
func passed(next *float64, distance, at float64) bool {
	if at < *next {
		return false
	}
	*next = after(distance, at)
	return true
}

// after is the first multiple of a distance behind a position.
func after(distance, at float64) float64 { return (math.Floor(at/distance) + 1) * distance }

// orStop is err, or what is to be said of a run that was told to stop: it has a snapshot then, and no pictures, which may take
// minutes.
func (l *loop) orStop(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	where := l.o.Out.Dir
	if l.saved != l.s.Step {
		err := l.save()
		switch {
		case errors.Is(err, ErrDiverged):
			where += ", of an earlier step: " + err.Error()
		case err != nil:
			return err
		}
	}
	reason := ""
	if cause := context.Cause(ctx); cause != ctx.Err() {
		reason = " (" + cause.Error() + ")"
	}
	return fmt.Errorf("%w%s at step %d (kimg %.1f); the snapshot is in %s", ErrInterrupted, reason, l.s.Step, l.kimg(), where)
}

// saveAfter keeps what there is when memory ran out in the middle of a step.
func (l *loop) saveAfter(cause error) error {
	if all, err := l.o.Out.Snapshots(); err == nil && len(all) > 0 && all[len(all)-1].Images >= l.s.Images {
		return fmt.Errorf("%w; the snapshot of step %d is in %s", cause, all[len(all)-1].Step, l.o.Out.Dir)
	}
	l.broken = true
	if err := l.save(); err != nil {
		return fmt.Errorf("%w; and no snapshot could be written: %w", cause, err)
	}
	return fmt.Errorf("%w; a snapshot of step %d (kimg %.1f) is in %s", cause, l.s.Step, l.kimg(), l.o.Out.Dir)
}

// mostFailed is how many snapshots in a row may fail to be written.
const mostFailed = 3

// snapshot is save that survives a disk that is full for a while, except at the end.
func (l *loop) snapshot(last bool) error {
	err := l.save()
	switch {
	case err == nil:
		l.failed = 0
		if l.o.Best != "" && l.s.Measure == nil && !l.warned && l.kimg() > l.o.Kimg/2 {
			l.warned = true
			l.o.Console.Warn("no best snapshot is kept: half of the run is over, and the log has no value %q yet", strings.TrimPrefix(l.o.Best, "-"))
		}
		return nil
	case errors.Is(err, ErrDiverged):
		return l.rollBack(err)
	}
	if l.failed++; last || l.failed >= mostFailed {
		return err
	}
	l.o.Console.Warn("no snapshot: %s; the next attempt is in a tick", err)
	l.s.NextSnapshot = l.s.NextTick
	return nil
}

func (l *loop) kimg() float64 { return float64(l.s.Images) / 1000 }

func (l *loop) step() error {
	l.stats.beginStep(l.s.Step)
	if l.diverged != nil {
		return l.diverged
	}
	l.steps++
	defer l.phases.Begin("other")()
	return l.scope.Scoped(func(s *torch.Scope) error {
		return l.f.Step(&Step{Scope: s, Progress: l.s.Progress, Noise: l.noise, Choice: l.choice, loop: l})
	})
}

// endTick logs the means since the last tick, which cross over from the device in one piece.
func (l *loop) endTick() error {
	if err := l.reportScales(); err != nil {
		return err
	}
	var values []monitor.Value
	for _, v := range l.stats.take() {
		if v.Name == droppedTerm {
			if v.Value > 0 {
				l.o.Console.Warn("the TIGAS term was not finite in %.3g%% of the steps before step %d: it was left out there", 100*v.Value, l.s.Step)
				values = append(values, monitor.Value(v))
			}
			continue
		}
		values = append(values, monitor.Value(v))
		if name, highest := strings.CutPrefix(l.o.Best, "-"); name == v.Name && finite(v.Value) {
			measure := v.Value
			if highest {
				measure = -measure
			}
			l.s.Measure = &measure
		}
	}
	for _, o := range l.f.Optimizers() {
		values = append(values, monitor.Value{Name: "lr_" + o.Name, Value: o.LR()})
	}
	if t := l.f.TIGAS(); t.Detector != nil && t.Weight != nil {
		values = append(values, monitor.Value{Name: "tigas_weight", Value: t.Weight.At(l.s.Progress)})
	}
	ended := l.stats.epochs.take(l.s.Epoch)
	if n := len(ended); n > 0 { // the recipe's line
		l.o.Console.Message("Epoch %d: Average TIGAS score = %.4f", ended[n-1].Epoch, ended[n-1].Score)
	}
	values = append(values, epochValues(ended)...)
	steps := l.steps
	values = append(values, l.times()...)
	values = append(values, l.memory()...)
	l.rate.Observe(time.Now(), l.s.Images)
	t := monitor.Tick{
		N: l.s.Tick, Step: l.s.Step, Kimg: l.kimg(), Total: l.o.Kimg, Epoch: l.s.Epoch,
		Elapsed: time.Duration(l.s.ElapsedSec*float64(time.Second)) + l.rate.Elapsed(),
		Rate:    l.rate.PerSecond(), Values: values, ETA: l.rate.ETA(int64(l.o.Kimg * 1000)),
	}
	if l.s.Tick == 0 && t.Kimg < t.Total {
		t.ETA = -1 // the first step has what is slow only once
	}
	l.s.Tick++
	l.o.Console.Tick(t)
	if l.o.OnTick != nil {
		l.o.OnTick(t)
	}
	if err := l.log.Tick(t); err != nil {
		return output(err)
	}
	l.observe(t, steps, ended)
	return nil
}
