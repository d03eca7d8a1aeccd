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
	"github.com/tigas-train/tigas-train/pkg/optim"
)

// unetFile is testdata/unet.json, from make_unet.py.
type unetFile struct {
	Embeddings []struct {
		Dim    int64     `json:"dim"`
		Flip   bool      `json:"flip"`
		Shift  float64   `json:"shift"`
		T      []float64 `json:"t"`
		Values []float64 `json:"values"`
	} `json:"embeddings"`
	Parameters map[string]int64 `json:"parameters"`
	Cases      []struct {
		Config struct {
			Resolution int     `json:"resolution"`
			Channels   []int   `json:"channels"`
			Blocks     int     `json:"blocks"`
			Attention  []bool  `json:"attention"`
			HeadDim    int     `json:"head_dim"`
			Mid        bool    `json:"mid"`
			Groups     int     `json:"groups"`
			Eps        float64 `json:"eps"`
			Flip       bool    `json:"flip"`
			Shift      float64 `json:"shift"`
			Far        bool    `json:"far"`
		} `json:"config"`
		Timesteps []int64 `json:"timesteps"`
		UNet      netCase `json:"unet"`
	} `json:"cases"`
}

func readUNetFile(t *testing.T) (f unetFile) {
	t.Helper()
	data, err := os.ReadFile("testdata/unet.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &f))
	return f
}

// denoiser is a U-Net with the timesteps of a batch, a layer.
type denoiser struct {
	*models.UNet
	t *torch.Tensor
}

func (d denoiser) Forward(x *torch.Tensor) *torch.Tensor { return d.UNet.Forward(x, d.t) }

// tiny has everything: attention in two heads, a shortcut, levels up and down.
var tiny = models.UNetConfig{
	Resolution: 4, Channels: []int{4, 8}, Blocks: 1, Attention: []bool{false, true}, HeadDim: 4, MidAttention: true,
	Groups: 2, FlipSinToCos: true,
}

func newUNet(t *testing.T, s *torch.Scope, c models.UNetConfig, d torch.DType) *models.UNet {
	t.Helper()
	g, err := s.NewGenerator(torch.CPU, 1)
	require.NoError(t, err)
	b := nn.Builder{Scope: s.Child(), Generator: g, DType: d}
	u, err := models.NewUNet(b, c)
	require.NoError(t, err)
	b.Scope.Seal()
	return u
}

// Names, outputs and gradients are those of the same networks in PyTorch, which make_unet.py compares with diffusers'.
func TestUNetMatchesPyTorch(t *testing.T) {
	for _, c := range readUNetFile(t).Cases {
		t.Run(fmt.Sprint(c.Config.Channels), func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			u := newUNet(t, s, models.UNetConfig{
				Resolution: c.Config.Resolution, Channels: c.Config.Channels, Blocks: c.Config.Blocks,
				Attention: c.Config.Attention, HeadDim: c.Config.HeadDim, MidAttention: c.Config.Mid, Groups: c.Config.Groups,
				NormEps: c.Config.Eps, FlipSinToCos: c.Config.Flip, FreqShift: c.Config.Shift, PadFarSides: c.Config.Far,
			}, torch.Float32)
			r := int64(c.Config.Resolution)
			c.UNet.check(t, s, denoiser{u, s.FromInt64s(c.Timesteps)}, numbers(s, 50, []int64{2, 3, r, r}), true)
		})
	}
}

// The counts are diffusers'; that of ddpm-cifar10 is also what the paper says of its CIFAR-10 model, 35.7 million.
func TestUNetPresets(t *testing.T) {
	want := readUNetFile(t).Parameters
	require.Equal(t, int64(35_746_307), want["ddpm-cifar10"])
	require.Equal(t, int64(113_673_219), want["ddpm-hf"])
	require.Len(t, models.UNetPresets, len(want))
	for _, name := range models.UNetPresets {
		c, err := models.UNetPreset(name, 64)
		require.NoError(t, err)
		require.Equal(t, 64, c.Resolution)
		s := torch.NewScope()
		u, err := models.NewUNet(nn.Builder{Scope: s}, c)
		require.NoError(t, err)
		require.Equal(t, want[name], nn.CountParams(u), name)
		require.Equal(t, c.Resolve(), u.Config())
		s.Close()
	}
	// The small one looks around at 16 pixels, whatever the resolution; wherever that is, it costs the same.
	for resolution, level := range map[int]int{8: 0, 16: 0, 32: 1, 64: 2, 128: 3, 256: 3} {
		c, err := models.UNetPreset("small", resolution)
		require.NoError(t, err)
		require.True(t, c.Attention[level], "%d: %v", resolution, c.Attention)
	}
	_, err := models.UNetPreset("adm", 64)
	require.EqualError(t, err, `models: unet: got preset "adm" vs one of demo, small, ddpm-cifar10, ddpm-hf`)
	_, err = models.UNetPreset("ddpm-hf", 48)
	require.EqualError(t, err,
		"models: unet: got resolution 48 vs a multiple of 32, which 6 levels can halve, for the preset ddpm-hf")
}

