package optim

import (
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// clipEps keeps torch.nn.utils.clip_grad_norm_ from dividing by zero.
const clipEps = 1e-6

// NonFiniteError says that the norm of gradients is NaN or infinite. They were left as they are.
type NonFiniteError struct{ Norm float64 }

func (e *NonFiniteError) Error() string { return fmt.Sprintf("optim: the gradient norm is %v", e.Norm) }

// ClipGradNorm returns the Euclidean norm of all gradients together and, if it is above max, scales them by
// max / (norm + 1e-6), in place, as torch.nn.utils.clip_grad_norm_ does. max 0 means no limit. nil entries are skipped;
// the norm of none is 0.
//
// When the norm is not finite it returns a *[NonFiniteError] and changes nothing: scaling would spread one NaN to every
// gradient. On a CUDA device it waits for the device, once; [ClipGradNormTensor] does not.
func ClipGradNorm(grads []*torch.Tensor, max float64) (norm float64, err error) {
	l := present(grads)
	if len(l) == 0 {
		return 0, nil
	}
	s := torch.NewScope()
	defer s.Close()
	torch.NoGrad(func() {
		norm = totalNorm(s, l).Float64()
		if math.IsNaN(norm) || math.IsInf(norm, 0) {
			err = &NonFiniteError{norm}
			return
		}
		if c := max / (norm + clipEps); max > 0 && c < 1 {
			mulAll(l, c)
		}
	})
	return norm, err
}

// ClipGradNormTensor is [ClipGradNorm] without waiting for the device: it returns the norm as a scalar of s. When that is
// not finite the gradients are left as they are, so the caller must look at it sooner or later, or hand it to a [Masked]
// optimiser by way of [NonFinite]. It panics when there are no gradients.
func ClipGradNormTensor(s *torch.Scope, grads []*torch.Tensor, max float64) *torch.Tensor {
	l := present(grads)
	if len(l) == 0 {
		panic(&torch.Error{Op: "ClipGradNormTensor", Msg: "got no gradients"})
	}
	tmp := s.Child()
	defer tmp.Close()
	var norm *torch.Tensor
	torch.NoGrad(func() {
		norm = totalNorm(tmp, l)
		if max <= 0 {
			return
		}
		c := norm.AddScalar(clipEps).Pow(-1).MulScalar(max).Clamp(0, 1)
		scaleAll(l, torch.Where(norm.IsFinite(), c, c.OnesLike()))
	})
	return norm.MoveTo(s)
}

// NonFinite returns 1 for a norm that is NaN or infinite and 0 for any other, a float32 scalar in norm's scope and on its
// device, which is not waited for: what a [Masked] optimiser takes as skip. norm is a scalar, as that of
// [ClipGradNormTensor]. It panics when the scope of norm is closed.
func NonFinite(norm *torch.Tensor) *torch.Tensor {
	tmp := norm.Scope().Child()
	defer tmp.Close()
	return tmp.Use(norm).Detach().IsFinite().LogicalNot().To(torch.Float32).MoveTo(norm.Scope())
}

func present(grads list) list {
	var l list
	for _, g := range grads {
		if g != nil {
			l = append(l, g)
		}
	}
	return l
}

// totalNorm is the norm of all elements of l, a scalar of s.
func totalNorm(s *torch.Scope, l list) *torch.Tensor {
	norms := fresh(s, "aten::_foreach_norm.Scalar", l, 2)
	for i, n := range norms {
		norms[i] = n.To(norms[0].DType())
	}
	return torch.Stack(norms, 0).Norm()
}
