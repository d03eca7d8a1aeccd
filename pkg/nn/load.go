package nn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// LoadError lists what does not fit between a module and a state dict.
type LoadError struct {
	Missing    []string // the module has them, the dict does not
	Unexpected []string // the dict has them, the module does not
	Shapes     []string // "name: got [..] vs [..]"
}

func (e *LoadError) Error() string {
	var parts []string
	for _, p := range []struct {
		what string
		l    []string
	}{{"missing", e.Missing}, {"unexpected", e.Unexpected}, {"misshapen", e.Shapes}} {
		if len(p.l) > 0 {
			parts = append(parts, fmt.Sprintf("%d %s (%s)", len(p.l), p.what, few(p.l)))
		}
	}
	return "nn: load: the state dict does not fit the module: " + strings.Join(parts, ", ")
}

func few(l []string) string {
	if len(l) > 4 {
		return strings.Join(l[:4], ", ") + ", ..."
	}
	return strings.Join(l, ", ")
}

// Load copies the tensors of dict into m's, converting element types and devices. Nothing is copied unless all fits: it
// returns a *[LoadError] otherwise. Unexpected names are an error too unless they are tolerated.
func Load(m any, dict map[string]*torch.Tensor, tolerateUnexpected bool) error {
	var e LoadError
	seen := map[string]bool{}
	for name, t := range StateDict(m) {
		seen[name] = true
		src, ok := dict[name]
		if !ok {
			e.Missing = append(e.Missing, name)
		} else if a, b := src.Shape(), t.Shape(); !slices.Equal(a, b) {
			e.Shapes = append(e.Shapes, fmt.Sprintf("%s: got %v vs %v", name, a, b))
		}
	}
	if !tolerateUnexpected {
		for name := range dict {
			if !seen[name] {
				e.Unexpected = append(e.Unexpected, name)
			}
		}
		slices.Sort(e.Unexpected)
	}
	if len(e.Missing)+len(e.Unexpected)+len(e.Shapes) > 0 {
		return &e
	}
	return torch.Try(func() {
		torch.NoGrad(func() {
			for name, t := range StateDict(m) {
				t.Copy_(dict[name])
			}
		})
	})
}

// Copy copies every tensor of src into the one of the same name in dst: two modules of one architecture.
func Copy(dst, src any) error {
	dict := map[string]*torch.Tensor{}
	for name, t := range StateDict(src) {
		dict[name] = t
	}
	return Load(dst, dict, false)
}
