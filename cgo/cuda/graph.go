package cuda

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// ErrSpoiled: something was recorded that CUDA does not record, and libtorch's cache does not recover from that: memory that
// several streams use is not given back any more in this process. Save what there is, and start again without that graph.
var ErrSpoiled = errors.New("the capture is invalid")

// Graph is work that a device was given once and can be given again as a whole: hundreds of operations for the price of
// one launch, in which the host's part does not take place again. It belongs to a scope, which frees it.
//
// What is replayed are the same kernels on the same memory. So numbers that the host knew when it was recorded stay as they
// were, and tensors that were made meanwhile keep their place and get new contents: those that are to be read afterwards
// must live as long as the graph, and new input is copied into the tensors that the first one was in.
type Graph struct {
	scope *torch.Scope
	c     *graphCell
}

// graphCell is what the scope frees; it must not refer to the scope.
type graphCell struct {
	h      ctorch.Graph
	stream Stream
}

// CaptureOptions are the settings of [Capture]. The zero value is a graph by itself that draws from libtorch's default generator.
type CaptureOptions struct {
	Generators []*torch.Generator // that f draws from, in place of the default one
	Beside     *Graph             // shares its memory with this one
}

// Capture records what f queues on stream, which is not done: only Replay does it. f must not read what is computed (the
// operation that would panics), nor allocate other memory than libtorch's. Random numbers of generators move on with each
// replay as they would have with each call of f; the default generator may not be drawn from if others are given.
//
// Memory that is free when the graph Beside has ended is used by both: they must be replayed one after
// the other, and what is read after a replay must be read, or copied, before the other one's.
//
// The graph belongs to s. When f panics with a *torch.Error, as an operation of libtorch that would wait does, Capture returns
// that and nothing is changed, but what f did on the host. Where CUDA itself found something that cannot be recorded the error
// wraps [ErrSpoiled]. It wraps [ErrNoCUDA] for a stream of the CPU. Only one capture may be under way. Meanwhile nothing is
// tried again that is short of memory.
func Capture(s *torch.Scope, stream Stream, o CaptureOptions, f func()) (*Graph, error) {
	const op = "Capture"
	torch.CheckScope(s, "cuda."+op)
	if !stream.device.IsCUDA() {
		return nil, &cudaError{text: fmt.Sprintf("%s: got the stream of %s vs one of CUDA", op, stream.device), kind: ErrNoCUDA}
	}
	var hs []ctorch.Handle
	for _, g := range o.Generators {
		hs = append(hs, torch.HandleOfGenerator(g))
	}
	var beside ctorch.Graph
	if o.Beside != nil {
		torch.CheckScope(o.Beside.scope, "cuda."+op)
		beside = o.Beside.c.h
	}
	c := &graphCell{stream: stream}
	var failed error
	On(stream, func() {
		h, err := ctorch.GraphBegin(stream.device.Index(), hs, beside)
		if err != nil {
			failed = wrap(op, err)
			return
		}
		done := false
		end := func() error { // the stream must leave the mode, whatever was recorded
			done = true
			if err := ctorch.GraphEnd(h); err != nil {
				text, _ := reason(err)
				return &cudaError{text: op + ": " + text, kind: ErrSpoiled}
			}
			return nil
		}
		defer func() {
			if !done { // f panics
				_ = end()
				ctorch.GraphFree(h)
			}
		}()
		failed = torch.Try(f)
		if err = end(); err == nil && failed == nil {
			c.h = h
			return
		}
		ctorch.GraphFree(h)
		switch {
		case err != nil && failed != nil:
			failed = fmt.Errorf("%w; before that: %w", err, failed)
		case err != nil:
			failed = err
		}
	})
	runtime.KeepAlive(o)
	if failed != nil {
		return nil, failed
	}
	s.OnClose(func() { ctorch.GraphFree(c.h) })
	return &Graph{s, c}, nil
}

// Replay queues what was recorded, on the stream that it was recorded on, behind what is queued there already. It does not
// wait for it.
func (g *Graph) Replay() error {
	const op = "Graph.Replay"
	torch.CheckScope(g.scope, "cuda."+op)
	var err error
	On(g.c.stream, func() { err = ctorch.GraphReplay(g.c.h) })
	return wrap(op, err)
}
