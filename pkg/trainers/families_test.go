package trainers

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

const familyBatch = 8

// tinyFamily is a family of a size that trains in a moment at 32 x 32, and how it is built and loaded.
type tinyFamily struct {
	build func(root *torch.Scope, term tigas.Term) (Family, error)
	load  func(root *torch.Scope, tensors map[string]*torch.Tensor) (Sampler, error)
	terms []string // names in the log, besides tigas or tigas_loss, score and total
}

func tinyStyle() StyleGANOptions {
	o, err := StylePreset("auto", 32, familyBatch)
	if err != nil {
		panic(err)
	}
	o.Net = models.StyleConfig{Resolution: 32, Latent: 8, StyleDim: 8, MappingLayers: 2, ChannelBase: 128, ChannelMax: 8}
	o.Augment = "color,translation,cutout"
	return o
}

func tinyVAE() VAEOptions {
	o := DefaultVAEOptions()
	o.Resolution, o.Latent, o.Width, o.Batch, o.KLWarmup = 32, 8, 4, familyBatch, sched.Span{}
	return o
}

func tinyDiffusion() DiffusionOptions {
	o := DefaultDiffusionOptions()
	o.Resolution, o.Batch, o.Sampling.Steps, o.MaxTimestep = 32, familyBatch, 3, 900
	o.UNet = models.UNetConfig{Resolution: 32, Channels: []int{8, 8}, Blocks: 1, Groups: 4, FlipSinToCos: true}
	return o
}

var tinyFamilies = map[string]tinyFamily{
	"stylegan": {
		build: func(root *torch.Scope, term tigas.Term) (Family, error) {
			o := tinyStyle()
			o.Term = term
			return NewStyleGAN(root, nil, o, torch.CPU)
		},
		load: func(root *torch.Scope, tensors map[string]*torch.Tensor) (Sampler, error) {
			return LoadStyleGAN(root, tinyStyle(), tensors, torch.CPU)
		},
		terms: []string{"G", "D", "r1", "path_loss", "path_length", "tigas_loss", "lr_G", "lr_D"},
	},
	"vae": {
		build: func(root *torch.Scope, term tigas.Term) (Family, error) {
			o := tinyVAE()
			o.Term = term
			return NewVAE(root, nil, o, torch.CPU)
		},
		load: func(root *torch.Scope, tensors map[string]*torch.Tensor) (Sampler, error) {
			return LoadVAE(root, tinyVAE(), tensors, torch.CPU)
		},
		terms: []string{"recon", "kl", "mse", "active_units", "tigas", "lr_VAE"},
	},
	"diffusion": {
		build: func(root *torch.Scope, term tigas.Term) (Family, error) {
			o := tinyDiffusion()
			o.Term = term
			return NewDiffusion(root, nil, o, torch.CPU)
		},
		load: func(root *torch.Scope, tensors map[string]*torch.Tensor) (Sampler, error) {
			return LoadDiffusion(root, tinyDiffusion(), tensors, torch.CPU)
		},
		terms: []string{"mse", "mse_q0", "mse_q3", "tigas", "x0_clipped", "lr_net"},
	},
}

// familyRun is what a short training left.
type familyRun struct {
	f     Family
	hash  string // of all weights
	run   *checkpoint.Run
	ticks []monitor.Tick
	live  []int64 // tensors at each tick
}

// trainFamily trains for a number of steps of a batch, a tick for each.
func trainFamily(t *testing.T, root *torch.Scope, tiny tinyFamily, term tigas.Term, steps int, seed int64) familyRun {
	t.Helper()
	require.NoError(t, torch.Seed(seed))
	f, err := tiny.build(root, term)
	require.NoError(t, err)
	loader, err := data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: familyBatch, Seed: 3,
		Transform: data.Transform{Resolution: 32}})
	require.NoError(t, err)
	run, err := checkpoint.Create(filepath.Join(t.TempDir(), "run"))
	require.NoError(t, err)
	r := familyRun{f: f, run: run}
	require.NoError(t, Run(context.Background(), f, RunOptions{Kimg: float64(steps*familyBatch) / 1000, TickKimg: familyBatch / 1000.0,
		SnapKimg: 1000, Seed: seed, Grid: 2, Loader: loader, Out: run, Console: &monitor.Console{W: io.Discard},
		OnTick: func(tick monitor.Tick) {
			r.ticks = append(r.ticks, tick)
			r.live = append(r.live, torch.LiveTensors())
		}}))
	h := sha256.New()
	for name, x := range f.Tensors() {
		fmt.Fprint(h, name)
		h.Write(x.RawBytes())
	}
	r.hash = fmt.Sprintf("%x", h.Sum(nil))
	return r
}

