package torch

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
)

// Scope owns tensors and frees them together. Make one with [NewScope] or [Scope.Child], or let [Scoped] make and close
// it. A Scope is used by one goroutine at a time, except that several goroutines may make children of it.
type Scope struct {
	own     *owned // apart from the Scope, so that the cleanup of a lost Scope can reach it
	parent  *Scope
	depth   int
	sealed  bool
	slab    []Tensor // tensors are cut from slabs: one allocation for many results
	made    string   // where the scope was made; only in the invariants build
	cleanup runtime.Cleanup
}

// owned is what must be freed, the children's too. Whoever takes an owned out of its parent's children frees it.
type owned struct {
	parent     *owned
	closed     bool
	tensors    []ctorch.Handle
	vacant     int // number of a slot of tensors that is free, counted from 1; 0: none
	generators []ctorch.Handle
	closers    []func() // e.g. TorchScript modules

	mu       sync.Mutex
	children map[*owned]struct{}
}

func (o *owned) free() {
	o.mu.Lock()
	children := o.children
	o.children = nil
	o.mu.Unlock()
	for c := range children {
		c.free()
	}
	o.closed = true
	ctorch.Free(o.tensors)
	for _, g := range o.generators {
		ctorch.FreeGenerator(g)
	}
	for i := len(o.closers) - 1; i >= 0; i-- {
		o.closers[i]()
	}
	o.tensors, o.vacant, o.generators, o.closers = nil, 0, nil, nil
}

func (o *owned) empty() bool {
	for c := range o.children {
		if !c.empty() {
			return false
		}
	}
	for _, h := range o.tensors {
		if h > 0 {
			return false
		}
	}
	return len(o.generators)+len(o.closers) == 0
}

// Scopes that were never closed come here from the garbage collector; they are freed by the next scope that is made or
// closed, on a goroutine that works with tensors anyway.
var (
	lostMu    sync.Mutex
	lost      []*owned
	lostCount atomic.Int64
	anyLost   atomic.Bool
)

func freeLost() {
	if !anyLost.Load() {
		return
	}
	lostMu.Lock()
	l := lost
	lost = nil
	anyLost.Store(false)
	lostMu.Unlock()
	for _, o := range l {
		// A child's parent may be closed by another goroutine at this moment, or was, and freed it.
		if (o.parent == nil || o.parent.remove(o)) && !o.empty() {
			lostCount.Add(1)
			o.free()
		}
	}
}

// remove takes c out of the children, and tells whether it was there.
func (o *owned) remove(c *owned) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.children[c]
	delete(o.children, c)
	return ok
}

// LeakedScopes counts the scopes that the garbage collector found before they were closed, and that were freed since; that
// happens when the next scope is made or closed. One that owned nothing does not count, nor one that was freed with its
// parent.
func LeakedScopes() int64 { return lostCount.Load() }

// LiveTensors counts the tensor handles that exist in the process.
func LiveTensors() int64 { return ctorch.LiveTensors() }

// LiveBytes is the sum of their elements' bytes. A view counts as if it owned its elements; a tensor whose type or size is
// changed in place while it is referred to twice makes the sum inexact.
func LiveBytes() int64 { return ctorch.LiveBytes() }

// NewScope returns a scope without a parent.
func NewScope() *Scope {
	freeLost()
	s := &Scope{own: &owned{}}
	if invariants {
		s.made = caller()
	}
	s.cleanup = runtime.AddCleanup(s, lose, s.own)
	return s
}

func lose(o *owned) {
	lostMu.Lock()
	if o.parent == nil {
		lost = slices.Insert(lost, 0, o) // before its children, which are freed with it
	} else {
		lost = append(lost, o)
	}
	anyLost.Store(true)
	lostMu.Unlock()
}

// Child returns a scope inside s: results of its tensors and those of s belong to it, and closing s closes it.
// It panics if s is closed.
func (s *Scope) Child() *Scope {
	s.check("Child")
	c := &Scope{own: &owned{parent: s.own}, parent: s, depth: s.depth + 1}
	if invariants {
		c.made = caller()
	}
	s.own.mu.Lock()
	if s.own.children == nil {
		s.own.children = make(map[*owned]struct{})
	}
	s.own.children[c.own] = struct{}{}
	s.own.mu.Unlock()
	c.cleanup = runtime.AddCleanup(c, lose, c.own)
	return c
}

// Scoped calls f with a new scope and closes it when f returns or panics. A panic with *[Error] becomes the error.
func Scoped(f func(s *Scope) error) error { return run(NewScope(), f) }

