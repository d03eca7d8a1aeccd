package models_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

// stylePair builds a small pair in a sealed scope, with initial values and random numbers of a seed.
func stylePair(t *testing.T, c models.StyleConfig, d torch.DType) (
	*torch.Scope, *torch.Generator, *models.StyleGenerator, *models.StyleDiscriminator) {
	s := torch.NewScope()
	t.Cleanup(s.Close)
	gen, err := s.NewGenerator(torch.CPU, 3)
	require.NoError(t, err)
	b := nn.Builder{Scope: s.Child(), Generator: gen, DType: d}
	g, dis, err := models.NewStyleGAN2(b, c)
	require.NoError(t, err)
	b.Scope.Seal()
	return s, gen, g, dis
}

var smallStyle = models.StyleConfig{Resolution: 16, Latent: 6, StyleDim: 5, MappingLayers: 2, ChannelBase: 64, ChannelMax: 4}

// The numbers that StyleGAN2 prints for its networks at 1024 pixels.
func TestStyleNumbersOfParameters(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	g, d, err := models.NewStyleGAN2(nn.Builder{Scope: s}, models.StyleConfig{Resolution: 1024})
	require.NoError(t, err)
	require.Equal(t, []int64{30_370_060, 29_012_513}, []int64{nn.CountParams(g), nn.CountParams(d)})
}

func TestStylePairsFitEachOther(t *testing.T) {
	for _, r := range []int{8, 16, 64} {
		c := smallStyle
		c.Resolution = r
		s, gen, g, d := stylePair(t, c, torch.DefaultDType)
		size := int64(r)
		require.Equal(t, []int64{6, size}, []int64{g.LatentDim(), g.Resolution()})
		torch.NoGrad(func() {
			for _, n := range []int64{1, 5, 8} {
				x := g.Forward(s.Randn(gen, []int64{n, 6}))
				require.Equal(t, []int64{n, 3, size, size}, x.Shape())
				y := d.Forward(x)
				require.Equal(t, []int64{n}, y.Shape())
				require.True(t, y.IsFinite().All().Bool())
			}
		})
	}
	_, _, g, _ := stylePair(t, smallStyle, torch.DefaultDType)
	require.Equal(t, int64(6), g.Synthesis.NumStyles()) // 2 log2(16) - 2
}

func TestStyleErrors(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	b := nn.Builder{Scope: s}
	for _, c := range []struct {
		c    models.StyleConfig
		want string
	}{
		{models.StyleConfig{}, "models: stylegan2: got resolution 0 vs a power of two from 8 to 1024"},
		{models.StyleConfig{Resolution: 48}, "models: stylegan2: got resolution 48 vs a power of two from 8 to 1024"},
		{models.StyleConfig{Resolution: 2048}, "models: stylegan2: got resolution 2048 vs a power of two from 8 to 1024"},
		{models.StyleConfig{Resolution: -32}, "models: stylegan2: got resolution -32 vs a power of two from 8 to 1024"},
		{models.StyleConfig{Resolution: 32, Latent: -1}, "models: stylegan2: got latent -1 vs a positive number"},
		{models.StyleConfig{Resolution: 32, MbstdGroup: -4}, "models: stylegan2: got minibatch group -4 vs a positive number"},
		{models.StyleConfig{Resolution: 64, ChannelBase: 32},
			"models: stylegan2: got channel base 32 vs at least the resolution 64"},
	} {
		_, _, err := models.NewStyleGAN2(b, c.c)
		require.EqualError(t, err, c.want)
	}
	closed := torch.NewScope()
	closed.Close()
	_, _, err := models.NewStyleGAN2(nn.Builder{Scope: closed}, smallStyle)
	require.ErrorIs(t, err, torch.ErrClosed)

	s, _, g, d := stylePair(t, smallStyle, torch.DefaultDType)
	ones := func(shape ...int64) *torch.Tensor { return s.Ones(shape) }
	for name, f := range map[string]func(){
		"latent":         func() { g.Forward(ones(2, 7)) },
		"one latent":     func() { g.Forward(ones(6)) },
		"styles":         func() { g.Synthesis.Forward(ones(2, 5, 5), models.StyleNoise{}) },
		"style":          func() { g.Synthesis.Forward(ones(2, 6, 4), models.StyleNoise{}) },
		"one style":      func() { g.Synthesis.Forward(ones(2, 5), models.StyleNoise{}) },
		"broadcast":      func() { g.Synthesis.Broadcast(ones(2, 6, 5)) },
		"average":        func() { g.Mapping.UpdateAverage(ones(2, 6, 5), 0.9) },
		"truncate":       func() { g.Mapping.Truncate(ones(2, 4), 0.5) },
		"cutoff":         func() { g.Mapping.TruncateLayers(ones(2, 5), 0.5, 1) },
		"larger images":  func() { d.Forward(ones(2, 3, 32, 32)) },
		"smaller images": func() { d.Forward(ones(2, 3, 8, 8)) },
		"grey images":    func() { d.Forward(ones(2, 1, 16, 16)) },
		"no images":      func() { d.Forward(ones(0, 3, 16, 16)) },
		"mixed shapes":   func() { models.MixStyles(ones(2, 6, 5), ones(2, 6, 4), ones(1)) },
		"cuts":           func() { models.MixStyles(ones(2, 6, 5), ones(2, 6, 5), ones(3)) },
		"probability":    func() { models.RandomCuts(s, nil, 1, 6, 1.5, torch.CPU) },
	} {
		var e *torch.Error
		require.ErrorAs(t, torch.Try(f), &e, name)
	}
}

