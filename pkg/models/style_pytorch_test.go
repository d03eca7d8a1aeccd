package models_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// styleFill sets the state as make_style.py does.
func styleFill(s *torch.Scope, m any) {
	torch.NoGrad(func() {
		j := uint64(0)
		for name, t := range nn.StateDict(m) {
			v := numbers(s, j, t.Shape())
			j++
			if strings.Contains(name, "mapping.fc") {
				v.MulScalar_(100)
			}
			switch {
			case strings.HasSuffix(name, "affine.bias"):
				v = v.MulScalar(0.3).AddScalar(1)
			case strings.HasSuffix(name, "bias"):
				v.MulScalar_(0.2)
			default:
				v.MulScalar_(1.7)
			}
			t.Copy_(v)
		}
	})
}

type styleCase struct {
	netCase
	GradDots []float64 `json:"grad_dots"`
}

// Everything is float64, in another order: 1e-9 of the larger of the value and the typical one.
func (c styleCase) check(t *testing.T, s *torch.Scope, m any, x *torch.Tensor, forward func(*torch.Tensor) *torch.Tensor) {
	t.Helper()
	var keys []string
	for name := range nn.StateDict(m) {
		keys = append(keys, name)
	}
	require.Equal(t, c.Keys, keys)
	styleFill(s, m)
	x = x.RequiresGrad(true)
	y := forward(x)
	require.Equal(t, c.Shape, y.Shape())
	values := torch.Slice[float64](y)
	for i, at := range c.At {
		require.InDelta(t, c.Y[i], values[at], 1e-9*max(c.MeanAbs, math.Abs(c.Y[i])), "element %d", at)
	}
	require.InEpsilon(t, c.MeanAbs, y.Abs().Mean().Float64(), 1e-9)
	in := append([]*torch.Tensor{x}, nn.ParamList(m)...)
	for i, g := range torch.Grad(y.Mul(numbers(s, 99, y.Shape())).Sum(), in, torch.GradOptions{}) {
		require.NotZero(t, c.GradNorms[i], "gradient %d", i)
		require.InEpsilon(t, c.GradNorms[i], g.Norm().Float64(), 1e-9, "gradient %d", i)
		require.InDelta(t, c.GradDots[i], g.Mul(numbers(s, 77, g.Shape())).Sum().Float64(), 1e-9*c.GradNorms[i], "gradient %d", i)
	}
}

// Names, outputs and gradients are those of the same networks in PyTorch, in the paper's formulation.
func TestStyleNetworksMatchPyTorch(t *testing.T) {
	data, err := os.ReadFile("testdata/style.json")
	require.NoError(t, err)
	var cases []struct {
		Resolution    int       `json:"resolution"`
		Generator     styleCase `json:"generator"`
		Discriminator styleCase `json:"discriminator"`
	}
	require.NoError(t, json.Unmarshal(data, &cases))
	require.Len(t, cases, 3)
	for _, c := range cases {
		t.Run(fmt.Sprint(c.Resolution), func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			b := nn.Builder{Scope: s.Child(), DType: torch.Float64}
			g, d, err := models.NewStyleGAN2(b, models.StyleConfig{Resolution: c.Resolution,
				Latent: 6, StyleDim: 5, MappingLayers: 3, ChannelBase: 64, ChannelMax: 6, MbstdGroup: 2})
			require.NoError(t, err)
			b.Scope.Seal()
			c.Generator.check(t, s, g, numbers(s, 50, []int64{3, 6}), func(z *torch.Tensor) *torch.Tensor {
				return g.Sample(z, 0.7, 3, models.StyleNoise{})
			})
			r := int64(c.Resolution)
			c.Discriminator.check(t, s, d, numbers(s, 51, []int64{4, 3, r, r}), d.Forward)
		})
	}
}
