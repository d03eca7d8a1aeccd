package trainers

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// warmUps is how often a part runs as it is before it is recorded: cuDNN looks for its algorithms in the first run of each
// shape, and TorchScript looks at what it is given in two, forwards and backwards, and compiles in the third.
const warmUps = 4

// mostGraphs bounds the memory that recorded parts hold.
const mostGraphs = 8

// graphs are the parts of a run's steps that are replayed.
type graphs struct {
	scope  *torch.Scope // of all that belongs to them
	stream cuda.Stream
	parts  map[string]*captured
	first  *cuda.Graph // whose memory the others share: they are replayed one after the other, and what they report is copied at once
	forced bool        // what cannot be recorded is an error, and not a reason to go on without
}

// captured is one part: recorded, or not yet.
type captured struct {
	runs   int // as it is
	graph  *cuda.Graph
	inputs []*torch.Tensor
	report recorder
	values *torch.Tensor // of what is reported, a vector; nil for nothing
}

// recorder takes the place of the log while a part is recorded.
type recorder struct {
	scope   *torch.Scope // of the values
	names   []string
	values  []*torch.Tensor // float64 scalars
	numbers []namedValue    // of the host, which do not change
}

func (r *recorder) add(name string, v *torch.Tensor) {
	torch.NoGrad(func() { v = r.scope.Adopt(v.To(torch.Float64).Reshape()) })
	r.names, r.values = append(r.names, name), append(r.values, v)
}

// Captured runs a part of the step that does the same each time, with a scope of its own: part gets the inputs as tensors of
// that scope. On a GPU it is recorded as a CUDA graph when it has run some times, and then replayed: hundreds of operations
// for the price of one launch. RunOptions.CUDAGraphs says whether.
//
// What part does must depend on nothing but the inputs, the run's noise and tensors that stay where they are, such as
// weights: numbers of the host are those of the time when it was recorded, also in the log. So what changes from step to step must be in
// the inputs, or, if it has few values, in name. Inputs of other shapes are another part. It may not read what is computed;
// Report, Term, Apply and Update may be called in it, the latter with an optimiser that is Capturable (see [optim.AdamOptions]),
// Real and Count may not. Learning rates are set outside, see
// [Step.Update].
func (st *Step) Captured(name string, inputs []*torch.Tensor, part func(st *Step, inputs []*torch.Tensor) error) error {
	l := st.loop
	asItIs := func() error {
		return st.Sub(func(st *Step) error { return part(st, used(st.Scope, inputs)) })
	}
	if l.graphs == nil || st.recorder != nil {
		return asItIs()
	}
	c := l.graphs.part(name, inputs)
	if c.graph == nil {
		if c.runs++; c.runs <= warmUps || l.graphs.recorded() >= mostGraphs {
			return asItIs()
		}
		if err := l.record(st, c, inputs, part); err != nil {
			if l.graphs.forced || errors.Is(err, cuda.ErrSpoiled) {
				return fmt.Errorf("the step cannot be recorded as a CUDA graph; --cuda-graphs off goes on without: %w", err)
			}
			l.o.Console.Warn("without CUDA graphs: %s", err)
			l.dropGraphs()
			l.graphs = nil
			return asItIs()
		}
	}
	torch.NoGrad(func() {
		for i, x := range inputs {
			c.inputs[i].Copy_(x)
		}
	})
	if err := c.graph.Replay(); err != nil {
		return err
	}
	l.stats.addAll(c.report.names, c.values)
	for _, v := range c.report.numbers {
		l.stats.addNumber(v.Name, v.Value)
	}
	return nil
}

// mustRecord tells whether a part that cannot be recorded is an error.
func (st *Step) mustRecord() bool { return st.loop.graphs != nil && st.loop.graphs.forced }

// used are the tensors as tensors of s.
func used(s *torch.Scope, l []*torch.Tensor) []*torch.Tensor {
	out := make([]*torch.Tensor, len(l))
	for i, x := range l {
		out[i] = s.Use(x)
	}
	return out
}

// withTerm is Captured for a part that the term is in, with the factor w of now, which may be 0: for the part it is a tensor
// where it is to be one, since it changes from step to step while the term sets in. Augmentations are drawn on the host.
func (st *Step) withTerm(name string, t *tigas.Term, w float64, inputs []*torch.Tensor, part func(st *Step, inputs []*torch.Tensor, w *torch.Tensor) error) error {
	l := st.loop
	switch {
	case l.graphs == nil || t.Options.Augment != nil && w != 0:
		return st.Sub(func(st *Step) error { return part(st, used(st.Scope, inputs), nil) })
	case w == 0:
		return st.Captured(name, inputs, func(st *Step, in []*torch.Tensor) error { return part(st, in, nil) })
	}
	n := len(inputs)
	inputs = append(slices.Clip(inputs), st.Scope.Scalar(w, torch.Options{Device: l.o.Device}))
	return st.Captured(name+" with the term", inputs, func(st *Step, in []*torch.Tensor) error { return part(st, in[:n], in[n]) })
}

