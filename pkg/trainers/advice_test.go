package trainers

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Ten epochs may be longer than the run, and the term would never have its weight.
func TestWarmupAdvice(t *testing.T) {
	require.Contains(t, WeightAdvice(0.1, true), "--tigas-warmup auto")
	require.NotContains(t, WeightAdvice(0.1, true), "epoch")
	require.Empty(t, WeightAdvice(0.01, true))
}
