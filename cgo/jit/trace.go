package jit

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Method is a method of the module that [Trace] makes.
type Method struct {
	Name string  // "forward"
	Args []Named // its arguments by name, with values to try it with
	// Run computes the results, at least one. What it leaves in the scope of its arguments is freed.
	Run func(args []*torch.Tensor) []*torch.Tensor
}

var dotted = regexp.MustCompile(`^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$`)

// Trace makes a module in s from Go code, as torch.jit.trace does from Python: each method is run once, without recording
// gradients, and the operators that it calls become the method. Tensors with the names of PyTorch's state dict, such as
// "main.0.weight", become parameters and buffers of modules inside each other; the module shares them.
//
// What is not an operator is not seen: numbers that Go code reads, the sizes of a tensor among them, become constants, and so
// do tensors that are neither arguments nor listed, branches that are not taken, and the mode of layers. A method that is
// to take any number of images leaves that size to libtorch (-1 in [torch.Tensor.Reshape]); one that is to run on other
// devices makes no tensors but from its arguments. Random numbers are drawn anew in each call.
//
// It returns an error for names that cannot be, and what Run panics of libtorch; any other panic goes on. Run is
// called on a goroutine of its own, which Trace waits for.
func Trace(s *torch.Scope, params, buffers []Named, methods ...Method) (*Module, error) {
	torch.CheckScope(s, "jit")
	if err := checkNames(params, buffers, methods); err != nil {
		return nil, fmt.Errorf("jit: trace: %w", err)
	}
	var names []string
	var handles []ctorch.Handle
	var kinds []int32
	for kind, list := range [][]Named{params, buffers} {
		for _, n := range list {
			names, handles, kinds = append(names, n.Name), append(handles, torch.HandleOf(n.Tensor)), append(kinds, int32(kind))
		}
	}
	m, err := ctorch.JITModule(names, handles, kinds)
	runtime.KeepAlive(params)
	runtime.KeepAlive(buffers)
	if err != nil {
		return nil, failure("trace", err)
	}
	out := own(s, m, "traced module")
	for _, method := range methods {
		if err := out.trace(method); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// checkNames refuses names that cannot be, or stand for two things: what libtorch would say of them is hard to read.
func checkNames(params, buffers []Named, methods []Method) error {
	taken := map[string]bool{"training": true} // the mode
	for _, m := range methods {
		taken[m.Name] = true
	}
	classes := map[string]string{} // modules by the name of their class, in which dots are _
	for _, n := range append(slices.Clone(params), buffers...) {
		if !dotted.MatchString(n.Name) || slices.ContainsFunc(strings.Split(n.Name, "."), func(p string) bool { return slices.Contains(keywords, p) }) {
			return fmt.Errorf("got the tensor %q vs a dotted name", n.Name)
		}
		if taken[n.Name] {
			return fmt.Errorf("got the tensor %q and something else of that name", n.Name)
		}
		taken[n.Name] = true
	}
	for name := range taken {
		for at := strings.LastIndexByte(name, '.'); at >= 0; at = strings.LastIndexByte(name[:at], '.') {
			module := name[:at]
			if taken[module] {
				return fmt.Errorf("got the tensor %q in %q, which is something else", name, module)
			}
			class := strings.ReplaceAll(module, ".", "_")
			if other, ok := classes[class]; ok && other != module {
				return fmt.Errorf("got the modules %q and %q, whose names differ in dots only", min(module, other), max(module, other))
			}
			classes[class] = module
		}
	}
	return nil
}

func (m *Module) trace(method Method) (err error) {
	var names []string
	var handles []ctorch.Handle
	for _, n := range append([]Named{{Name: method.Name}}, method.Args...) {
		if !isIdentifier(n.Name) || slices.Contains(names, n.Name) {
			return fmt.Errorf("jit: trace: got the name %q vs an identifier of its own", n.Name)
		}
		names = append(names, n.Name)
	}
	for _, n := range method.Args {
		handles = append(handles, torch.HandleOf(n.Tensor))
	}
	run := &tracing{module: m, method: method, names: names[1:], handles: handles}
	// On a thread of its own: where Run leaves by Goexit, as a test does that fails, C++ is not told, and goes on tracing there.
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		run.do()
		runtime.UnlockOSThread() // else the thread ends with the goroutine
	}()
	<-done
	runtime.KeepAlive(method.Args)
	runtime.KeepAlive(m)
	switch {
	case run.other != nil:
		panic(run.other)
	case !run.returned:
		runtime.Goexit()
	case run.err != nil:
		return fmt.Errorf("jit: trace %s: %w", method.Name, run.err)
	}
	return nil
}

// tracing is one method being traced.
type tracing struct {
	module  *Module
	method  Method
	names   []string
	handles []ctorch.Handle

	err      error
	other    any  // a panic that is no *torch.Error: it must not pass through C++
	returned bool // and not left by Goexit
}

func (t *tracing) do() {
	work := t.module.scope.Child() // until the results have been looked at
	defer work.Close()
	torch.NoGrad(func() {
		t.err = ctorch.JITTrace(t.module.ptr(), t.method.Name, t.names, t.handles, func(args []ctorch.Handle) (results []ctorch.Handle, err error) {
			defer func() {
				if r := recover(); r != nil {
					t.other, err = r, fmt.Errorf("panic: %v", r)
				}
			}()
			in := make([]*torch.Tensor, len(args))
			for i, h := range args {
				in[i] = torch.AdoptHandle(work, h)
			}
			err = torch.Try(func() {
				for _, x := range t.method.Run(in) {
					results = append(results, torch.HandleOf(x))
				}
			})
			if err == nil && len(results) == 0 {
				err = fmt.Errorf("got no results")
			}
			return results, err
		})
	})
	t.returned = true
}

// Add adds methods to a module of [Trace], as source text in TorchScript, which may call those that it has; see [Define].
func (m *Module) Add(source string) error {
	if err := checkSource(source); err != nil {
		return fmt.Errorf("jit: add: %w", err)
	}
	err := ctorch.JITSource(m.ptr(), source)
	runtime.KeepAlive(m)
	return m.fail("add", err)
}

// Graph returns a method's operators as TorchScript's intermediate form writes them.
func (m *Module) Graph(method string) (string, error) {
	t, err := ctorch.JITGraph(m.ptr(), method)
	runtime.KeepAlive(m)
	return t, m.fail(method, err)
}
