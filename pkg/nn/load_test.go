package nn_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

func TestLoadErrors(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	m := nn.Sequential{nn.NewLinear(nn.Builder{Scope: s}, 3, 2), nn.NewLinear(nn.Builder{Scope: s}, 2, 1)}
	before := m[0].(*nn.Linear).Weight.Float32s()
	dict := map[string]*torch.Tensor{
		"0.weight": s.Ones([]int64{2, 3}), "0.bias": s.Ones([]int64{3}), "1.weight": nil,
		"1.bias": s.Ones([]int64{1}), "2.weight": s.Ones([]int64{1}), "2.bias": s.Ones([]int64{1}),
	}
	err := nn.LoadStateDict(m, dict, nn.LoadOptions{})
	require.EqualError(t, err, "nn: load: the state dict does not fit the module: 1 missing (1.weight), "+
		"2 unexpected (2.bias, 2.weight), 1 misshapen (0.bias: got [3] vs [2])")
	var e *nn.LoadError
	require.True(t, errors.As(err, &e))
	require.Equal(t, []string{"1.weight"}, e.Missing)
	require.Equal(t, []string{"2.bias", "2.weight"}, e.Unexpected)
	require.Equal(t, before, m[0].(*nn.Linear).Weight.Float32s(), "nothing may be copied when something does not fit")

	dict["0.bias"] = s.Ones([]int64{2})
	require.Error(t, nn.Load(m, dict, true), "missing tensors are not tolerated")
	last := m[1].(*nn.Linear).Weight.Float32s()
	require.NoError(t, nn.LoadStateDict(m, dict, nn.LoadOptions{AllowMissing: true, AllowUnexpected: true}))
	require.Equal(t, []float32{1, 1, 1, 1, 1, 1}, m[0].(*nn.Linear).Weight.Float32s())
	require.Equal(t, last, m[1].(*nn.Linear).Weight.Float32s())

	_ = s.Scoped(func(s *torch.Scope) error { dict["1.weight"] = s.Ones([]int64{1, 2}); return nil })
	require.ErrorIs(t, nn.LoadStateDict(m, dict, nn.LoadOptions{AllowUnexpected: true}), torch.ErrClosed)
}

// Loading converts element types and leaves parameters what they are: leaves that require gradients.
func TestLoadConverts(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	l := nn.NewBatchNorm2d(nn.Builder{Scope: s.Child().Seal()}, 2)
	dict := map[string]*torch.Tensor{
		"weight": s.FromFloat64s([]float64{0.1, -2}), "bias": s.FromInt64s([]int64{3, 4}),
		"running_mean": s.Full([]int64{2}, 0.5, torch.Options{DType: torch.BFloat16}), "running_var": s.Ones([]int64{2}),
		"num_batches_tracked": s.Scalar(12),
	}
	require.NoError(t, nn.Load(l, dict, false))
	require.Equal(t, "float32[2] cpu", l.Weight.String())
	require.Equal(t, []float32{0.1, -2}, l.Weight.Float32s())
	require.Equal(t, []float32{3, 4}, l.Bias.Float32s())
	require.Equal(t, []float32{0.5, 0.5}, l.RunningMean.Float32s())
	require.Equal(t, "int64[] cpu", l.NumBatches.String())
	require.EqualValues(t, 12, l.NumBatches.Int64())
	require.True(t, l.Weight.IsLeaf() && l.Weight.IsGradRequired())
}

func TestCopyAndDeterminism(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	build := func(seed int64) *net {
		g, err := s.NewGenerator(torch.CPU, seed)
		require.NoError(t, err)
		return newNet(nn.Builder{Scope: s, Generator: g})
	}
	same := func(a, b any) bool {
		other := nn.ParamList(b)
		for i, p := range nn.ParamList(a) {
			if !p.Eq(other[i]).All().Bool() {
				return false
			}
		}
		return true
	}
	a, b, c := build(1), build(1), build(2)
	require.True(t, same(a, b), "a seed must give the same network")
	require.False(t, same(a, c))
	require.NoError(t, nn.Copy(c, a))
	require.True(t, same(a, c))
	require.Error(t, nn.Copy(c, nn.Sequential{}))
}
