package tigas_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// Pixels that are exactly 0 or 1 have the gradient of those inside, whatever clamp of this libtorch does there, and those outside
// have none.
func TestGradientAtTheLimits(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	d, err := tigas.Embedded(s, tigas.OpenOptions{})
	require.NoError(t, err)
	const size = 32
	v := make([]float32, 3*size*size)
	values := []float32{0, 1, 0.25, 0.75, -0.001, 1.001}
	for i := range v {
		v[i] = values[i*7%len(values)]
	}
	x := s.FromFloat32s(v, 1, 3, size, size).RequiresGrad(true)
	loss, score := d.Loss(x, tigas.LossOptions{})
	grad := torch.Grad(loss, []*torch.Tensor{x}, torch.GradOptions{})[0].Float32s()
	nonzero := map[float32]int{}
	for i, g := range grad {
		if g != 0 {
			nonzero[v[i]]++
		}
	}
	for _, inside := range values[:4] {
		require.Greater(t, nonzero[inside], size*size/3, "pixels of %v", inside)
	}
	require.Zero(t, nonzero[-0.001]+nonzero[1.001])
	torch.NoGrad(func() { require.InDelta(t, d.Score(x).Float64(), score.Float64(), 1e-6) })
}
