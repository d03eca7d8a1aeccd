package nn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// LoadOptions say what may differ between a module and a state dict. The zero value is PyTorch's strict=True: nothing.
type LoadOptions struct {
	AllowMissing    bool // tensors of the module that the dict lacks keep their values
	AllowUnexpected bool // tensors of the dict that the module lacks are left out
}

// LoadError lists what does not fit between a module and a state dict.
type LoadError struct {
	Missing    []string // the module has them, the dict does not; in the module's order
	Unexpected []string // the dict has them, the module does not; sorted
	Misshapen  []string // "name: got [2 3] vs [3 3]", the dict's shape first
}

func (e *LoadError) Error() string {
	var lists []string
	for _, l := range []struct {
		what  string
		names []string
	}{{"missing", e.Missing}, {"unexpected", e.Unexpected}, {"misshapen", e.Misshapen}} {
		if len(l.names) > 0 {
			lists = append(lists, fmt.Sprintf("%d %s (%s)", len(l.names), l.what, few(l.names)))
		}
	}
	return "nn: load: the state dict does not fit the module: " + strings.Join(lists, ", ")
}

func few(l []string) string {
	if len(l) > 4 {
		return strings.Join(l[:4], ", ") + ", ..."
	}
	return strings.Join(l, ", ")
}

// LoadStateDict copies the tensors of dict into m's of the same names, converting element types and devices. When
// something does not fit, it returns a *[LoadError] with everything that does not, and has copied nothing.
func LoadStateDict(m any, dict map[string]*torch.Tensor, o LoadOptions) error {
	var e *LoadError
	err := torch.Try(func() {
		if e = compare(m, dict, o); e != nil {
			return
		}
		torch.NoGrad(func() {
			for name, t := range StateDict(m) {
				if src := dict[name]; src != nil {
					t.Copy_(src)
				}
			}
		})
	})
	if e != nil {
		return e
	}
	return err
}

// compare returns nil when dict fits m.
func compare(m any, dict map[string]*torch.Tensor, o LoadOptions) *LoadError {
	var e LoadError
	known := map[string]bool{}
	for name, t := range StateDict(m) {
		known[name] = true
		src := dict[name]
		if src == nil {
			if !o.AllowMissing {
				e.Missing = append(e.Missing, name)
			}
		} else if got, want := src.Shape(), t.Shape(); !slices.Equal(got, want) {
			e.Misshapen = append(e.Misshapen, fmt.Sprintf("%s: got %v vs %v", name, got, want))
		}
	}
	for name := range dict {
		if !known[name] && !o.AllowUnexpected {
			e.Unexpected = append(e.Unexpected, name)
		}
	}
	slices.Sort(e.Unexpected)
	if len(e.Missing)+len(e.Unexpected)+len(e.Misshapen) > 0 {
		return &e
	}
	return nil
}

// Load is [LoadStateDict] for a dict that must have every tensor of m, and must have no others unless these are
// tolerated.
func Load(m any, dict map[string]*torch.Tensor, tolerateUnexpected bool) error {
	return LoadStateDict(m, dict, LoadOptions{AllowUnexpected: tolerateUnexpected})
}

// Copy copies every tensor of src into the one of the same name in dst: two modules of one architecture. It returns a
// *[LoadError] when they are not.
func Copy(dst, src any) error {
	dict := map[string]*torch.Tensor{}
	for name, t := range StateDict(src) {
		dict[name] = t
	}
	return LoadStateDict(dst, dict, LoadOptions{})
}
