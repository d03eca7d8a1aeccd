package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// The term adds the weight times the detector's gradient to the generator's, and nothing else.
func TestTermChangesTheGradient(t *testing.T) {
	require.NoError(t, torch.Scoped(func(root *torch.Scope) error {
		det, err := tigas.Embedded(root, tigas.OpenOptions{})
		require.NoError(t, err)
		g, d := networks(root)
		params := nn.ParamList(g)
		z := root.Randn(nil, []int64{4, 64, 1, 1})
		options := tigas.LossOptions{Range: tigas.Symmetric}
		gradient := func(weight float64) []*torch.Tensor {
			term := &tigas.Term{Detector: det, Weight: sched.Constant{Value: weight}, Options: options}
			loss, _ := generatorLoss(g, d, term, sched.Progress{}, z)
			return torch.Grad(loss, params, torch.GradOptions{})
		}
		const weight = 0.3
		alone, _ := det.Loss(g.Forward(z), options)
		return check(t, gradient(0), gradient(weight), torch.Grad(alone, params, torch.GradOptions{}), weight)
	}))
}

func check(t *testing.T, without, with, own []*torch.Tensor, weight float64) error {
	t.Helper()
	for i := range without {
		want := without[i].Add(own[i].MulScalar(weight))
		require.Positive(t, own[i].Norm().Float64())
		// Sums of float32 in another order.
		require.Less(t, with[i].Sub(want).Norm().Float64(), 1e-5*(1e-6+want.Norm().Float64()))
	}
	return nil
}

// The loop runs, frees what it makes, and a large weight moves the score within a few steps.
func TestLoop(t *testing.T) {
	require.NoError(t, torch.SetNumThreads(1))
	require.NoError(t, torch.Seed(1))
	before := torch.LiveTensors()
	require.NoError(t, torch.Scoped(func(root *torch.Scope) error {
		det, err := tigas.Embedded(root, tigas.OpenOptions{})
		require.NoError(t, err)
		loader, err := data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: 16, Transform: data.Transform{Resolution: 32}})
		require.NoError(t, err)
		scores, err := train(root, det, loader, 80, 100)
		require.Len(t, scores, 79, "the warm-up begins at 0")
		require.Greater(t, scores[78], scores[0]+0.1)
		return err
	}))
	require.Equal(t, before, torch.LiveTensors())
}