// Scoped calls f with a child of s and closes it when f returns or panics. A panic with *[Error] becomes the error.
func (s *Scope) Scoped(f func(s *Scope) error) error { return run(s.Child(), f) }

func run(s *Scope, f func(s *Scope) error) (err error) {
	defer s.Close()
	defer recoverError(&err)
	return f(s)
}

// Close frees every tensor of s and of the scopes inside it. Closing twice is harmless.
func (s *Scope) Close() {
	if s.own.closed {
		return
	}
	s.cleanup.Stop()
	if s.parent == nil || s.parent.own.remove(s.own) {
		s.own.free()
	}
	s.slab = nil
	freeLost()
}

// Seal makes s refuse results from now on and returns s. Tensors can still be put in with [Scope.Adopt].
func (s *Scope) Seal() *Scope {
	s.sealed = true
	return s
}

// Unseal undoes [Scope.Seal], to build more into s.
func (s *Scope) Unseal() { s.sealed = false }

// Len is the number of tensors that s owns.
func (s *Scope) Len() int {
	n := 0
	for _, h := range s.own.tensors {
		if h > 0 {
			n++
		}
	}
	return n
}

// OnClose registers f to run when s is closed, or lost; the latest first. It is for things in C memory other than
// tensors, and f must not refer to s.
func (s *Scope) OnClose(f func()) {
	s.check("OnClose")
	s.own.closers = append(s.own.closers, f)
}

// Use returns a tensor of s that is the same tensor as t: same elements, same place in the graph. It is how a parameter
// from a sealed scope enters a formula without other operands, and how goroutines share a tensor.
func (s *Scope) Use(t *Tensor) *Tensor {
	s.check("Use")
	h, err := ctorch.AliasOf(t.handle("Use"))
	runtime.KeepAlive(t)
	must("Use", err)
	return s.adopt(h)
}

// Adopt moves t from its scope to s and returns it; s may be sealed. t outlives its former scope. (While t is referred to,
// the garbage collector does not find the former scope if that is lost: close scopes.)
func (s *Scope) Adopt(t *Tensor) *Tensor {
	s.check("Adopt")
	h := t.handle("Adopt")
	if t.scope == s {
		return t
	}
	t.scope.own.vacate(t.slot)
	s.put(t, h)
	return t
}

// adopt makes a tensor of s from an owned handle.
func (s *Scope) adopt(h ctorch.Handle) *Tensor {
	if len(s.slab) == 0 {
		s.slab = make([]Tensor, 32)
	}
	t := &s.slab[0]
	s.slab = s.slab[1:]
	s.put(t, h)
	return t
}

func (s *Scope) put(t *Tensor, h ctorch.Handle) {
	t.h, t.scope, t.slot = h, s, s.own.occupy(h)
}

// Slots that were left are used again, so that a loop that frees early does not grow its scope. They are chained: each
// holds minus the number of the next one, counted from 1, which no handle can be.
func (o *owned) vacate(slot int) {
	o.tensors[slot] = -ctorch.Handle(o.vacant)
	o.vacant = slot + 1
}

func (o *owned) occupy(h ctorch.Handle) int {
	if o.vacant == 0 {
		o.tensors = append(o.tensors, h)
		return len(o.tensors) - 1
	}
	slot := o.vacant - 1
	o.vacant = -int(o.tensors[slot])
	o.tensors[slot] = h
	return slot
}

func (s *Scope) check(op string) {
	if s.own.closed {
		panicf(op, ErrClosed, "the scope is closed%s", s.origin())
	}
}

func (s *Scope) origin() string {
	if s.made == "" {
		return ""
	}
	return " (made at " + s.made + ")"
}

// contains tells whether s is o or encloses it.
func (s *Scope) contains(o *Scope) bool {
	for o != nil && o.depth > s.depth {
		o = o.parent
	}
	return o == s
}

// unrelated stands for "no scope fits": two operands lie in scopes neither of which encloses the other. That matters only
// if there is a result to place; an in-place operation makes none.
var unrelated = &Scope{}

// join returns the scope for a result of operands in a and b: the inner one. nil means none yet; sealed scopes do not
// count.
func join(a, b *Scope) *Scope {
	switch {
	case b == nil || b.sealed || a == b || a == unrelated:
		return a
	case a == nil:
		return b
	case a.contains(b):
		return b
	case b.contains(a):
		return a
	}
	return unrelated
}

// caller names the first function outside this package on the stack.
func caller() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if !more || !inPackage(f.Function) {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
	}
}

func inPackage(function string) bool {
	const prefix = "github.com/tigas-train/tigas-train/cgo/torch."
	return len(function) > len(prefix) && function[:len(prefix)] == prefix
}
