package trainers

import (
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/sched"
)

// Regularisers come on every 16th and 4th step, with the learning rates that are corrected for them; total is the sum of
// the generator's terms with their gains.
func TestStyleGANLazyRegularisation(t *testing.T) {
	root := scope(t)
	o := tinyStyle()
	o.Term = constantTerm(toyDetector(t, root, 32), 0.1)
	g, err := NewStyleGAN(root, nil, o, torch.CPU)
	require.NoError(t, err)
	rates := map[string]float64{}
	for _, o := range g.Optimizers() {
		rates["lr_"+o.Name] = o.LR()
	}
	require.InDelta(t, 0.0025*0.8, rates["lr_G"], 1e-15)
	require.InDelta(t, 0.0025*16/17, rates["lr_D"], 1e-15)
	for step := range int64(18) {
		got := stepValues(t, g, root, sched.Progress{Step: step, Images: 8 * step}, familyBatch)
		_, r1 := got["r1"]
		path, pl := got["path_loss"]
		require.Equal(t, step%16 == 0, r1, "R1 in step %d", step)
		require.Equal(t, step%4 == 0, pl, "path length in step %d", step)
		// tigas_loss is weighted, path_loss is before the gain of 4 for being lazy.
		require.InEpsilon(t, got["G"]+got["tigas_loss"]+4*path, got["total"], 1e-5)
		require.InDelta(t, 0.1*(1-got["score"]), got["tigas_loss"], 1e-6)
	}
}

// The running mean of path lengths follows, and is part of the snapshot; so is the mean style.
func TestStyleGANKeepsItsMeans(t *testing.T) {
	root := scope(t)
	g, err := NewStyleGAN(root, nil, tinyStyle(), torch.CPU)
	require.NoError(t, err)
	require.Zero(t, g.pathMean.Float64())
	stepValues(t, g, root, sched.Progress{}, familyBatch)
	saved := map[string]*torch.Tensor{}
	for name, x := range g.Tensors() {
		saved[name] = x
	}
	require.Positive(t, saved["pl_mean"].Float64())
	require.Positive(t, root.Use(saved["G.mapping.w_avg"]).Abs().Max().Float64())
	require.True(t, root.Use(saved["G_ema.mapping.w_avg"]).Eq(saved["G.mapping.w_avg"]).All().Bool(), "buffers are copied")
}

// Truncated to the mean, all latents give one picture; half way they come nearer.
func TestStyleGANTruncation(t *testing.T) {
	root := scope(t)
	o := tinyStyle()
	g, err := NewStyleGAN(root, nil, o, torch.CPU)
	require.NoError(t, err)
	saved := map[string]*torch.Tensor{}
	for name, x := range g.Tensors() {
		saved[name] = x
	}
	s, err := LoadStyleGAN(root, o, saved, torch.CPU)
	require.NoError(t, err)
	z, err := seeded(root, s, 2, 1)
	require.NoError(t, err)
	apart := func(psi float64) float64 {
		s.Trunc = psi
		ws := s.Styles(z)
		return ws.Select(0, 0).Sub(ws.Select(0, 1)).Norm().Float64()
	}
	full := apart(1)
	require.InEpsilon(t, full/2, apart(0.5), 1e-5)
	require.Zero(t, apart(0))
	s.Trunc, s.Cutoff = 0, 2
	ws := s.Styles(z)
	require.Zero(t, ws.Narrow(1, 0, 2).Select(0, 0).Sub(ws.Narrow(1, 0, 2).Select(0, 1)).Norm().Float64())
	require.Positive(t, ws.Narrow(1, 2, 1).Select(0, 0).Sub(ws.Narrow(1, 2, 1).Select(0, 1)).Norm().Float64())
}

// The rows of StyleGAN2-ADA's table.
func TestStylePresets(t *testing.T) {
	for _, c := range []struct {
		resolution, batch int
		gamma, lr, kimg   float64
	}{
		{32, 32, 0.0064, 0.0025, 10}, {64, 32, 0.0256, 0.0025, 10}, {128, 32, 0.1024, 0.0025, 10}, {256, 16, 0.8192, 0.0025, 5},
		{512, 8, 6.5536, 0.0025, 2.5}, {1024, 4, 52.4288, 0.002, 1.25},
	} {
		o, err := StylePreset("auto", c.resolution, 0)
		require.NoError(t, err)
		require.Equal(t, c.batch, o.Batch)
		require.InEpsilon(t, c.gamma, o.Gamma, 1e-12)
		require.Equal(t, c.lr, o.GenLR)
		require.InEpsilon(t, c.kimg, o.EMAKimg, 1e-12)
		require.Equal(t, 2, o.Net.MappingLayers)
		require.Equal(t, 4, o.Net.MbstdGroup)
		want := 16384
		if c.resolution >= 512 {
			want = 32768
		}
		require.Equal(t, want, o.Net.ChannelBase)
		require.NoError(t, o.Validate())
	}
	for _, name := range StylePresets {
		o, err := StylePreset(name, 256, 0)
		require.NoError(t, err)
		require.NoError(t, o.Validate(), name)
	}
	o, err := StylePreset("paper256", 256, 0)
	require.NoError(t, err)
	require.Equal(t, []float64{64, 8, 1, 8}, []float64{float64(o.Batch), float64(o.Net.MbstdGroup), o.Gamma, float64(o.Net.MappingLayers)})
	o, err = StylePreset("cifar", 32, 0)
	require.NoError(t, err)
	require.Equal(t, []float64{0, 0, 0.01, 500}, []float64{o.PLWeight, o.Mixing, o.Gamma, o.EMAKimg})
	o, err = StylePreset("paper256", 256, 6)
	require.NoError(t, err)
	require.Equal(t, 6, o.Net.MbstdGroup, "the largest up to 8 that divides 6")
	_, err = StylePreset("ffhq", 256, 0)
	require.ErrorContains(t, err, "auto, stylegan2, paper256")
}

