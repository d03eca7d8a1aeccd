package nn

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Parent is implemented by modules whose parts are not fields, or whose names depend on their size. Children yields the
// parts with their names, in the order of registration; the walk then leaves the fields alone. A part is a module, a
// *torch.Tensor, which is a parameter, or a [Buffer].
type Parent interface {
	Children() iter.Seq2[string, any]
}

// Buffer marks a tensor among the children of a [Parent] as a buffer.
type Buffer struct{ Tensor *torch.Tensor }

// entry is one tensor of a module.
type entry struct {
	name   string
	tensor *torch.Tensor
	buffer bool
}

var tensorType = reflect.TypeFor[*torch.Tensor]()

// phase is the part of a struct that a pass over its fields visits: PyTorch lists a module's own tensors before those of
// its parts, wherever the fields stand.
type phase int

const (
	ownParams phase = iota
	ownBuffers
	parts
)

// walker visits every tensor and every module of a tree. Either function may be nil; tensor returns false to stop.
type walker struct {
	tensor func(entry) bool
	module func(any)
	path   []unsafe.Pointer // modules that are being visited
}

func (w *walker) walk(m any) { w.value(reflect.ValueOf(m), "", false) }

// value visits what v holds; false means stop.
func (w *walker) value(v reflect.Value, name string, buffer bool) bool {
	if !v.IsValid() {
		return true
	}
	if v.Type() == tensorType && v.CanInterface() {
		t := v.Interface().(*torch.Tensor)
		return t == nil || w.tensor == nil || w.tensor(entry{name, t, buffer})
	}
	switch v.Kind() {
	case reflect.Interface:
		return v.IsNil() || w.value(v.Elem(), name, buffer)
	case reflect.Pointer:
		if v.IsNil() {
			return true
		}
		p := v.UnsafePointer()
		if slices.Contains(w.path, p) && v.Elem().Kind() == reflect.Struct && v.Type().Elem().Size() > 0 {
			panic(fmt.Sprintf("nn: %s: the module contains itself: tag the field that points back with `torch:\"-\"`", name))
		}
		w.path = append(w.path, p)
		defer func() { w.path = w.path[:len(w.path)-1] }()
		if more, done := w.visit(v, name); done {
			return more
		}
		return w.fields(v.Elem(), name, buffer)
	case reflect.Struct, reflect.Slice:
		if v.Kind() == reflect.Struct && v.CanAddr() {
			// A part held by value: its methods may be those of the pointer.
			if more, done := w.visit(v.Addr(), name); done {
				return more
			}
		} else if more, done := w.visit(v, name); done {
			return more
		}
		return w.fields(v, name, buffer)
	}
	return true
}

// visit tells the module function of v and, if v lists its children itself, walks those; done then.
func (w *walker) visit(v reflect.Value, name string) (more, done bool) {
	if !v.CanInterface() {
		return true, false
	}
	m := v.Interface()
	if w.module != nil {
		w.module(m)
	}
	p, ok := m.(Parent)
	if !ok {
		return true, false
	}
	for child, part := range p.Children() {
		buffer, isBuffer := part.(Buffer)
		if isBuffer {
			part = buffer.Tensor
		}
		if !w.value(reflect.ValueOf(part), join(name, child), isBuffer) {
			return false, true
		}
	}
	return true, true
}

// fields visits the parts of a struct or slice; buffer says what tensors in a slice are.
func (w *walker) fields(v reflect.Value, name string, buffer bool) bool {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			if !w.value(v.Index(i), join(name, strconv.Itoa(i)), buffer) {
				return false
			}
		}
	case reflect.Struct:
		for p := ownParams; p <= parts; p++ {
			if !w.pass(v, name, p) {
				return false
			}
		}
	}
	return true
}

// pass visits the fields of struct v that belong to a phase.
func (w *walker) pass(v reflect.Value, prefix string, p phase) bool {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		tag, option, _ := strings.Cut(f.Tag.Get("torch"), ",")
		if tag == "-" {
			continue
		}
		if f.Anonymous && tag == "" {
			if !w.embedded(v.Field(i), prefix, p) {
				return false
			}
			continue
		}
		if !f.IsExported() {
			continue
		}
		buffer := option == "buffer"
		if f.Type == tensorType {
			if tag == "" || p == parts || buffer != (p == ownBuffers) {
				continue
			}
		} else if p != parts || !holdsModules(f.Type) {
			continue
		}
		if tag == "" {
			tag = strings.ToLower(f.Name)
		}
		if !w.value(v.Field(i), join(prefix, tag), buffer) {
			return false
		}
	}
	return true
}

// embedded passes over an embedded field as if its fields stood in the outer struct.
func (w *walker) embedded(v reflect.Value, prefix string, p phase) bool {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return true
		}
		v = v.Elem()
	}
	if v.Kind() == reflect.Struct {
		return w.pass(v, prefix, p)
	}
	return p != parts || w.fields(v, prefix, false)
}

// holdsModules keeps the walk away from fields such as numbers and functions.
func holdsModules(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface, reflect.Struct:
		return true
	case reflect.Pointer:
		return t.Elem().Kind() == reflect.Struct
	case reflect.Slice:
		return holdsModules(t.Elem())
	}
	return false
}

func join(prefix, name string) string {
	if prefix == "" || name == "" {
		return prefix + name
	}
	return prefix + "." + name
}
