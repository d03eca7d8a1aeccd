package trainers

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// differences compares the gradient of a scalar with respect to float64 inputs with central differences. h = 1e-5:
// truncation 1e-10, rounding 1e-11, relative to values of about 1.
func differences(t *testing.T, s *torch.Scope, inputs []*torch.Tensor, f func(x []*torch.Tensor) *torch.Tensor) {
	t.Helper()
	var leaves []*torch.Tensor
	for _, x := range inputs {
		leaves = append(leaves, x.Detach().Clone().RequiresGrad(true))
	}
	grads := torch.Grad(f(leaves), leaves, torch.GradOptions{})
	const h = 1e-5
	var diff, norm float64
	for i, x := range inputs {
		v, g := torch.Slice[float64](x), torch.Slice[float64](grads[i])
		for k := range v {
			at := func(d float64) float64 {
				moved := append([]*torch.Tensor(nil), inputs...)
				w := append([]float64(nil), v...)
				w[k] += d
				moved[i] = s.FromFloat64s(w, x.Shape()...)
				return f(moved).Float64()
			}
			n := (at(h) - at(-h)) / (2 * h)
			diff, norm = diff+(n-g[k])*(n-g[k]), norm+g[k]*g[k]
		}
	}
	require.Positive(t, norm, "no gradient at all")
	require.Less(t, math.Sqrt(diff/norm), 1e-6)
}
