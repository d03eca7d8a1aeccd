//go:build gotorch

package gotorch

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// steps counts the calls of Step that are under way, and keeps the settings that the last one restores.
var steps struct {
	sync.Mutex
	depth   int
	percent int
	limit   int64
}

// Step frees the tensors that gotorch has lost by now, then calls f with Go's collector off, so that it takes no operand
// from under an operator of gotorch's. Put one step of training into it:
//
//	for range n {
//		bridge.Step(func() { ... })
//	}
//
// What f computes is freed by the next Step, whatever of it is still referred to stays: unlike gotorch.GC, which does the
// same and waits for ever if anything is. Between two steps a collection may come at any time, so no call of gotorch's
// should be outside of one.
//
// The collector is that of the whole process; garbage of other goroutines waits for the next Step too. Inside of another
// Step only f is called. runtime.GC in another goroutine is not kept back.
func Step(f func()) {
	begin()
	defer end()
	f()
}

func begin() {
	steps.Lock()
	defer steps.Unlock()
	steps.depth++
	if steps.depth > 1 {
		return
	}
	steps.percent = debug.SetGCPercent(-1)
	steps.limit = debug.SetMemoryLimit(math.MaxInt64) // a limit starts collections too
	runtime.GC()                                      // ends one that was under way before it makes its own
	awaitFinalizers()
}

func end() {
	steps.Lock()
	defer steps.Unlock()
	steps.depth--
	if steps.depth == 0 {
		debug.SetGCPercent(steps.percent)
		debug.SetMemoryLimit(steps.limit)
	}
}

// awaitFinalizers waits until those that the collection found have run: memory that they are still to free would add to
// what the step takes. Another package's finalizer may hang, so it does not wait for long.
func awaitFinalizers() {
	m := []metrics.Sample{{Name: "/gc/finalizers/queued:finalizers"}, {Name: "/gc/finalizers/executed:finalizers"}}
	metrics.Read(m)
	if m[0].Value.Kind() != metrics.KindUint64 || m[1].Value.Kind() != metrics.KindUint64 {
		return
	}
	queued := m[0].Value.Uint64()
	for start := time.Now(); m[1].Value.Uint64() < queued && time.Since(start) < time.Second; metrics.Read(m[1:]) {
		time.Sleep(20 * time.Microsecond)
	}
}