func constantTerm(d *tigas.Detector, w float64) tigas.Term {
	return tigas.Term{Detector: d, Weight: sched.Constant{Value: w}, Options: tigas.LossOptions{Range: tigas.Symmetric}}
}

// Each family reports its terms by name, moves its weights by the term, and leaves detector and memory as they were.
func TestFamiliesTrainWithTheTerm(t *testing.T) {
	for name, tiny := range tinyFamilies {
		t.Run(name, func(t *testing.T) {
			before := torch.LiveTensors()
			root := torch.NewScope()
			defer func() {
				root.Close()
				require.Equal(t, before, torch.LiveTensors(), "tensors are left behind")
			}()
			d := embedded(t, root)
			sha, err := d.ParamsSHA256()
			require.NoError(t, err)
			const steps = 35 // a second step with R1 and time for memory to settle
			with := trainFamily(t, root, tiny, constantTerm(d, 0.1), steps, 1)
			require.Positive(t, d.Calls())
			after, err := d.ParamsSHA256()
			require.NoError(t, err)
			require.Equal(t, sha, after, "the detector moved")
			seen := map[string]bool{}
			for _, tick := range with.ticks {
				for _, v := range tick.Values {
					require.False(t, v.Value != v.Value, "%s is not a number", v.Name)
					seen[v.Name] = true
				}
			}
			for _, term := range append(tiny.terms, "score", "total") {
				require.Contains(t, seen, term)
			}
			// From a third of the run on: names that appear late, and Adam's first steps, come before.
			for _, n := range with.live[steps/2+1:] {
				require.Equal(t, with.live[steps/2], n, "live tensors %v", with.live)
			}
			for name, x := range with.f.Tensors() {
				require.True(t, root.Use(x).IsFinite().All().Bool(), name)
			}
			without := trainFamily(t, root, tiny, tigas.Term{}, steps, 1)
			require.NotEqual(t, without.hash, with.hash, "the term has no effect")
		})
	}
}

// Weight 0 is no detector, and a seed repeats a run; another seed does not.
func TestFamiliesRepeat(t *testing.T) {
	for name, tiny := range tinyFamilies {
		t.Run(name, func(t *testing.T) {
			root := scope(t)
			d := embedded(t, root)
			none := trainFamily(t, root, tiny, tigas.Term{}, 5, 1)
			zero := trainFamily(t, root, tiny, constantTerm(d, 0), 5, 1)
			require.Equal(t, none.hash, zero.hash)
			require.Zero(t, d.Calls())
			require.NotEqual(t, none.hash, trainFamily(t, root, tiny, tigas.Term{}, 5, 2).hash)
		})
	}
}

// What a run wrote draws the same pictures when it is read back.
func TestFamiliesLoad(t *testing.T) {
	for name, tiny := range tinyFamilies {
		t.Run(name, func(t *testing.T) {
			root := scope(t)
			r := trainFamily(t, root, tiny, tigas.Term{}, 3, 1)
			path, err := r.run.Latest()
			require.NoError(t, err)
			tensors, _, err := checkpoint.Load(root, path, torch.CPU)
			require.NoError(t, err)
			loaded, err := tiny.load(root, tensors)
			require.NoError(t, err)
			require.Equal(t, r.f.LatentShape(), loaded.LatentShape())
			z, err := seeded(root, loaded, 5, 7)
			require.NoError(t, err)
			want := Pixels(drawn(t, r.f, z))
			require.Equal(t, want, Pixels(drawn(t, loaded, z)))
			require.Equal(t, want, Pixels(drawn(t, loaded, z)), "sampling changes something")
			require.NotEqual(t, want[:3*32*32], want[3*32*32:2*3*32*32], "two latents give one picture")
			x := drawn(t, loaded, z)
			require.Equal(t, []int64{5, 3, 32, 32}, x.Shape())
			require.LessOrEqual(t, x.Abs().Max().Float64(), 1.0)
			_, err = tiny.load(root, map[string]*torch.Tensor{"other": root.Zeros([]int64{1})})
			require.ErrorContains(t, err, "no tensors named")
		})
	}
}

// drawn is what a model makes of latents.
func drawn(t *testing.T, m Sampler, latents *torch.Tensor) *torch.Tensor {
	t.Helper()
	x, err := m.Sample(t.Context(), latents)
	require.NoError(t, err)
	return x
}