// record captures a part. When it cannot be, the run's random numbers are as they were.
func (l *loop) record(st *Step, c *captured, inputs []*torch.Tensor, part func(st *Step, inputs []*torch.Tensor) error) error {
	g := l.graphs
	// What the cache holds for the part as it is would be held a second time by the graph.
	if err := cuda.EmptyCache(); err != nil && !errors.Is(err, torch.ErrUnsupported) {
		return err
	}
	saved, err := l.noise.State(st.Scope)
	if err != nil {
		return err
	}
	for _, x := range inputs {
		c.inputs = append(c.inputs, g.scope.Call("aten::clone", x))
	}
	c.report = recorder{scope: g.scope.Child()}
	l.phases.Pause()
	defer l.phases.Resume()
	var failed error
	c.graph, err = cuda.Capture(g.scope, g.stream, cuda.CaptureOptions{Generators: []*torch.Generator{l.noise}, Beside: g.first}, func() {
		sub := *st
		sub.recorder = &c.report
		failed = sub.Sub(func(st *Step) error { return part(st, used(st.Scope, c.inputs)) })
		if failed == nil && len(c.report.values) > 0 {
			c.values = g.scope.Adopt(torch.Stack(c.report.values, 0))
		}
	})
	if err == nil {
		err = failed
	}
	if err == nil {
		if g.first == nil {
			g.first = c.graph
		}
		return nil
	}
	// A generator that was in a capture that failed is of no further use.
	c.graph = nil
	fresh, e := l.scope.NewGenerator(l.o.Device, 0)
	if e == nil {
		e = fresh.SetState(saved)
	}
	if e != nil {
		return fmt.Errorf("%w; and its random numbers are lost: %w", err, e)
	}
	*l.noise = *fresh
	return err
}

// part is the entry for a name and shapes.
func (g *graphs) part(name string, inputs []*torch.Tensor) *captured {
	key := name
	for _, x := range inputs {
		key += fmt.Sprint(" ", x.Shape())
	}
	if c := g.parts[key]; c != nil {
		return c
	}
	// Names with a number that never comes again must not fill the memory.
	if len(g.parts) > 8*mostGraphs {
		for k, c := range g.parts {
			if c.graph == nil {
				delete(g.parts, k)
			}
		}
	}
	c := &captured{}
	g.parts[key] = c
	return c
}

func (g *graphs) recorded() (n int) {
	for _, c := range g.parts {
		if c.graph != nil {
			n++
		}
	}
	return n
}

// dropGraphs forgets what was recorded.
func (l *loop) dropGraphs() {
	if l.graphs != nil {
		l.graphs.scope.Close()
		l.graphs.scope, l.graphs.parts, l.graphs.first = l.scope.Child(), map[string]*captured{}, nil
	}
}

// GraphMode says whether parts of steps are recorded as CUDA graphs.
type GraphMode string

// The values of `--cuda-graphs`.
const (
	GraphsAuto GraphMode = "auto" // on a GPU, where the step can be recorded
	GraphsOn   GraphMode = "on"   // a step that cannot be recorded is an error
	GraphsOff  GraphMode = "off"
)

// GraphModes lists them in the order of the help text.
var GraphModes = []GraphMode{GraphsAuto, GraphsOn, GraphsOff}

// ParseGraphMode reads one of the names in [GraphModes]; for another one it returns an error that lists them.
func ParseGraphMode(s string) (GraphMode, error) {
	if m := GraphMode(s); slices.Contains(GraphModes, m) {
		return m, nil
	}
	return "", fmt.Errorf("trainers: got %q for CUDA graphs vs one of %v", s, GraphModes)
}

// onStream runs f on a stream of its own where parts are to be recorded: the default stream cannot be.
func (l *loop) onStream(f func() error) (err error) {
	d := l.o.Device
	if l.o.CUDAGraphs == GraphsOff || l.o.CUDAGraphs == "" || !d.IsCUDA() {
		return f()
	}
	stream, err := cuda.NewStream(d)
	if err == nil {
		err = cuda.Synchronize(d) // networks were made on the default stream
	}
	if err != nil {
		return err
	}
	l.graphs = &graphs{scope: l.scope.Child(), stream: stream, parts: map[string]*captured{}, forced: l.o.CUDAGraphs == GraphsOn}
	cuda.On(stream, func() {
		err = f()
		if e := stream.Synchronize(); err == nil {
			err = e
		}
	})
	return err
}