func TestStyleNoise(t *testing.T) {
	s, gen, g, _ := stylePair(t, smallStyle, torch.Float64)
	ws := g.Synthesis.Broadcast(g.Mapping.Forward(s.Ones([]int64{2, 6}, torch.Options{DType: torch.Float64})))
	make := func(n models.StyleNoise) *torch.Tensor { return g.Synthesis.Forward(ws, n) }
	apart := func(a, b *torch.Tensor) float64 { return a.Sub(b).Abs().Max().Float64() }
	none := make(models.StyleNoise{Mode: models.NoiseNone})
	require.Zero(t, apart(none, make(models.RandomNoise(gen))), "strengths are 0 at the start")
	torch.NoGrad(func() {
		for _, k := range g.Synthesis.Blocks {
			k.Conv1.NoiseStrength.Fill_(1)
		}
	})
	random := func(seed int64) *torch.Tensor {
		n, err := s.NewGenerator(torch.CPU, seed)
		require.NoError(t, err)
		return make(models.RandomNoise(n))
	}
	a, constant := random(1), make(models.StyleNoise{})
	require.Zero(t, apart(a, random(1)))
	require.Positive(t, apart(a, random(2)))
	require.Positive(t, apart(a.Narrow(0, 0, 1), a.Narrow(0, 1, 1)), "images must not share random noise")
	require.Zero(t, apart(constant, make(models.StyleNoise{})))
	require.Zero(t, apart(constant.Narrow(0, 0, 1), constant.Narrow(0, 1, 1)))
	require.Zero(t, apart(none, make(models.StyleNoise{Mode: models.NoiseNone})))
	require.Positive(t, apart(none, constant))
}

func TestTruncation(t *testing.T) {
	s, _, g, _ := stylePair(t, smallStyle, torch.Float64)
	m := g.Mapping
	w := s.FromFloat64s([]float64{1, 2, 3, 4, 5, 3, 2, 1, 0, -1}, 2, 5)
	m.UpdateAverage(w.RequiresGrad(true), 0.75) // 0.75 * 0 + 0.25 * mean
	average := []float64{0.5, 0.5, 0.5, 0.5, 0.5}
	require.Equal(t, average, torch.Slice[float64](m.Average))
	require.False(t, m.Average.IsGradRequired())
	m.UpdateAverage(w, 1)
	require.Equal(t, average, torch.Slice[float64](m.Average))

	require.Same(t, w, m.Truncate(w, 1))
	require.Equal(t, append(average, average...), torch.Slice[float64](m.Truncate(w, 0)))
	require.InDeltaSlice(t, []float64{0.6, 0.8, 1, 1.2, 1.4, 1, 0.8, 0.6, 0.4, 0.2}, torch.Slice[float64](m.Truncate(w, 0.2)), 1e-15)
	ws := g.Synthesis.Broadcast(w)
	for cutoff, layers := range map[int64]int64{-1: 6, 0: 0, 2: 2, 5: 5, 6: 6, 9: 6} {
		got := m.TruncateLayers(ws, 0.2, cutoff)
		require.Equal(t, ws.Shape(), got.Shape())
		for l := range int64(6) {
			want := w
			if l < layers {
				want = m.Truncate(w, 0.2)
			}
			require.True(t, got.Select(1, l).Eq(want).All().Bool(), "cutoff %d, layer %d", cutoff, l)
		}
	}
	z := s.Randn(nil, []int64{2, 6}, torch.Options{DType: torch.Float64})
	require.True(t, g.Forward(z).Eq(g.Sample(z, 1, 3, models.StyleNoise{})).All().Bool())
	same := g.Sample(z, 0, -1, models.StyleNoise{})
	require.True(t, same.Narrow(0, 0, 1).Eq(same.Narrow(0, 1, 1)).All().Bool(), "psi 0 gives the mean image")
}