// Against the formula in float64.
func TestTimestepEmbedding(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	for _, c := range readUNetFile(t).Embeddings {
		e := models.TimestepEmbedding(s.FromFloat64s(c.T), c.Dim, c.Flip, c.Shift)
		require.Equal(t, []int64{int64(len(c.T)), c.Dim}, e.Shape())
		require.Equal(t, torch.Float32, e.DType())
		for i, v := range e.Float32s() {
			// A frequency is off by 1e-7 of itself, an angle by that times the timestep.
			require.InDelta(t, c.Values[i], v, 1e-6+2e-7*c.T[i/int(c.Dim)], "%v %d", c, i)
		}
	}
	n := torch.LiveTensors()
	e := models.TimestepEmbedding(s.FromInt64s([]int64{7}), 2, false, 0)
	require.InDelta(t, math.Sin(7), e.Float32s()[0], 1e-6)
	require.Equal(t, n+2, torch.LiveTensors(), "the timesteps and the result")
	for _, dim := range []int64{0, 3} {
		require.ErrorContains(t, torch.Try(func() { models.TimestepEmbedding(s.FromInt64s([]int64{7}), dim, false, 0) }),
			fmt.Sprintf("torch: TimestepEmbedding: got size %d", dim))
	}
}

// The gradient through the whole network, in float64: with respect to the input and to parameters of each kind, of the
// deepest ones and of those that everything goes through.
func TestUNetFiniteDifferences(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	u := newUNet(t, s, tiny, torch.Float64)
	fill(s, u)
	x := numbers(s, 1, []int64{2, 3, 4, 4})
	at := s.FromInt64s([]int64{5, 600})
	cotangent := numbers(s, 2, x.Shape())
	loss := func() *torch.Tensor { return u.Forward(x, at).Mul(cotangent).Sum() }
	var checked []*torch.Tensor
	names := []string{"x"}
	checked = append(checked, x.RequiresGrad(true))
	for name, p := range nn.Params(u) {
		for _, part := range []string{"conv_in.bias", "linear_1.bias", "mid_block.attentions.0.to_q.weight",
			"to_k.weight", "mid_block.attentions.0.group_norm.weight", "time_emb_proj.bias", "conv_shortcut.bias",
			"downsamplers.0.conv.bias"} {
			if strings.HasSuffix(name, part) {
				checked, names = append(checked, p), append(names, name)
			}
		}
	}
	grads := torch.Grad(loss(), checked, torch.GradOptions{})
	const h = 1e-5 // truncation 1e-10, rounding 1e-11, relative to values of about 1
	torch.NoGrad(func() {
		for i, p := range checked {
			g := torch.Slice[float64](grads[i])
			var diff, norm float64
			flat := s.Use(p).Detach().Reshape(-1)
			for k := 0; k < len(g); k += 1 + len(g)/12 {
				one := flat.Narrow(0, int64(k), 1)
				v := one.Float64()
				moved := func(d float64) float64 {
					one.Fill_(v + d)
					defer one.Fill_(v)
					return loss().Float64()
				}
				n := (moved(h) - moved(-h)) / (2 * h)
				diff, norm = diff+(n-g[k])*(n-g[k]), norm+g[k]*g[k]
			}
			require.Positive(t, norm, names[i])
			require.Less(t, math.Sqrt(diff/norm), 1e-6, names[i])
		}
	})
	require.Greater(t, len(checked), 15)
}

// Images of a batch do not see each other, and the timestep matters.
func TestUNetTreatsImagesApart(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	u := newUNet(t, s, tiny, torch.Float64)
	x := numbers(s, 1, []int64{3, 3, 4, 4})
	all := u.Forward(x, s.FromInt64s([]int64{5, 600, 5}))
	for i := range int64(3) {
		one := u.Forward(x.Narrow(0, i, 1), s.FromInt64s([]int64{[]int64{5, 600, 5}[i]}))
		require.InDeltaSlice(t, torch.Slice[float64](all.Narrow(0, i, 1)), torch.Slice[float64](one), 1e-8) // the timestep's sines are float32, and of three others than of one
		other := u.Forward(x.Narrow(0, i, 1), s.FromFloat64s([]float64{7.5}))
		require.Greater(t, other.Sub(one).Abs().Max().Float64(), 1e-4)
	}
}

