package jit

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Module is a TorchScript module. It belongs to the scope that it was made in and is freed with it.
type Module struct {
	m     ctorch.Module
	state *state
	scope *torch.Scope
	name  string // for error texts: the file's path, or how it was made
}

type state struct{ closed bool }

// own makes a module of s, which is open: every caller has checked.
func own(s *torch.Scope, m ctorch.Module, name string) *Module {
	st := &state{}
	s.OnClose(func() {
		st.closed = true
		ctorch.JITFree(m)
	})
	return &Module{m: m, state: st, scope: s, name: name}
}

func (m *Module) ptr() ctorch.Module {
	if m.state.closed {
		panic(&torch.Error{Op: "jit", Kind: torch.ErrClosed, Msg: m.name + ": module used after its scope was closed"})
	}
	return m.m
}

// Load reads a TorchScript file, as torch.jit.save writes it, onto a device. The module belongs to s.
// A file that is not TorchScript, or is damaged, gives an error that says what it seems to be; so does one that was forged to
// make libtorch read outside of its memory. But TorchScript is a program, which may divide by zero or never end: load files
// from people whom you trust, as with Python.
func Load(s *torch.Scope, path string, d torch.Device) (*Module, error) {
	torch.CheckScope(s, "jit")
	info, err := os.Stat(path) // first: opening a pipe waits for somebody who writes to it
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("jit: load: %w", err)
	}
	return LoadBytes(s, data, d, path)
}

// LoadBytes is Load from memory. name stands for the file's path in error texts.
func LoadBytes(s *torch.Scope, data []byte, d torch.Device, name string) (*Module, error) {
	torch.CheckScope(s, "jit")
	if err := check(data); err != nil {
		return nil, fmt.Errorf("jit: load %s: %w", name, err)
	}
	m, err := ctorch.JITLoad(data, torch.DeviceCode(d))
	if err != nil {
		return nil, failure("load "+name, err)
	}
	return own(s, m, name), nil
}

