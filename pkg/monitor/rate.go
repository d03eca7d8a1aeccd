package monitor

import (
	"math"
	"time"
)

// Rate measures how fast a run goes and how long it still takes, from this session only: what a resumed run did before,
// perhaps on another machine, says nothing about the time that is left.
type Rate struct {
	begun, first, last point // start of the session, end of its first tick, end of its latest
	tick               time.Duration
	perSec             float64
	n                  int // ticks so far
}

type point struct {
	when   time.Time
	images int64
}

// NewRate starts measuring. images is the number of images that the run had seen by then: 0, or that of the snapshot.
func NewRate(now time.Time, images int64) *Rate {
	p := point{now, images}
	return &Rate{begun: p, first: p, last: p}
}

// Observe ends a tick: images is the number of images seen since the start of the run.
func (r *Rate) Observe(now time.Time, images int64) {
	p := point{now, images}
	r.tick = now.Sub(r.last.when)
	r.perSec = speed(r.last, p)
	if r.n == 0 {
		r.first = p
	}
	r.last = p
	r.n++
}

// Elapsed returns the time from the start of the session to the latest tick.
func (r *Rate) Elapsed() time.Duration { return r.last.when.Sub(r.begun.when) }

// Since returns the time from the start of the session to now.
func (r *Rate) Since(now time.Time) time.Duration { return now.Sub(r.begun.when) }

// TickTime returns the duration of the latest tick.
func (r *Rate) TickTime() time.Duration { return r.tick }

// PerSecond returns the images per second during the latest tick; 0 before the first.
func (r *Rate) PerSecond() float64 { return r.perSec }

// SessionPerSecond returns the images per second of the session. The first tick counts only as long as there is no
// other: it contains what is slow once, such as the first call of every kernel.
func (r *Rate) SessionPerSecond() float64 {
	if r.n > 1 {
		return speed(r.first, r.last)
	}
	return speed(r.begun, r.last)
}

// ETA returns the time until the run has seen total images, by the session's speed; 0 if it has already, and -1 as
// long as the speed is not known.
func (r *Rate) ETA(total int64) time.Duration {
	left := float64(total - r.last.images)
	if left <= 0 {
		return 0
	}
	v := r.SessionPerSecond()
	if v <= 0 {
		return -1
	}
	d := math.Round(left / v * float64(time.Second))
	if d >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(d)
}

func speed(a, b point) float64 {
	sec := b.when.Sub(a.when).Seconds()
	if sec <= 0 || b.images <= a.images {
		return 0
	}
	return float64(b.images-a.images) / sec
}
