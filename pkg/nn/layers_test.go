package nn_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// array is a tensor in layers.json.
type array struct {
	Shape []int64   `json:"shape"`
	Data  []float64 `json:"data"`
}

func (a array) tensor(s *torch.Scope, d torch.DType) *torch.Tensor {
	return s.FromFloat64s(a.Data, append([]int64{}, a.Shape...)...).To(d)
}

// equal compares with a tolerance for float32: sums of a few dozen products of numbers around 1.
func (a array) equal(t *testing.T, got *torch.Tensor, what string, tolerance float64) {
	t.Helper()
	require.Equal(t, append([]int64{}, a.Shape...), got.Shape(), what)
	for i, v := range got.Float32s() {
		require.InDelta(t, a.Data[i], v, tolerance, "%s, element %d", what, i)
	}
}

type layerCase struct {
	Name      string           `json:"name"`
	Train     bool             `json:"train"`
	Keys      []string         `json:"keys"`
	State     map[string]array `json:"state"`
	Params    []string         `json:"params"`
	X         array            `json:"x"`
	Y         array            `json:"y"`
	Cotangent array            `json:"cotangent"`
	DX        array            `json:"dx"`
	DParams   []array          `json:"dparams"`
	Buffers   map[string]array `json:"buffers"`
}

func (c layerCase) dict(s *torch.Scope) map[string]*torch.Tensor {
	dict := map[string]*torch.Tensor{}
	for k, a := range c.State {
		dict[k] = a.tensor(s, torch.Float64)
	}
	return dict
}