// PyTorch's defaults for every layer, the last one too: its output is not zero at first.
func TestUNetInitialValues(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	c, err := models.UNetPreset("demo", 32)
	require.NoError(t, err)
	u := newUNet(t, s, c, torch.Float32)
	other := nn.ParamList(newUNet(t, s, c, torch.Float32))
	i := 0
	for name, p := range nn.Params(u) {
		p := s.Use(p)
		require.True(t, p.Eq(other[i]).All().Bool(), "a seed must give the same network: %s", name)
		i++
		switch {
		case strings.Contains(name, "norm"):
			want := 0.0
			if strings.HasSuffix(name, "weight") {
				want = 1
			}
			require.True(t, p.EqScalar(want).All().Bool(), name)
		case p.Dim() > 1:
			in, _ := nn.Fans(p)
			bound := 1 / math.Sqrt(in)
			require.LessOrEqual(t, p.Abs().Max().Float64(), bound*1.000001, name)
			// Uniform: deviation bound/sqrt(3), estimated within 4 of its own deviations, 0.45/sqrt(n) of it.
			require.InEpsilon(t, bound/math.Sqrt(3), p.Std(true).Float64(), 4*0.45/math.Sqrt(float64(p.Numel())), name)
		}
	}
}

// Dropout is on in training mode only, and follows nn.Train.
func TestUNetDropout(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	c := tiny
	c.Dropout = 0.5
	u := newUNet(t, s, c, torch.Float64)
	plain := newUNet(t, s, tiny, torch.Float64)
	require.NoError(t, nn.Copy(plain, u))
	x, at := numbers(s, 1, []int64{2, 3, 4, 4}), s.FromInt64s([]int64{5, 600})
	same := func(a, b *torch.Tensor) bool { return a.Eq(b).All().Bool() }
	require.False(t, same(u.Forward(x, at), u.Forward(x, at)))
	nn.Train(u, false)
	require.True(t, same(u.Forward(x, at), plain.Forward(x, at)))
	nn.Train(u, true)
	require.False(t, same(u.Forward(x, at), plain.Forward(x, at)))
}

// The result goes where an operation on both arguments would put it, and everything else is freed.
func TestUNetMemory(t *testing.T) {
	root := torch.NewScope()
	defer root.Close()
	u := newUNet(t, root, tiny, torch.Float32)
	x := root.Randn(nil, []int64{2, 3, 4, 4})
	step := root.Child()
	at := step.FromInt64s([]int64{1, 2})
	n := torch.LiveTensors()
	y := u.Forward(x, at)
	require.Same(t, step, y.Scope())
	require.Equal(t, n+1, torch.LiveTensors())
	step.Close()

	params := nn.ParamList(u)
	opt := optim.NewAdam(root, params, optim.AdamOptions{LR: 1e-3})
	train := func(s *torch.Scope) error {
		x := s.Randn(nil, []int64{2, 3, 4, 4})
		loss := u.Forward(x, s.FromInt64s([]int64{1, 2})).Sub(x).Square().Mean()
		opt.Step(torch.Grad(loss, params, torch.GradOptions{}))
		return nil
	}
	leavesNothing(t, root, 20, train, params)
}

func TestUNetShapes(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	u := newUNet(t, s, tiny, torch.Float32)
	require.Equal(t, int64(4), u.Resolution())
	for _, c := range []struct {
		x, t []int64
		want string
	}{
		{[]int64{2, 3, 4, 8}, []int64{2}, "torch: UNet: got images [2 3 4 8] vs [N 3 4 4]"},
		{[]int64{2, 1, 4, 4}, []int64{2}, "torch: UNet: got images [2 1 4 4] vs [N 3 4 4]"},
		{[]int64{3, 4, 4}, []int64{2}, "torch: UNet: got images [3 4 4] vs [N 3 4 4]"},
		{[]int64{2, 3, 4, 4}, []int64{3}, "torch: UNet: got timesteps [3] vs [2], one for each image"},
		{[]int64{2, 3, 4, 4}, []int64{}, "torch: UNet: got timesteps [] vs [2], one for each image"},
	} {
		n := torch.LiveTensors()
		require.EqualError(t, torch.Try(func() { u.Forward(s.Zeros(c.x), s.Zeros(c.t)) }), c.want)
		require.LessOrEqual(t, torch.LiveTensors(), n+2)
	}
	// A failure in the middle leaves nothing behind: float64 images for a float32 network.
	x, at := s.Zeros([]int64{1, 3, 4, 4}, torch.Options{DType: torch.Float64}), s.Zeros([]int64{1})
	n := torch.LiveTensors()
	require.Error(t, torch.Try(func() { u.Forward(x, at) }))
	require.Equal(t, n, torch.LiveTensors())
}