func TestFamilyOptionsAreChecked(t *testing.T) {
	nan := math.NaN()
	for flag, change := range map[string]func(*StyleGANOptions){
		"--resolution":   func(o *StyleGANOptions) { o.Net.Resolution = 48 },
		"--map-depth":    func(o *StyleGANOptions) { o.Net.MappingLayers = 65 },
		"--mbstd-group":  func(o *StyleGANOptions) { o.Net.MbstdGroup = 3 },
		"--channel-base": func(o *StyleGANOptions) { o.Net.ChannelBase = 4 },
		"--gamma":        func(o *StyleGANOptions) { o.Gamma = nan },
		"--r1-every":     func(o *StyleGANOptions) { o.R1Every = 0 },
		"--mixing":       func(o *StyleGANOptions) { o.Mixing = 2 },
		"--aug":          func(o *StyleGANOptions) { o.Augment = "rotate" },
		"--beta2":        func(o *StyleGANOptions) { o.Beta2 = 1 },
		"--batch":        func(o *StyleGANOptions) { o.Batch = 0 },
	} {
		o := tinyStyle()
		change(&o)
		_, err := NewStyleGAN(scope(t), nil, o, torch.CPU)
		require.ErrorContains(t, err, flag)
	}
	for flag, change := range map[string]func(*VAEOptions){
		"--resolution": func(o *VAEOptions) { o.Resolution = 48 },
		"--recon":      func(o *VAEOptions) { o.Reconstruction = "lpips" },
		"--reduction":  func(o *VAEOptions) { o.Reduction = "max" },
		"--beta":       func(o *VAEOptions) { o.Beta = -1 },
		"--tigas-on":   func(o *VAEOptions) { o.TermOn = "all" },
		"--lr":         func(o *VAEOptions) { o.LR.Schedule = nil },
		"--latent":     func(o *VAEOptions) { o.Latent = 0 },
	} {
		o := tinyVAE()
		change(&o)
		_, err := NewVAE(scope(t), nil, o, torch.CPU)
		require.ErrorContains(t, err, flag)
	}
	for flag, change := range map[string]func(*DiffusionOptions){
		"resolution":           func(o *DiffusionOptions) { o.UNet.Resolution = 33 },
		"--predict":            func(o *DiffusionOptions) { o.Predict = "score" },
		"--schedule":           func(o *DiffusionOptions) { o.Schedule = "square" },
		"--loss-weight":        func(o *DiffusionOptions) { o.LossWeight = "p2" },
		"--ema":                func(o *DiffusionOptions) { o.EMA = 1 },
		"--sampler":            func(o *DiffusionOptions) { o.Sampling.Method = "euler" },
		"--sample-steps":       func(o *DiffusionOptions) { o.Sampling.Steps = 0 },
		"--eta":                func(o *DiffusionOptions) { o.Sampling.Eta = 1.5 },
		"--tigas-max-timestep": func(o *DiffusionOptions) { o.MaxTimestep = -1 },
		"--snr-gamma":          func(o *DiffusionOptions) { o.SNRGamma = 0 },
	} {
		o := tinyDiffusion()
		change(&o)
		_, err := NewDiffusion(scope(t), nil, o, torch.CPU)
		require.ErrorContains(t, err, flag)
	}
}

// A regulariser that is not finite once leaves no trace: its update is left out and counted by itself, the running means
// stay what they were, and the next one is made.
func TestStyleGANSurvivesOneBadStep(t *testing.T) {
	root := scope(t)
	g, err := NewStyleGAN(root, nil, tinyStyle(), torch.CPU)
	require.NoError(t, err)
	st := stepOf(t, root)
	st.loop.o.Console = &monitor.Console{W: io.Discard}
	path := func() {
		require.NoError(t, st.Sub(func(st *Step) error { return g.updatePath(st) }))
	}
	path()
	before := g.pathMean.Float64()
	weight := g.generator.Synthesis.Blocks[0].ToRGB.Weight
	torch.NoGrad(func() { weight.MulScalar_(1e30) })
	path()
	require.Equal(t, before, g.pathMean.Float64(), "the running mean took what was left out")
	require.NoError(t, st.Sub(func(st *Step) error { return g.updateGenerator(st, nil) }))
	require.Equal(t, 1, st.loop.s.Skipped["G_path"], "counted by itself")
	torch.NoGrad(func() { weight.MulScalar_(1e-30) })
	path()
	require.Zero(t, st.loop.s.Skipped["G_path"])
	require.NotEqual(t, before, g.pathMean.Float64())
	require.False(t, math.IsNaN(g.pathMean.Float64()))
}