func fixtures(t *testing.T) (f struct {
	Cases    []layerCase `json:"cases"`
	Initials []layerCase `json:"initials"`
}) {
	t.Helper()
	data, err := os.ReadFile("testdata/layers.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &f))
	return f
}

// block has a parameter that stands after a part; PyTorch lists it before.
type block struct {
	Conv1  *nn.Conv2d      `torch:"conv1"`
	Offset *torch.Tensor   `torch:"offset,buffer"`
	Scale  *torch.Tensor   `torch:"scale"`
	Norm   *nn.BatchNorm2d `torch:"bn"`
}

func newBlock(b nn.Builder) *block {
	return &block{
		Conv1:  nn.NewConv2d(b, 2, 2, 3, nn.Conv2dOptions{Padding: 1}),
		Offset: b.Buffer(0, 2, 1, 1), Scale: b.Param(1), Norm: nn.NewBatchNorm2d(b, 2),
	}
}

func (l *block) Forward(x *torch.Tensor) *torch.Tensor {
	return x.Add(l.Norm.Forward(l.Conv1.Forward(x)).ReLU().Mul(l.Scale)).Add(l.Offset)
}

type net struct {
	Layer1 nn.Sequential
	Blocks []nn.Layer
	FC     *nn.Linear
}

func newNet(b nn.Builder) *net {
	return &net{
		Layer1: nn.Sequential{newBlock(b), nn.ReLU, newBlock(b)},
		Blocks: []nn.Layer{nn.NewConv2d(b, 2, 3, 1, nn.Conv2dOptions{}), nn.NewGroupNorm(b, 3, 3)},
		FC:     nn.NewLinear(b, 48, 2),
	}
}

func (n *net) Forward(x *torch.Tensor) *torch.Tensor {
	x = n.Layer1.Forward(x)
	for _, l := range n.Blocks {
		x = l.Forward(x)
	}
	return n.FC.Forward(x.Flatten(1))
}

var layers = map[string]func(b nn.Builder) nn.Layer{
	"linear":        func(b nn.Builder) nn.Layer { return nn.NewLinear(b, 3, 2) },
	"linear_nobias": func(b nn.Builder) nn.Layer { return nn.NewLinear(b, 3, 2, nn.LinearOptions{NoBias: true}) },
	"conv": func(b nn.Builder) nn.Layer {
		return nn.NewConv2d(b, 2, 3, 3, nn.Conv2dOptions{Stride: 2, Padding: 1})
	},
	"conv_grouped": func(b nn.Builder) nn.Layer {
		return nn.NewConv2d(b, 4, 2, 2, nn.Conv2dOptions{Dilation: 2, Groups: 2, NoBias: true})
	},
	"conv_transpose": func(b nn.Builder) nn.Layer {
		return nn.NewConvTranspose2d(b, 2, 3, 4, nn.Conv2dOptions{Stride: 2, Padding: 1})
	},
	"conv_transpose_output": func(b nn.Builder) nn.Layer {
		return nn.NewConvTranspose2d(b, 2, 2, 3, nn.Conv2dOptions{Stride: 2, Padding: 1, OutputPadding: 1, Groups: 2})
	},
	"batchnorm":      func(b nn.Builder) nn.Layer { return nn.NewBatchNorm2d(b, 3) },
	"batchnorm_eval": func(b nn.Builder) nn.Layer { return nn.NewBatchNorm2d(b, 3) },
	"layernorm":      func(b nn.Builder) nn.Layer { return nn.NewLayerNorm(b, 3, 2) },
	"groupnorm":      func(b nn.Builder) nn.Layer { return nn.NewGroupNorm(b, 2, 4) },
	"relu":           func(nn.Builder) nn.Layer { return nn.ReLU },
	"leaky_relu":     func(nn.Builder) nn.Layer { return nn.LeakyReLU(0.2) },
	"tanh":           func(nn.Builder) nn.Layer { return nn.Tanh },
	"sigmoid":        func(nn.Builder) nn.Layer { return nn.Sigmoid },
	"silu":           func(nn.Builder) nn.Layer { return nn.SiLU },
	"gelu":           func(nn.Builder) nn.Layer { return nn.GELU },
	"upsample":       func(nn.Builder) nn.Layer { return nn.Upsample },
	"avgpool":        func(nn.Builder) nn.Layer { return nn.AvgPool2d(2) },
	"flatten":        func(nn.Builder) nn.Layer { return nn.Flatten },
	"dropout_eval":   func(nn.Builder) nn.Layer { return nn.NewDropout(0.5) },
	"sequential": func(b nn.Builder) nn.Layer {
		return nn.Sequential{
			nn.NewConv2d(b, 1, 2, 3, nn.Conv2dOptions{}), nn.NewBatchNorm2d(b, 2), nn.ReLU, nn.Flatten, nn.NewLinear(b, 8, 1),
		}
	},
	"net": func(b nn.Builder) nn.Layer { return newNet(b) },
}

// Names and their order, output, gradients and buffers are PyTorch's.
func TestLayersMatchPyTorch(t *testing.T) {
	for _, c := range fixtures(t).Cases {
		t.Run(c.Name, func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			b := nn.Builder{Scope: s.Child()}
			l := layers[c.Name](b)
			b.Scope.Seal()
			var keys []string
			for name := range nn.StateDict(l) {
				keys = append(keys, name)
			}
			require.True(t, slices.Equal(c.Keys, keys), "got %v vs %v", keys, c.Keys)
			keys = nil
			for name := range nn.Params(l) {
				keys = append(keys, name)
			}
			require.True(t, slices.Equal(c.Params, keys), "got %v vs %v", keys, c.Params)
			require.NoError(t, nn.LoadStateDict(l, c.dict(s), nn.LoadOptions{}))
			nn.Train(l, c.Train)

			x := c.X.tensor(s, torch.Float32).RequiresGrad(true)
			y := l.Forward(x)
			c.Y.equal(t, y, "output", 2e-5)
			in := append([]*torch.Tensor{x}, nn.ParamList(l)...)
			grads := torch.Grad(y.Mul(c.Cotangent.tensor(s, torch.Float32)).Sum(), in, torch.GradOptions{})
			c.DX.equal(t, grads[0], "gradient of the input", 1e-4)
			for i, g := range grads[1:] {
				c.DParams[i].equal(t, g, "gradient of "+c.Params[i], 1e-4)
			}
			for name, buffer := range nn.Buffers(l) {
				c.Buffers[name].equal(t, buffer, name, 1e-5)
			}
		})
	}
}

