package models

import (
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"

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
// training mode, in float32 and on the builder's device. Its tensors are those of [Script.Module], which
// can be saved with what training has made of them.
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

// scriptParts are the tensors of a module, in s. One that has two names, as tied weights do, is the same part twice.
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
	err = torch.Try(func() {
		for i, n := range append(params, buffers...) {
			if torch.Try(func() { n.Tensor.DType() }) != nil {
				panic(&torch.Error{Op: "Script", Msg: n.Name + " has numbers of a type that cannot be trained or saved here"})
			}
			p := scriptPart{n.Name, n.Tensor, i >= len(params)}
			if same := slices.IndexFunc(parts, func(q scriptPart) bool { return torch.SameTensor(q.tensor, n.Tensor) }); same >= 0 {
				p.tensor, p.buffer = parts[same].tensor, parts[same].buffer
			} else if !p.buffer {
				if !trained && n.Tensor.DType().IsFloat() {
					n.Tensor.RequiresGrad(true)
				}
				p.buffer = !n.Tensor.IsGradRequired()
			}
			parts = append(parts, p)
		}
	})
	if err != nil {
		return nil, err
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
		got := "no tensor"
		switch v := out.(type) {
		case map[string]any:
			got = fmt.Sprintf("a dict of %v", slices.Sorted(maps.Keys(v)))
		case jit.Tuple, []any:
			got = fmt.Sprintf("%d value(s)", len(list))
		case *torch.Tensor:
			got = "one tensor"
		}
		return nil, fmt.Errorf("got %s vs %s", got, strings.Join(names, " and "))
	}
	return ts, nil
}

// copy is a network of its own in work, in training mode.
func (s *Script) copy(work *torch.Scope) (c *Script, err error) {
	c = &Script{file: s.file}
	if c.module, err = s.module.Clone(work); err == nil {
		c.parts, err = scriptParts(work, c.module)
	}
	return c, err
}

// try calls f with a copy of the network, in evaluation and then in training mode, so that what is wrong with it is found
// before anything is trained, and nothing of it changes. f makes n inputs, and returns results that training would take the
// gradient of.
func (s *Script) try(f func(copy *Script, work *torch.Scope, n int64) []*torch.Tensor, numbers ...int64) error {
	return torch.Scoped(func(work *torch.Scope) error {
		c, err := s.copy(work)
		if err != nil {
			return err
		}
		var out []*torch.Tensor
		// Two numbers: a network that was traced may take one only.
		for i, n := range numbers {
			c.SetTraining(i > 0)
			if err := torch.Try(func() { out = f(c, work, n) }); err != nil {
				return err
			}
		}
		after, err := scriptParts(work, c.module)
		if err != nil {
			return err
		}
		for i, p := range c.parts {
			// Up to 1.11 PyTorch's batch norm counted so; nobody reads it.
			counter := strings.HasSuffix(p.name, "num_batches_tracked")
			if i >= len(after) || !torch.SameTensor(p.tensor, after[i].tensor) && !counter {
				return fmt.Errorf("its forward replaces %s by another tensor: change it in place, as in self.x.copy_(...)", p.name)
			}
			if p.buffer && after[i].tensor.IsGradRequired() && !after[i].tensor.IsLeaf() {
				return fmt.Errorf("its buffer %s is changed by values that have a gradient: detach them", p.name)
			}
		}
		return c.learns(out)
	})
}

// Numbers of images that networks are tried with.
const tryEvaluating, tryTraining = 2, 3

// run calls a method in a trial, and refuses one that changes its arguments, which are the data.
func (s *Script) run(method string, args ...*torch.Tensor) any {
	list := make([]any, len(args))
	versions := make([]int64, len(args))
	version := func(x *torch.Tensor) int64 { return torch.CallMulti("aten::_version", x)[0].(int64) }
	for i, x := range args {
		list[i], versions[i] = x, version(x)
	}
	out := s.module.MustCall(method, list...)
	for i, x := range args {
		if version(x) != versions[i] {
			panic(&torch.Error{Op: "Script", Msg: method + ": it changes its argument in place, which is the data: begin with a copy, as in x = x * 0.5"})
		}
	}
	return out
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

// Uses tells whether a method has an operator, such as "aten::batch_norm".
func (s *Script) Uses(method, operator string) bool {
	ops, err := s.module.Ops(method)
	return err == nil && slices.Contains(ops, operator)
}

// stateful is the advice for a network that keeps more than tensors.
func (s *Script) stateful(methods ...string) string {
	for _, m := range methods {
		if s.Uses(m, "prim::SetAttr") {
			return fmt.Sprintf("%s sets attributes of its own as it computes (self.x = ...): snapshots have its parameters and buffers only", s)
		}
	}
	return ""
}
