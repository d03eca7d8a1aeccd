package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/nn"
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
		gradient := func(weight float64) []*torch.Tensor {
			fake := g.Forward(z)
			loss, _ := generatorLoss(d.Forward(fake).Mean().Neg(), fake, det, weight)
			return torch.Grad(loss, params, torch.GradOptions{})
		}
		const weight = 0.3
		alone, _ := det.Loss(g.Forward(z), tigas.LossOptions{Range: tigas.Symmetric})
		with, without, own := gradient(weight), gradient(0), torch.Grad(alone, params, torch.GradOptions{})
		for i := range own {
			require.Positive(t, own[i].Norm().Float64())
			want := without[i].Add(own[i].MulScalar(weight))
			// Sums of float32 in another order.
			require.Less(t, with[i].Sub(want).Norm().Float64(), 1e-5*(1e-6+want.Norm().Float64()))
		}
		return nil
	}))
}

// inLoop runs the loop and returns the scores, and how many tensors the networks and optimisers are after it.
func inLoop(t *testing.T, steps int, weight float64) (scores []float64, live int64) {
	t.Helper()
	require.NoError(t, torch.SetNumThreads(1))
	require.NoError(t, torch.Seed(1))
	before := torch.LiveTensors()
	require.NoError(t, torch.Scoped(func(root *torch.Scope) error {
		det, err := tigas.Embedded(root, tigas.OpenOptions{})
		require.NoError(t, err)
		loader, err := data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: 16, Transform: data.Transform{Resolution: 32}})
		require.NoError(t, err)
		scores, err = train(root, det, loader, steps, weight)
		require.Len(t, scores, steps)
		live = torch.LiveTensors() - before
		return err
	}))
	require.Equal(t, before, torch.LiveTensors())
	return scores, live
}

// A step frees what it makes, and a large weight moves the score within a few steps.
func TestLoop(t *testing.T) {
	_, few := inLoop(t, 2, 0.1)
	scores, many := inLoop(t, 80, 100)
	require.Equal(t, few, many, "steps leave tensors behind")
	require.Greater(t, scores[79], scores[0]+0.1)
}

// What it is for: a whole loop on one screen.
func TestIsShort(t *testing.T) {
	text, err := os.ReadFile("main.go")
	require.NoError(t, err)
	require.Less(t, bytes.Count(text, []byte("\n")), 80)
	for line := range bytes.Lines(text) {
		require.LessOrEqual(t, len(line)-1, 130, "%s", line)
	}
}