// A layer draws its initial values as PyTorch does: the same seed gives the same numbers.
func TestInitialValuesMatchPyTorch(t *testing.T) {
	weight := func(b nn.Builder, fill func(nn.Builder, *torch.Tensor)) any {
		m := &struct {
			Weight *torch.Tensor `torch:"weight"`
		}{b.Param(3, 2, 2, 2)}
		fill(b, m.Weight)
		return m
	}
	relu, leaky := 1.4142135623730951, 1.3867504905630728 // sqrt(2), sqrt(2/(1+0.2²))
	make := map[string]func(b nn.Builder) any{
		"linear":         func(b nn.Builder) any { return nn.NewLinear(b, 5, 3) },
		"conv":           func(b nn.Builder) any { return nn.NewConv2d(b, 2, 3, 3, nn.Conv2dOptions{}) },
		"conv_transpose": func(b nn.Builder) any { return nn.NewConvTranspose2d(b, 2, 3, 3, nn.Conv2dOptions{}) },
		"xavier_uniform": func(b nn.Builder) any {
			return weight(b, func(b nn.Builder, w *torch.Tensor) { b.XavierUniform(w, 1.5) })
		},
		"xavier_normal": func(b nn.Builder) any {
			return weight(b, func(b nn.Builder, w *torch.Tensor) { b.XavierNormal(w, 1.5) })
		},
		"kaiming_uniform": func(b nn.Builder) any {
			return weight(b, func(b nn.Builder, w *torch.Tensor) { b.KaimingUniform(w, relu) })
		},
		"kaiming_normal": func(b nn.Builder) any {
			return weight(b, func(b nn.Builder, w *torch.Tensor) { b.KaimingNormal(w, leaky) })
		},
		"orthogonal": func(b nn.Builder) any {
			return weight(b, func(b nn.Builder, w *torch.Tensor) { b.Orthogonal(w, 1.5) })
		},
	}
	for _, c := range fixtures(t).Initials {
		t.Run(c.Name, func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			g, err := s.NewGenerator(torch.CPU, 7)
			require.NoError(t, err)
			for name, got := range nn.StateDict(make[c.Name](nn.Builder{Scope: s, Generator: g})) {
				c.State[name].equal(t, got, name, 2e-6)
			}
		})
	}
}

// In float64 the gradient of a small network agrees with central differences to the square of the step.
func TestGradientsMatchFiniteDifferences(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	g, err := s.NewGenerator(torch.CPU, 3)
	require.NoError(t, err)
	b := nn.Builder{Scope: s.Child(), Generator: g, DType: torch.Float64}
	l := nn.Sequential{
		nn.NewConv2d(b, 1, 2, 3, nn.Conv2dOptions{Padding: 1}), nn.NewBatchNorm2d(b, 2), nn.SiLU, nn.Upsample,
		nn.NewConvTranspose2d(b, 2, 1, 2, nn.Conv2dOptions{Stride: 2}), nn.AvgPool2d(4), nn.Tanh,
	}
	b.Scope.Seal()
	x := s.Randn(g, []int64{2, 1, 4, 4}, torch.Options{DType: torch.Float64})
	loss := func(s *torch.Scope) *torch.Tensor { return l.Forward(s.Use(x)).Square().Sum() }
	params := nn.ParamList(l)
	grads := torch.Grad(loss(s), params, torch.GradOptions{})
	const h = 1e-5
	for i, p := range params {
		s := s.Child()
		dir := s.Randn(g, p.Shape(), torch.Options{DType: torch.Float64})
		at := func(step float64) (v float64) {
			torch.NoGrad(func() {
				p.Add_(dir.MulScalar(step))
				v = loss(s).Float64()
				p.Sub_(dir.MulScalar(step))
			})
			return v
		}
		want := (at(h) - at(-h)) / (2 * h)
		require.InDelta(t, want, grads[i].Mul(dir).Sum().Float64(), 1e-8, "parameter %d", i)
		s.Close()
	}
}
