package trainers

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// numbers is the formula of testdata/make_diffusion_steps.py: numbers in [-1, 1] that look random.
func numbers(j uint64, n int) []float64 {
	data := make([]float64, n)
	for k := range data {
		h := uint32(uint64(k)*2654435761 + j*104729 + 12345)
		h = (h ^ h>>15) * 2246822519
		data[k] = float64(h^h>>13)/2147483648 - 1
	}
	return data
}

// Four steps of each sampler are those of diffusers' schedulers, with the same stand-in for a network and the same noise.
func TestStepsMatchDiffusers(t *testing.T) {
	data, err := os.ReadFile("testdata/diffusion_steps.json")
	require.NoError(t, err)
	var cases []struct {
		Kind       string      `json:"kind"`
		Prediction Prediction  `json:"prediction"`
		Clip       bool        `json:"clip"`
		Method     string      `json:"method"`
		Grid       TimeGrid    `json:"grid"`
		Eta        float64     `json:"eta"`
		Variance   Variance    `json:"variance"`
		Times      []int       `json:"times"`
		X          [][]float64 `json:"x"`
	}
	require.NoError(t, json.Unmarshal(data, &cases))
	require.Greater(t, len(cases), 50)
	s := scope(t)
	tensor := func(j uint64) *torch.Tensor { return s.FromFloat64s(numbers(j, 6), 1, 1, 1, 6) }
	for _, c := range cases {
		name := fmt.Sprint(c.Kind, c.Prediction, c.Clip, c.Method, c.Grid, c.Eta)
		n := schedule(t, c.Kind, 1000)
		times, err := c.Grid.Times(1000, 4)
		require.NoError(t, err)
		require.Equal(t, append(c.Times, -1), times)
		x := tensor(0).MulScalar(2)
		for i, at := range c.Times {
			d := c.Prediction.Denoise(n, at, x.MulScalar(0.3).AddScalar(0.1), x, c.Clip)
			z := tensor(uint64(i + 1))
			if c.Method == MethodDDPM {
				x = DDPMStep(n, at, times[i+1], c.Variance, d.X0, x, z)
			} else {
				x = DDIMStep(n, at, times[i+1], c.Eta, d, z)
			}
			for k, v := range torch.Slice[float64](x) {
				// diffusers has the schedule in float32: 1e-5 of AlphaBar at the last step, and sums of large numbers.
				require.InDelta(t, c.X[i][k], v, 3e-4*max(1, math.Abs(c.X[i][k])), "%s step %d", name, i)
			}
		}
	}
}
