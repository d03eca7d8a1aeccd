package trainers

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// ErrMismatch says that a snapshot is of another architecture than the run that should go on from it.
var ErrMismatch = errors.New("the snapshot does not fit")

// Transfer copies the weights of a snapshot into the networks of a new run: those of its tensors that f has too. It returns
// how many. A tensor of another shape is an error, and so is a snapshot that has none of f's.
func Transfer(f Family, tensors map[string]*torch.Tensor) (int, error) {
	n, err := copyWeights(f, tensors, false)
	if err == nil && n == 0 {
		err = errors.New("it has no tensor that the networks have")
	}
	if err != nil {
		return 0, fmt.Errorf("trainers: transfer: %w: %w", ErrMismatch, err)
	}
	return n, nil
}

// Fits returns an error unless tensors have the names and shapes of f's, all of them and no others.
func Fits(f Family, tensors map[string]*torch.Tensor) error {
	_, err := matched(f, tensors, true)
	return err
}

// matched are f's tensors by name. saved ones of those names must have their shapes; with all they must all be there, and no
// others.
func matched(f Family, saved map[string]*torch.Tensor, all bool) (known map[string]*torch.Tensor, err error) {
	known = map[string]*torch.Tensor{}
	for name, t := range f.Tensors() {
		known[name] = t
		src := saved[name]
		switch {
		case src == nil && all:
			return nil, fmt.Errorf("%s is missing", name)
		case src != nil && !slices.Equal(src.Shape(), t.Shape()):
			return nil, fmt.Errorf("%s: got shape %v vs %v", name, src.Shape(), t.Shape())
		}
	}
	if all {
		for name := range saved {
			if known[name] == nil {
				return nil, fmt.Errorf("the networks have no %s", name)
			}
		}
	}
	return known, nil
}

// copyWeights copies tensors into those of f that have their names, see matched. It changes nothing when it returns an error.
func copyWeights(f Family, saved map[string]*torch.Tensor, all bool) (n int, err error) {
	known, err := matched(f, saved, all)
	if err != nil {
		return 0, err
	}
	err = torch.Try(func() {
		torch.NoGrad(func() {
			for name, t := range known {
				if src := saved[name]; src != nil {
					t.Copy_(src)
					n++
				}
			}
		})
	})
	return n, err
}