func TestNewUNetErrors(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	for want, change := range map[string]func(c *models.UNetConfig){
		"got 0 levels of channels vs 1 to 16":                           func(c *models.UNetConfig) { c.Channels = nil },
		"got resolution 5 vs a multiple of 2, which 2 levels can halve": func(c *models.UNetConfig) { c.Resolution = 5 },
		"got resolution 0 vs a multiple of 2, which 2 levels can halve": func(c *models.UNetConfig) { c.Resolution = 0 },
		"got -1 blocks, 2 groups vs positive numbers":                   func(c *models.UNetConfig) { c.Blocks = -1 },
		"got 4 of channels [4 8] vs multiples of the 32 groups":         func(c *models.UNetConfig) { c.Groups = 0 },
		"got 7 of channels [4 7] vs multiples of the 2 groups":          func(c *models.UNetConfig) { c.Channels = []int{4, 7} },
		"got 4 channels at first, frequency shift 2 vs an even number and a shift from 0 to below half of it": func(c *models.UNetConfig) {
			c.FreqShift = 2
		},
		"got attention for 1 levels vs 2 levels of channels":             func(c *models.UNetConfig) { c.Attention = []bool{true} },
		"got head dimension -1 vs 0 or more":                             func(c *models.UNetConfig) { c.HeadDim = -1 },
		"got head dimension 3 vs a divisor of the 8 channels of level 1": func(c *models.UNetConfig) { c.HeadDim = 3 },
		"got dropout 1 vs 0 to below 1":                                  func(c *models.UNetConfig) { c.Dropout = 1 },
		"got dropout NaN vs 0 to below 1":                                func(c *models.UNetConfig) { c.Dropout = math.NaN() },
		"got norm epsilon -1 vs a positive number":                       func(c *models.UNetConfig) { c.NormEps = -1 },
	} {
		c := tiny
		change(&c)
		_, err := models.NewUNet(nn.Builder{Scope: s}, c)
		require.EqualError(t, err, "models: unet: "+want)
	}
	closed := torch.NewScope()
	closed.Close()
	_, err := models.NewUNet(nn.Builder{Scope: closed}, tiny)
	require.ErrorIs(t, err, torch.ErrClosed)
}

// Published files name the parts of attention as diffusers did before 0.18.
func TestUNetStateDictTakesOldNames(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	u, v := newUNet(t, s, tiny, torch.Float32), newUNet(t, s, tiny, torch.Float32)
	fill(s, u)
	old := strings.NewReplacer(".to_q.", ".query.", ".to_k.", ".key.", ".to_v.", ".value.", ".to_out.0.", ".proj_attn.")
	dict := map[string]*torch.Tensor{}
	for name, p := range nn.StateDict(u) {
		dict[old.Replace(name)] = p
	}
	require.Contains(t, dict, "mid_block.attentions.0.proj_attn.weight")
	require.Error(t, nn.Load(v, dict, false))
	require.NoError(t, nn.Load(v, models.UNetStateDict(dict), false))
	want := nn.ParamList(u)
	for i, p := range nn.ParamList(v) {
		require.True(t, s.Use(p).Eq(want[i]).All().Bool())
	}
}

// One step of training of the demo network, batch 32 at 32 pixels: forward, backward.
func BenchmarkUNetDemo(b *testing.B) {
	s := torch.NewScope()
	defer s.Close()
	c, err := models.UNetPreset("demo", 32)
	require.NoError(b, err)
	builder := nn.Builder{Scope: s.Child()}
	u, err := models.NewUNet(builder, c)
	require.NoError(b, err)
	builder.Scope.Seal()
	params := nn.ParamList(u)
	torch.RetainHostMemory()
	for b.Loop() {
		require.NoError(b, s.Scoped(func(s *torch.Scope) error {
			x := s.Randn(nil, []int64{32, 3, 32, 32})
			torch.Grad(u.Forward(x, s.Full([]int64{32}, 500)).Sub(x).Square().Mean(), params, torch.GradOptions{})
			return nil
		}))
	}
}
