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
// It returns an error for names that cannot be, and what Run panics of libtorch; traces do not nest. Any other panic of
// Run goes on.
func Trace(s *torch.Scope, params, buffers []Named, methods ...Method) (*Module, error) {
	torch.CheckScope(s, "jit")
	var names []string
	var handles []ctorch.Handle
	var kinds []int32
	for kind, list := range [][]Named{params, buffers} {
		for _, n := range list {
			if !dotted.MatchString(n.Name) || slices.ContainsFunc(strings.Split(n.Name, "."), func(p string) bool { return slices.Contains(keywords, p) }) {
				return nil, fmt.Errorf("jit: trace: got the tensor %q vs a dotted name", n.Name)
			}
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

func (m *Module) trace(method Method) (err error) {
	var names []string
	var handles []ctorch.Handle
	for _, n := range append([]Named{{Name: method.Name}}, method.Args...) {
		if !identifier.MatchString(n.Name) || slices.Contains(keywords, n.Name) || slices.Contains(names, n.Name) {
			return fmt.Errorf("jit: trace: got the name %q vs an identifier of its own", n.Name)
		}
		names = append(names, n.Name)
	}
	for _, n := range method.Args {
		handles = append(handles, torch.HandleOf(n.Tensor))
	}
	work := m.scope.Child() // until the results have been looked at
	defer work.Close()
	var other any // panic that is no *torch.Error: it must not pass through C++, which would go on tracing
	torch.NoGrad(func() {
		err = ctorch.JITTrace(m.ptr(), method.Name, names[1:], handles, func(args []ctorch.Handle) (results []ctorch.Handle, err error) {
			defer func() {
				if r := recover(); r != nil {
					other, err = r, fmt.Errorf("panic: %v", r)
				}
			}()
			in := make([]*torch.Tensor, len(args))
			for i, h := range args {
				in[i] = torch.AdoptHandle(work, h)
			}
			err = torch.Try(func() {
				for _, t := range method.Run(in) {
					results = append(results, torch.HandleOf(t))
				}
			})
			if err == nil && len(results) == 0 {
				err = fmt.Errorf("got no results")
			}
			return results, err
		})
	})
	runtime.KeepAlive(method.Args)
	runtime.KeepAlive(m)
	if other != nil {
		panic(other)
	}
	if err != nil {
		return fmt.Errorf("jit: trace %s: %w", method.Name, err)
	}
	return nil
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