// Named is a tensor with the name that PyTorch's state dict gives it.
type Named struct {
	Name   string
	Tensor *torch.Tensor
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// keywords of Python: an attribute of that name could be saved and not be read again.
var keywords = strings.Fields(`False None True and as assert async await break class continue def del elif else except
	finally for from global if import in is lambda nonlocal not or pass raise return try while with yield`)

// isIdentifier tells whether an attribute, method or argument may have a name.
func isIdentifier(name string) bool {
	return identifier.MatchString(name) && !slices.Contains(keywords, name)
}

// Define makes a module from source: the text of one or more methods in TorchScript, which find the tensors as
// attributes of self. Names must be identifiers, without dots, and differ. The module is in training mode and shares the tensors,
// so that an optimiser that changes them changes the module; requires_grad of parameters is as the tensors have it.
//
// An error in the source says where it is.
func Define(s *torch.Scope, params, buffers []Named, source string) (*Module, error) {
	torch.CheckScope(s, "jit")
	var names []string
	var handles []ctorch.Handle
	var kinds []int32
	for kind, list := range [][]Named{params, buffers} {
		for _, n := range list {
			if !isIdentifier(n.Name) {
				return nil, fmt.Errorf("jit: define: got the name %q vs an identifier", n.Name)
			}
			if slices.Contains(names, n.Name) { // libtorch would keep the first and drop the second
				return nil, fmt.Errorf("jit: define: got the name %q twice", n.Name)
			}
			names = append(names, n.Name)
			handles = append(handles, torch.HandleOf(n.Tensor))
			kinds = append(kinds, int32(kind))
		}
	}
	if err := checkSource(source); err != nil {
		return nil, fmt.Errorf("jit: define: %w", err)
	}
	m, err := ctorch.JITDefine(names, handles, kinds, nil, source)
	runtime.KeepAlive(params)
	runtime.KeepAlive(buffers)
	if err != nil {
		return nil, failure("define", err)
	}
	return own(s, m, "defined module"), nil
}

// Wrap makes a module in s whose only tensors are those of m, which source knows as self.net:
//
//	def forward(self, x: Tensor) -> Tensor:
//	    return self.net.forward(x)[0]
//
// It is in m's mode. Freezing it inlines m and drops what the source does not use. The wrapper's class, some kilobytes,
// stays with m: wrap once and not in a loop.
func (m *Module) Wrap(s *torch.Scope, source string) (*Module, error) {
	torch.CheckScope(s, "jit")
	if err := checkSource(source); err != nil {
		return nil, fmt.Errorf("jit: wrap: %w", err)
	}
	w, err := ctorch.JITDefine(nil, nil, nil, m.ptr(), source)
	runtime.KeepAlive(m)
	if err != nil {
		return nil, m.fail("wrap", err)
	}
	out := own(s, w, m.name)
	training, err := m.IsTraining()
	if err != nil {
		return nil, err
	}
	return out, out.Train(training)
}

// Freeze returns a copy in s whose parameters and attributes are constants of its graph, with batch norms folded into
// convolutions and branches that nobody takes removed. Gradients still flow to its inputs. Load it onto its device
// before: constants do not move. It returns an error if the module is in training mode.
func (m *Module) Freeze(s *torch.Scope) (*Module, error) {
	torch.CheckScope(s, "jit")
	f, err := ctorch.JITFreeze(m.ptr())
	runtime.KeepAlive(m)
	if err != nil {
		return nil, m.fail("freeze", err)
	}
	return own(s, f, m.name), nil
}

// Clone returns a deep copy in s, with tensors of its own that require gradients where m's do, and have none yet.
func (m *Module) Clone(s *torch.Scope) (*Module, error) {
	torch.CheckScope(s, "jit")
	c, err := ctorch.JITClone(m.ptr())
	runtime.KeepAlive(m)
	if err != nil {
		return nil, m.fail("clone", err)
	}
	return own(s, c, m.name), nil
}

// Train sets training mode, or evaluation mode when on is false.
func (m *Module) Train(on bool) error {
	err := ctorch.JITTrain(m.ptr(), on)
	runtime.KeepAlive(m)
	return m.fail("train", err)
}

// IsTraining reads the mode.
func (m *Module) IsTraining() (bool, error) {
	on, err := ctorch.JITIsTraining(m.ptr())
	runtime.KeepAlive(m)
	return on, m.fail("training", err)
}

// To moves parameters and buffers to a device, and converts floating-point ones to dtype unless that is DefaultDType.
func (m *Module) To(d torch.Device, dtype torch.DType) error {
	err := ctorch.JITTo(m.ptr(), torch.DeviceCode(d), torch.DTypeCode(dtype))
	runtime.KeepAlive(m)
	return m.fail("to", err)
}

// Parameters returns the parameters with their dotted names, as tensors of s that share the module's.
func (m *Module) Parameters(s *torch.Scope) ([]Named, error) { return m.tensors(s, false) }

// Buffers returns the buffers with their dotted names, as tensors of s that share the module's.
func (m *Module) Buffers(s *torch.Scope) ([]Named, error) { return m.tensors(s, true) }

func (m *Module) tensors(s *torch.Scope, buffers bool) ([]Named, error) {
	torch.CheckScope(s, "jit")
	names, handles, err := ctorch.JITTensors(m.ptr(), buffers)
	runtime.KeepAlive(m)
	if err != nil {
		return nil, m.fail("parameters", err)
	}
	out := make([]Named, len(handles))
	for i, h := range handles {
		out[i] = Named{names[i], torch.AdoptHandle(s, h)}
	}
	return out, nil
}

// Methods lists the names of the methods.
func (m *Module) Methods() ([]string, error) {
	l, err := ctorch.JITMethods(m.ptr())
	runtime.KeepAlive(m)
	return l, m.fail("methods", err)
}

// Ops returns the names of the operators that a method uses, with those of the methods it calls, sorted: "aten::conv2d",
// "prim::If" and so on.
func (m *Module) Ops(method string) ([]string, error) {
	t, err := ctorch.JITOps(m.ptr(), method)
	runtime.KeepAlive(m)
	return strings.Fields(t), m.fail("ops", err)
}

// Schema returns a method's arguments and results as TorchScript writes them.
func (m *Module) Schema(method string) (string, error) {
	t, err := ctorch.JITSchema(m.ptr(), method)
	runtime.KeepAlive(m)
	return t, m.fail(method, err)
}

func (m *Module) fail(what string, err error) error {
	if err == nil {
		return nil
	}
	return failure(m.name+": "+what, err)
}

// libError is an error of libtorch; it wraps torch.ErrOutOfMemory and the like where one fits.
type libError struct {
	text string // without the package's name
	kind error
}

func (e *libError) Error() string { return "jit: " + e.text }
func (e *libError) Unwrap() error { return e.kind }

func failure(what string, err error) error {
	return &libError{text: what + ": " + reason(err), kind: torch.KindOf(err)}
}

// reason is the last telling line of what libtorch said: an interpreter error begins with a stack of TorchScript frames.
func reason(err error) string {
	var c *ctorch.Error
	if !errors.As(err, &c) {
		return err.Error()
	}
	msg := c.Msg
	if i := strings.LastIndex(msg, "RuntimeError: "); i >= 0 {
		msg = msg[i+len("RuntimeError: "):]
	}
	msg, _, _ = strings.Cut(msg, "Exception raised from")
	msg, _, _ = strings.Cut(msg, " frame #") // of C++
	return strings.Join(strings.Fields(msg), " ")
}
