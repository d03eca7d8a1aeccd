package optim

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// StateError lists what does not fit between saved state and an optimiser or average.
type StateError struct {
	Missing    []string
	Unexpected []string // sorted
	Misshapen  []string // "name: got [2 3] vs [3 3]", the saved shape first
}

func (e *StateError) Error() string {
	var lists []string
	for _, l := range []struct {
		what  string
		names []string
	}{{"missing", e.Missing}, {"unexpected", e.Unexpected}, {"misshapen", e.Misshapen}} {
		switch n := len(l.names); {
		case n > 4:
			lists = append(lists, fmt.Sprintf("%d %s (%s, ...)", n, l.what, strings.Join(l.names[:4], ", ")))
		case n > 0:
			lists = append(lists, fmt.Sprintf("%d %s (%s)", n, l.what, strings.Join(l.names, ", ")))
		}
	}
	return "optim: load: the saved state does not fit: " + strings.Join(lists, ", ")
}

// restore copies saved tensors into state, or returns an error and changes nothing. Names for which optional says so may
// be missing.
func restore(state iter.Seq2[string, *torch.Tensor], saved map[string]*torch.Tensor, optional func(name string) bool) error {
	var bad StateError
	err := torch.Try(func() {
		known := map[string]bool{}
		for name, t := range state {
			known[name] = true
			src := saved[name]
			if src == nil {
				if !optional(name) {
					bad.Missing = append(bad.Missing, name)
				}
			} else if got, want := src.Shape(), t.Shape(); !slices.Equal(got, want) {
				bad.Misshapen = append(bad.Misshapen, fmt.Sprintf("%s: got %v vs %v", name, got, want))
			}
		}
		for name := range saved {
			if !known[name] {
				bad.Unexpected = append(bad.Unexpected, name)
			}
		}
		slices.Sort(bad.Unexpected)
		if len(bad.Missing)+len(bad.Unexpected)+len(bad.Misshapen) > 0 {
			return
		}
		torch.NoGrad(func() {
			for name, t := range state {
				if src := saved[name]; src != nil {
					t.Copy_(src)
				}
			}
		})
	})
	if len(bad.Missing)+len(bad.Unexpected)+len(bad.Misshapen) > 0 {
		return &bad
	}
	return err
}

// stepName is the slot that holds the number of steps.
const stepName = "step"

func stepOf(i int) string { return fmt.Sprintf("%d.%s", i, stepName) }

// State implements [Optimizer].
func (b *base) State() iter.Seq2[string, *torch.Tensor] {
	return func(yield func(string, *torch.Tensor) bool) {
		for i, n := range b.counts {
			if !yield(stepOf(i), b.steps[i].Fill_(float64(n))) {
				return
			}
			for _, s := range b.slots {
				if !yield(fmt.Sprintf("%d.%s", i, s.name), s.tensors[i]) {
					return
				}
			}
		}
	}
}

// LoadState implements [Optimizer].
func (b *base) LoadState(saved map[string]*torch.Tensor) error {
	if err := restore(b.State(), saved, func(string) bool { return false }); err != nil {
		return err
	}
	for i, t := range b.steps {
		b.counts[i] = t.Int64()
	}
	return nil
}
