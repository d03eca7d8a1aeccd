package models

import (
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"slices"

	"github.com/tigas-train/tigas-train/cgo/atomicfile"
	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// ScriptFile is a TorchScript file in memory: a network can be made of it more than once, whatever becomes of the file.
type ScriptFile struct {
	Path string
	Data []byte
}

// ReadScript reads a file that torch.jit.save wrote. What is in it is looked at when a network is made of it.
func ReadScript(path string) (ScriptFile, error) {
	f, err := atomicfile.OpenRegular(path)
	if err != nil {
		return ScriptFile{}, fmt.Errorf("models: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return ScriptFile{}, fmt.Errorf("models: %w", err)
	}
	return ScriptFile{path, b}, nil
}

// SHA256 is the checksum of the file, in hexadecimal digits.
func (f ScriptFile) SHA256() string { return fmt.Sprintf("%x", sha256.Sum256(f.Data)) }

// Script is a TorchScript module as a network: nn.Params, nn.StateDict, nn.Train and what builds on them take it. It is in
// training mode, in float32 and on the builder's device. Its tensors are those of the module: [Script.Save] writes what
// training has made of them.
//
// A parameter whose requires_grad is false is not trained, and counts as a buffer; where all of them are so, as in the copy
// that an average was kept in, all are trained.
type Script struct {
	file   ScriptFile
	module *jit.Module
	parts  []scriptPart
}

type scriptPart struct {
	name   string
	tensor *torch.Tensor
	buffer bool
}

// NewScript makes a network of f in b's scope. It returns an error for what is no TorchScript, and for a module without
// parameters, such as one that was frozen.
func NewScript(b nn.Builder, f ScriptFile) (*Script, error) {
	m, err := jit.LoadBytes(b.Scope, f.Data, b.Device, filepath.Base(f.Path))
	if err == nil {
		err = m.To(b.Device, torch.Float32)
	}
	if err != nil {
		return nil, fmt.Errorf("models: %s: %w", f.Path, err)
	}
	s := &Script{file: f, module: m}
	if s.parts, err = scriptParts(b.Scope, m); err != nil {
		return nil, fmt.Errorf("models: %s: %w", f.Path, err)
	}
	if !slices.ContainsFunc(s.parts, func(p scriptPart) bool { return !p.buffer }) {
		return nil, fmt.Errorf("models: %s has no parameters to train: save it with torch.jit.script(net).save(...), before any "+
			"torch.jit.freeze or optimize_for_inference", f.Path)
	}
	return s, err
}

// scriptParts are the tensors of a module, in s.
func scriptParts(s *torch.Scope, m *jit.Module) (parts []scriptPart, err error) {
	params, err := m.Parameters(s)
	if err != nil {
		return nil, err
	}
	buffers, err := m.Buffers(s)
	if err != nil {
		return nil, err
	}
	trained := slices.ContainsFunc(params, func(p jit.Named) bool { return p.Tensor.IsGradRequired() })
	for _, p := range params {
		if !trained {
			p.Tensor.RequiresGrad(true)
		}
		parts = append(parts, scriptPart{p.Name, p.Tensor, !p.Tensor.IsGradRequired()})
	}
	for _, b := range buffers {
		parts = append(parts, scriptPart{b.Name, b.Tensor, true})
	}
	return parts, m.Train(true)
}

// Children implements [nn.Parent].
func (s *Script) Children() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, p := range s.parts {
			var part any = p.tensor
			if p.buffer {
				part = nn.Buffer{Tensor: p.tensor}
			}
			if !yield(p.name, part) {
				return
			}
		}
	}
}

// SetTraining implements [nn.Trainable]. What torch.jit.trace made does not listen to it: it stays in the mode in which it was
// traced.
func (s *Script) SetTraining(on bool) {
	if err := s.module.Train(on); err != nil {
		panic(&torch.Error{Op: "Script", Msg: err.Error()})
	}
}

// String is the name of the file.
func (s *Script) String() string { return filepath.Base(s.file.Path) }

// Module is the TorchScript module itself, with the tensors as they are now.
func (s *Script) Module() *jit.Module { return s.module }

// tensors are the first n tensors of what a method returned: one, a tuple, a list or a dict of the names.
func tensors(out any, names ...string) ([]*torch.Tensor, error) {
	var list []any
	switch v := out.(type) {
	case *torch.Tensor:
		list = []any{v}
	case jit.Tuple:
		list = v
	case []any:
		list = v
	case map[string]any:
		for _, name := range names {
			list = append(list, v[name])
		}
	}
	var ts []*torch.Tensor
	for i := range names {
		if i < len(list) {
			if t, ok := list[i].(*torch.Tensor); ok && t != nil {
				ts = append(ts, t)
			}
		}
	}
	if len(ts) < len(names) {
		return nil, fmt.Errorf("got %T vs %d tensor(s): %v", out, len(names), names)
	}
	return ts, nil
}

// try calls f with a copy of the network, in evaluation and then in training mode, so that what is wrong with it is found
// before anything is trained, and nothing of it changes. f returns results that training would take the gradient of.
func (s *Script) try(f func(copy *Script, work *torch.Scope) []*torch.Tensor) error {
	return torch.Scoped(func(work *torch.Scope) error {
		m, err := s.module.Clone(work)
		if err != nil {
			return err
		}
		c := &Script{file: s.file, module: m}
		if c.parts, err = scriptParts(work, m); err != nil {
			return err
		}
		var out []*torch.Tensor
		for _, training := range []bool{false, true} {
			c.SetTraining(training)
			if err := torch.Try(func() { out = f(c, work) }); err != nil {
				return err
			}
		}
		after, err := scriptParts(work, m)
		if err != nil {
			return err
		}
		for i, p := range c.parts {
			if i >= len(after) || !torch.SameTensor(p.tensor, after[i].tensor) {
				return fmt.Errorf("its forward replaces %s by another tensor: change it in place, as in self.x.copy_(...)", p.name)
			}
		}
		return c.learns(out)
	})
}

// learns returns an error if no parameter has a gradient.
func (s *Script) learns(out []*torch.Tensor) error {
	sum := out[0].Sum()
	for _, t := range out[1:] {
		sum = sum.Add(t.Sum())
	}
	const hint = "is there a torch.no_grad or a detach in it, or was it traced in one?"
	if !sum.IsGradRequired() {
		return fmt.Errorf("its result does not depend on its parameters: %s", hint)
	}
	for _, g := range torch.Grad(sum, nn.ParamList(s), torch.GradOptions{AllowUnused: true}) {
		if g != nil {
			return nil
		}
	}
	return fmt.Errorf("none of its parameters has a gradient: %s", hint)
}
