package trainers

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/sched"
)

// stepValues makes one step on n images and returns what it reported.
func stepValues(t *testing.T, f Family, root *torch.Scope, p sched.Progress, n int) map[string]float64 {
	t.Helper()
	st := stepOf(t, root)
	st.Progress = p
	pixels := make([]byte, n*3*32*32)
	for i := range pixels {
		pixels[i] = byte(i * i % 251)
	}
	st.loop.o.Loader = demoLoader(t, n)
	st.loop.next = func() (*data.Batch, error, bool) { return &data.Batch{Pixels: pixels, N: n, R: 32}, nil, true }
	require.NoError(t, f.Step(st))
	out := map[string]float64{}
	for _, v := range st.loop.stats.take() {
		out[v.Name] = v.Value
	}
	return out
}

func demoLoader(t *testing.T, batch int) *data.Loader {
	t.Helper()
	l, err := data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: batch, Transform: data.Transform{Resolution: 32}})
	require.NoError(t, err)
	return l
}

// The loss is the evidence lower bound over the values of an image, plus the weighted term; with means it is the recipe's.
func TestVAETotal(t *testing.T) {
	for _, reduction := range []Reduction{SumReduction, MeanReduction} {
		for _, kind := range []ReconstructionKind{MSEReconstruction, L1Reconstruction, BCEReconstruction} {
			root := scope(t)
			o := tinyVAE()
			o.Reduction, o.Reconstruction, o.Beta = reduction, kind, 0.7
			o.Term = constantTerm(toyDetector(t, root, 32), 0.15)
			v, err := NewVAE(root, nil, o, torch.CPU)
			require.NoError(t, err)
			got := stepValues(t, v, root, sched.Progress{}, 6)
			pixels := 1.0
			if reduction == SumReduction {
				pixels = 3 * 32 * 32
			}
			want := (got["recon"]+0.7*got["kl"])/pixels + 0.15*got["tigas"]
			require.InEpsilon(t, want, got["total"], 1e-5, "%s %s", reduction, kind)
			require.InDelta(t, 1-got["score"], got["tigas"], 1e-6)
			if kind == MSEReconstruction {
				require.InEpsilon(t, got["mse"], got["recon"]/pixels, 1e-4)
			}
		}
	}
}

// Beta rises over its warm-up.
func TestVAEWarmUp(t *testing.T) {
	root := scope(t)
	o := tinyVAE()
	o.KLWarmup = sched.Span{N: 100, Unit: sched.Step}
	for _, c := range []struct {
		step int64
		beta float64
	}{{0, 0}, {25, 0.25}, {100, 1}, {500, 1}} {
		v, err := NewVAE(root, nil, o, torch.CPU)
		require.NoError(t, err)
		got := stepValues(t, v, root, sched.Progress{Step: c.step}, 4)
		require.InEpsilon(t, (got["recon"]+c.beta*got["kl"])/(3*32*32), got["total"], 1e-5, "step %d", c.step)
	}
}

// The term scores what it is told to score: one call of the detector for any choice, on as many images as there are in the
// batch, and for random latents no gradient reaches the encoder.
func TestVAETermOn(t *testing.T) {
	for _, on := range []VAETerm{TermOnReconstructions, TermOnPrior, TermOnBoth} {
		root := scope(t)
		detector := toyDetector(t, root, 32)
		o := tinyVAE()
		o.TermOn, o.Term = on, constantTerm(detector, 0.1)
		v, err := NewVAE(root, nil, o, torch.CPU)
		require.NoError(t, err)
		st := stepOf(t, root)
		mu, logvar := v.net.Encode(st.Scope.Rand(st.Noise, []int64{7, 3, 32, 32}))
		images := v.images(v.net.Decode(Reparameterize(mu, logvar, v.latents(st, 7))))
		calls := detector.Calls()
		scored := v.scored(st, images)
		require.EqualValues(t, 7, scored.Size(0))
		a := v.o.Term.Apply(st.Progress, scored)
		require.Equal(t, calls+1, detector.Calls())
		g := torch.Grad(a.Loss, []*torch.Tensor{v.net.(*models.VAE).Mu.Weight, v.net.(*models.VAE).DecoderInput.Weight}, torch.GradOptions{AllowUnused: true})
		require.NotNil(t, g[1])
		require.NotZero(t, g[1].Abs().Max().Float64())
		require.Equal(t, on == TermOnPrior, g[0] == nil, "%s: the encoder's gradient", on)
	}
}

// The effective beta is the number of values of an image over that of a latent's dimensions, as the research computed it.
func TestVAEEffectiveBeta(t *testing.T) {
	o := DefaultVAEOptions()
	require.Equal(t, 1.0, o.EffectiveBeta())
	o.Reduction = MeanReduction
	require.Equal(t, 96.0, o.EffectiveBeta()) // 3x64x64 over 128
	o.Resolution, o.Latent, o.Beta = 256, 256, 0.5
	require.Equal(t, 384.0, o.EffectiveBeta())
	root := scope(t)
	o = tinyVAE()
	o.Reduction = MeanReduction
	v, err := NewVAE(root, nil, o, torch.CPU)
	require.NoError(t, err)
	require.Contains(t, v.Objective(), "effective beta 384")
}

// Reconstructions are those of the latents' means: without noise, the same every time, and in the image's range.
func TestVAEReconstruct(t *testing.T) {
	root := scope(t)
	v, err := NewVAE(root, nil, tinyVAE(), torch.CPU)
	require.NoError(t, err)
	x := root.Rand(nil, []int64{3, 3, 32, 32})
	a, b := v.Reconstruct(x), v.Reconstruct(x)
	require.True(t, a.Eq(b).All().Bool())
	require.False(t, a.HasGradFn())
	var mu *torch.Tensor
	evaluating(v.net, func() { mu, _ = v.net.Encode(x) })
	require.True(t, a.Eq(drawn(t, v, mu)).All().Bool())
}
