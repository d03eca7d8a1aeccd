package trainers

import (
	"context"
	"errors"
	"io"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// trainFor trains f for a number of batches of demo pictures.
func trainFor(t *testing.T, f Family, batch, batches int) {
	t.Helper()
	loader, err := data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: batch, Seed: 3, Transform: data.Transform{Resolution: 32}})
	require.NoError(t, err)
	run, err := checkpoint.Create(filepath.Join(t.TempDir(), "run"))
	require.NoError(t, err)
	require.NoError(t, Run(context.Background(), f, RunOptions{Kimg: float64(batch*batches) / 1000, SnapKimg: 1000, Seed: 5, Grid: 2, Loader: loader, Out: run,
		Console: &monitor.Console{W: io.Discard}}))
}

// archive is what a network is exported as.
func archive(t *testing.T, e *Exported, err error) models.ScriptFile {
	t.Helper()
	require.NoError(t, err)
	s := torch.NewScope()
	defer s.Close()
	m, err := e.TorchScript(s)
	require.NoError(t, err)
	b, err := m.Bytes()
	require.NoError(t, err)
	return models.ScriptFile{Path: "net.pt", Data: b}
}

// Networks in TorchScript are trained to the weights, running statistics and averages that the same networks in Go are.
func TestOwnNetworksTrainAsOurs(t *testing.T) {
	gan := func(loss GANLoss) func(root *torch.Scope, term bool) (ours, own Family) {
		return func(root *torch.Scope, term bool) (Family, Family) {
			o := tiny()
			o.Loss, o.CriticSteps = loss, 2
			if term {
				o.Term = constantTerm(embedded(t, root), 0.1)
			}
			ours, err := NewGAN(root, nil, o, torch.CPU)
			require.NoError(t, err)
			weights := weightsOf(ours)
			e, err := ExportGAN(root, ours.Options(), weights, torch.CPU, Which{Raw: true})
			g := archive(t, e, err)
			e, err = ExportGAN(root, ours.Options(), weights, torch.CPU, Which{Critic: true})
			d := archive(t, e, err)
			o.Generator = func(b nn.Builder) (models.Generator, error) {
				return models.NewScriptGenerator(b, g, models.ScriptOptions{})
			}
			o.Critic = func(b nn.Builder) (models.Critic, error) {
				return models.NewScriptCritic(b, d, models.ScriptOptions{Resolution: 32})
			}
			own, err := NewGAN(root, nil, o, torch.CPU)
			require.NoError(t, err)
			require.Contains(t, own.Summary(), "generator net.pt ")
			return ours, own
		}
	}
	for name, build := range map[string]func(root *torch.Scope, term bool) (ours, own Family){
		"bce": gan(BCE), "wgan-gp": gan(WGANGP), "wgan-clip": gan(WGANClip),
		"vae": func(root *torch.Scope, term bool) (Family, Family) {
			o := tinyVAE()
			if term {
				o.Term = constantTerm(embedded(t, root), 0.1)
			}
			ours, err := NewVAE(root, nil, o, torch.CPU)
			require.NoError(t, err)
			e, err := ExportVAE(root, o, weightsOf(ours), torch.CPU, Which{})
			f := archive(t, e, err)
			o.Network = func(b nn.Builder) (models.Autoencoder, error) {
				return models.NewScriptAutoencoder(b, f, models.ScriptFile{}, models.ScriptOptions{Resolution: 32}, false)
			}
			own, err := NewVAE(root, nil, o, torch.CPU)
			require.NoError(t, err)
			return ours, own
		},
		"diffusion": func(root *torch.Scope, term bool) (Family, Family) {
			o := tinyDiffusion()
			if term {
				o.Term = constantTerm(embedded(t, root), 0.1)
			}
			ours, err := NewDiffusion(root, nil, o, torch.CPU)
			require.NoError(t, err)
			e, err := ExportDiffusion(root, o, weightsOf(ours), torch.CPU, Which{Raw: true})
			f := archive(t, e, err)
			o.Network = func(b nn.Builder) (models.Denoiser, error) { return models.NewScriptDenoiser(b, f, 32, 1000) }
			own, err := NewDiffusion(root, nil, o, torch.CPU)
			require.NoError(t, err)
			return ours, own
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, torch.Seed(3))
			root := scope(t)
			ours, own := build(root, true)
			before := map[string]float64{}
			for n, x := range ours.Tensors() {
				before[n] = root.Use(x).Detach().To(torch.Float64).Norm().Float64()
			}
			trainFor(t, ours, 8, 6)
			trainFor(t, own, 8, 6)
			mine, moved := weightsOf(ours), 0
			theirs := weightsOf(own)
			require.Len(t, theirs, len(mine))
			for n, x := range mine {
				y := theirs[n]
				require.NotNil(t, y, n)
				a, b := root.Use(x).Detach().To(torch.Float64), root.Use(y).Detach().To(torch.Float64)
				if a.Norm().Float64() != before[n] {
					moved++
				}
				// Adam divides by the root of a mean square: where that is tiny, the last bits of a gradient count. The critic of
				// wgan-gp sees the two batches apart here, and together there.
				require.InDelta(t, 0, a.Sub(b).Norm().Float64(), 1e-5*(1e-2+a.Norm().Float64()), "%s", n)
			}
			require.Greater(t, moved, len(mine)/2)
		})
	}
}