func TestMixStyles(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	a, b := s.Zeros([]int64{3, 4, 2}), s.Ones([]int64{3, 4, 2})
	mixed := func(cut ...int64) []float32 {
		return torch.Slice[float32](models.MixStyles(a, b, s.FromInt64s(cut)).Select(2, 0).Contiguous())
	}
	require.Equal(t, []float32{0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1}, mixed(1))
	require.Equal(t, []float32{0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0}, mixed(3, 0, 4))

	g, err := s.NewGenerator(torch.CPU, 4)
	require.NoError(t, err)
	const n = 70_000
	count := map[int64]float64{}
	for _, c := range torch.Slice[int64](models.RandomCuts(s, g, n, 8, 0.9, torch.CPU)) {
		count[c]++
	}
	require.Len(t, count, 8)
	for c, k := range count { // seven cuts of 0.9/7 and none of 0.1; 5 standard deviations
		p := 0.9 / 7
		if c == 8 {
			p = 0.1
		}
		require.InDelta(t, p, k/n, 5*0.0013, "cut %d", c)
	}
	require.Equal(t, []int64{8, 8}, torch.Slice[int64](models.RandomCuts(s, g, 2, 8, 0, torch.CPU)))
}

// Steps of both networks with both penalties, mixing, averages and a copy leave nothing behind.
func TestStyleTrainingKeepsMemoryFlat(t *testing.T) {
	root, gen, g, d := stylePair(t, smallStyle, torch.DefaultDType)
	b := nn.Builder{Scope: root.Child()}
	average, err := models.NewStyleGenerator(b, smallStyle)
	require.NoError(t, err)
	b.Scope.Seal()
	gp, dp := nn.ParamList(g), nn.ParamList(d)
	gOpt := optim.NewAdam(root, gp, optim.AdamOptions{LR: 1e-3, Beta2: 0.99})
	dOpt := optim.NewAdam(root, dp, optim.AdamOptions{LR: 1e-3, Beta2: 0.99})
	ema, err := optim.NewEMA(gp, nn.ParamList(average), nn.BufferList(g), nn.BufferList(average))
	require.NoError(t, err)
	graph, unused := torch.GradOptions{CreateGraph: true}, torch.GradOptions{AllowUnused: true}
	images := func(s *torch.Scope, n int64) (x, ws *torch.Tensor) {
		w := g.Mapping.Forward(s.Randn(gen, []int64{n, 6}))
		g.Mapping.UpdateAverage(w, models.StyleAverageDecay)
		other := g.Mapping.Forward(s.Randn(gen, []int64{n, 6}))
		cut := models.RandomCuts(s, gen, 1, g.Synthesis.NumStyles(), 0.9, torch.CPU)
		ws = models.MixStyles(g.Synthesis.Broadcast(w), g.Synthesis.Broadcast(other), cut)
		return g.Synthesis.Forward(ws, models.RandomNoise(gen)), ws
	}
	step := func(s *torch.Scope) error {
		var fake *torch.Tensor
		torch.NoGrad(func() { fake, _ = images(s, 4) })
		real := s.Randn(gen, []int64{4, 3, 16, 16}).RequiresGrad(true)
		scores := d.Forward(real)
		slope := torch.Grad(scores.Sum(), []*torch.Tensor{real}, graph)[0]
		loss := d.Forward(fake).Softplus().Mean().Add(scores.Neg().Softplus().Mean()).Add(slope.Square().Sum())
		dOpt.Step(torch.Grad(loss, dp, torch.GradOptions{}))

		x, ws := images(s, 4)
		slope = torch.Grad(x.Mul(s.Randn(gen, x.Shape())).Sum(), []*torch.Tensor{ws}, graph)[0]
		loss = d.Forward(x).Neg().Softplus().Mean().Add(slope.Square().SumDim([]int64{2}, false).MeanDim([]int64{1}, false).
			AddScalar(1e-8).Sqrt().Sub(s.Scalar(1)).Square().Mean())
		gOpt.Step(torch.Grad(loss, gp, unused))
		ema.Update(0.9)
		return nil
	}
	leavesNothing(t, root, 20, step, append(gp, dp...))
	require.Equal(t, torch.Slice[float32](g.Mapping.Average), torch.Slice[float32](average.Mapping.Average))
	root.Scoped(func(s *torch.Scope) error { // a copy by names too
		other, err := models.NewStyleGenerator(nn.Builder{Scope: s}, smallStyle)
		require.NoError(t, err)
		require.NoError(t, nn.Copy(other, g))
		z := s.Randn(gen, []int64{2, 6})
		require.True(t, other.Forward(z).Eq(g.Forward(z)).All().Bool())
		return nil
	})
}
