package optim

import (
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// NonFiniteError says that the norm of gradients is NaN or infinite. They were left as they are.
type NonFiniteError struct{ Norm float64 }

func (e *NonFiniteError) Error() string { return fmt.Sprintf("optim: the gradient norm is %v", e.Norm) }

// ClipGradNorm returns the Euclidean norm of all gradients together and, if it is above max, scales them by
// max / (norm + 1e-6), in place, as torch.nn.utils.clip_grad_norm_ does. max 0 means no limit. nil entries are skipped.
//
// When the norm is not finite it returns a *[NonFiniteError] and changes nothing: scaling would spread one NaN to every
// gradient. On a CUDA device it waits for the device, once.
func ClipGradNorm(grads []*torch.Tensor, max float64) (norm float64, err error) {
	var l list
	for _, g := range grads {
		if g != nil {
			l = append(l, g)
		}
	}
	if len(l) == 0 {
		return 0, nil
	}
	s := torch.NewScope()
	defer s.Close()
	torch.NoGrad(func() {
		norms := fresh(s, "aten::_foreach_norm.Scalar", l, 2)
		norm = torch.Stack(norms, 0).Norm().Float64()
		if math.IsNaN(norm) || math.IsInf(norm, 0) {
			err = &NonFiniteError{norm}
			return
		}
		if c := max / (norm + 1e-6); max > 0 && c < 1 {
			mulAll(l, c)
		}
	})
	return norm, err
}