// The settings must be those of the networks.
func TestOwnNetworksThatDoNotFit(t *testing.T) {
	root := scope(t)
	o := tiny()
	g, err := NewGAN(root, nil, o, torch.CPU)
	require.NoError(t, err)
	e, err := ExportGAN(root, g.Options(), weightsOf(g), torch.CPU, Which{})
	f := archive(t, e, err)
	o.Generator = func(b nn.Builder) (models.Generator, error) {
		return models.NewScriptGenerator(b, f, models.ScriptOptions{})
	}
	o.Latent = 20
	_, err = NewGAN(root, nil, o, torch.CPU)
	require.EqualError(t, err, "trainers: got a generator for latents of 16 and images of 32 vs --latent 20, --resolution 32")
	o.Latent = 16
	o.Resolution = 48 // for which --arch has no critic
	_, err = NewGAN(root, nil, o, torch.CPU)
	require.ErrorContains(t, err, "--resolution: models: dcgan: got resolution 48")
	broken := errors.New("planted")
	o.Resolution = 32
	o.Critic = func(nn.Builder) (models.Critic, error) { return nil, broken }
	_, err = NewGAN(root, nil, o, torch.CPU)
	require.ErrorIs(t, err, broken)
	// Without a critic there need not be one.
	o.Loss, o.Term = TIGASOnly, constantTerm(embedded(t, root), 1)
	own, err := NewGAN(root, nil, o, torch.CPU)
	require.NoError(t, err)
	trainFor(t, own, 8, 2)
}

// A mask of minus infinities is a constant; a parameter that is not finite is none.
func TestConstantsNeedNotBeFinite(t *testing.T) {
	root := scope(t)
	o := tiny()
	file, err := models.ReadScript(filepath.Join("..", "models", "testdata", "script", "odd_infinite.pt"))
	require.NoError(t, err)
	o.Loss, o.Resolution, o.Latent = TIGASOnly, 16, 5
	d, err := tigas.Embedded(root, tigas.OpenOptions{})
	require.NoError(t, err)
	o.Term = constantTerm(d, 1)
	o.Generator = func(b nn.Builder) (models.Generator, error) {
		return models.NewScriptGenerator(b, file, models.ScriptOptions{})
	}
	g, err := NewGAN(root, nil, o, torch.CPU)
	require.NoError(t, err)
	train := func() error {
		loader, err := data.NewLoader(data.NewDemo(16, false), data.LoaderOptions{Batch: 8, Seed: 3, Transform: data.Transform{Resolution: 16}})
		require.NoError(t, err)
		run, err := checkpoint.Create(filepath.Join(t.TempDir(), "run"))
		require.NoError(t, err)
		return Run(context.Background(), g, RunOptions{Kimg: 0.03, Seed: 5, Grid: 2, Loader: loader, Out: run, Console: &monitor.Console{W: io.Discard}})
	}
	require.NoError(t, train())
	torch.NoGrad(func() { g.g.params[0].Fill_(math.Inf(1)) })
	require.ErrorIs(t, train(), ErrDiverged)
}
