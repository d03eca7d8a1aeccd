package torch_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// ScopeOf says what operations do.
func TestScopeOf(t *testing.T) {
	root := torch.NewScope()
	defer root.Close()
	params := root.Child()
	w := params.Ones([]int64{2})
	params.Seal()
	step, other := root.Child(), root.Child()
	x, y, z := root.Ones([]int64{2}), step.Ones([]int64{2}), other.Ones([]int64{2})
	require.Same(t, root, torch.ScopeOf("op", x))
	for _, ts := range [][]*torch.Tensor{{x, y}, {y, x}, {w, y}, {y, w}} {
		require.Same(t, step, torch.ScopeOf("op", ts...))
		require.Same(t, step, ts[0].Add(ts[1]).Scope())
	}
	require.Same(t, step, torch.ScopeOf("op", nil, y, nil))
	for _, ts := range [][]*torch.Tensor{{w}, {y, z}, {nil}, {}} {
		require.ErrorContains(t, torch.Try(func() { torch.ScopeOf("op", ts...) }), "torch: op: ")
	}
	require.ErrorIs(t, torch.Try(func() { torch.ScopeOf("op", w) }), torch.ErrSealed)
	step.Close()
	require.ErrorIs(t, torch.Try(func() { torch.ScopeOf("op", y) }), torch.ErrClosed)
}
