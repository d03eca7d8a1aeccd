package trainers

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// trajectories is a file testdata/trajectory_*.json: what bench/reference/*.py, loops in PyTorch, logged in each step.
type trajectories struct {
	Torch string `json:"torch"`
	Seed  int64  `json:"seed"`
	Draws draws  `json:"draws"`
	Runs  []struct {
		Name   string                `json:"name"`
		Terms  map[string][]*float64 `json:"terms"` // nil in steps without the term
		Sample [3]float64            `json:"sample"`
	} `json:"runs"`
}

// draws are the first random numbers of each kind that a run uses, each from a new generator.
type draws struct {
	Randn   []float64 `json:"randn"` // of 32
	Few     []float64 `json:"few"`
	Rand    []float64 `json:"rand"`
	Double  []float64 `json:"double"`
	Randint []float64 `json:"randint"`
}

// skipForOtherDraws skips the test when this libtorch makes other random numbers of a seed than that of the file.
func (f *trajectories) skipForOtherDraws(t *testing.T, s *torch.Scope) {
	t.Helper()
	g := func() *torch.Generator { return diffGenerator(t, s, f.Seed) }
	for _, kind := range []struct {
		name string
		want []float64
		got  *torch.Tensor
	}{
		{"randn", f.Draws.Randn, s.Randn(g(), []int64{32})},
		{"randn of a few", f.Draws.Few, s.Randn(g(), []int64{5})},
		{"rand", f.Draws.Rand, s.Rand(g(), []int64{8})},
		{"rand in float64", f.Draws.Double, s.Rand(g(), []int64{4}, torch.Options{DType: torch.Float64})},
		{"randint", f.Draws.Randint, drawInts(s.Zeros([]int64{8, 1}), g(), -3, 4)},
	} {
		got := torch.Slice[float64](kind.got.To(torch.Float64).Reshape(-1))
		for i, want := range kind.want {
			// Another CPU has another logarithm; other draws are off by 1.
			if math.Abs(got[i]-want) > 1e-5 {
				t.Skipf("this libtorch draws other random numbers than %s, with which the file was made: %s gives %v vs %v",
					f.Torch, kind.name, got[:len(kind.want)], kind.want)
			}
		}
	}
}

// formula fills the networks of a family as their make_*.py in pkg/models/testdata does; the averages become copies.
func formula(f Family, fill func(name string, t *torch.Tensor, v []float64)) {
	torch.NoGrad(func() {
		count := map[string]uint64{}
		for full, t := range f.Tensors() {
			net, name, ok := strings.Cut(full, ".")
			if !ok {
				continue // a number of the trainer's
			}
			v := numbers(count[net], int(t.Numel()))
			count[net]++
			fill(name, t, v)
			s := torch.NewScope()
			t.Copy_(s.FromFloat64s(v, t.Shape()...))
			s.Close()
		}
	})
}

// plainWeights is `fill` of make_gan.py.
func plainWeights(name string, t *torch.Tensor, v []float64) {
	for i, x := range v {
		switch {
		case strings.HasSuffix(name, "num_batches_tracked"):
			v[i] = 3
		case strings.HasSuffix(name, "running_var"), t.Dim() == 1 && strings.HasSuffix(name, "weight"):
			v[i] = 1 + 0.3*x
		case t.Dim() > 1:
			v[i] = x * math.Sqrt(6/float64(t.Numel()/t.Size(0)))
		default:
			v[i] = 0.1 * x
		}
	}
}

// styleWeights is `fill` of make_style.py.
func styleWeights(name string, _ *torch.Tensor, v []float64) {
	for i, x := range v {
		if strings.HasPrefix(name, "mapping.fc") {
			x *= 100
		}
		switch {
		case strings.HasSuffix(name, "affine.bias"):
			v[i] = 1 + 0.3*x
		case strings.HasSuffix(name, "bias"):
			v[i] = 0.2 * x
		default:
			v[i] = 1.7 * x
		}
	}
}

// ramps are the images of bench/reference/common.py as a loader would deliver them, batch at a time.
func ramps(batch, r int) func() (*data.Batch, error, bool) {
	seen := 0
	return func() (*data.Batch, error, bool) {
		b := &data.Batch{N: batch, R: r}
		for n := seen; n < seen+batch; n++ {
			for c := range 3 {
				for y := range r {
					for x := range r {
						b.Pixels = append(b.Pixels, byte(37*n+85*c+4*(3+n%5)*y+5*(2+n%7)*x))
					}
				}
			}
		}
		seen += batch
		return b, nil, true
	}
}

// stepper returns a function that makes the next step of f in a loop of its own and returns what it reported.
func stepper(t *testing.T, root *torch.Scope, f Family, seed int64, batch, r int) func() map[string]float64 {
	t.Helper()
	// The loop asks its loader for broken pictures; it takes none from it.
	loader, err := data.NewLoader(data.NewDemo(r, false), data.LoaderOptions{Batch: 1, Transform: data.Transform{Resolution: r}})
	require.NoError(t, err)
	l := &loop{o: RunOptions{Loader: loader}, f: f, scope: root, stats: newStats(root), s: state{Skipped: map[string]int{}},
		next: ramps(batch, r), noise: diffGenerator(t, root, seed), choice: diffGenerator(t, root, seed+1)}
	return func() map[string]float64 {
		require.NoError(t, l.step())
		l.s.Step++
		values := map[string]float64{}
		for _, v := range l.stats.take() {
			values[v.Name] = v.Value
		}
		return values
	}
}

// trajectory is one of our trainers beside a run of a file.
type trajectory struct {
	batch, resolution int
	fill              func(name string, t *torch.Tensor, v []float64)
	family            func(root *torch.Scope, term tigas.Term) (Family, error)
	termStart         float64 // the step after which the term's weight rises
	latents           []int64
	sampleTolerance   float64 // of the sample's deviation
}

// follow makes the steps of every run of a file and compares each reported value.
//
// 1e-4 relative, and 1e-6 of the largest value that the term has in its run: one that passes through 0 is a difference of
// numbers of that size, each with a rounding of 1e-7. Where PyTorch's loops in float32 and float64 are, the comment at the
// top of bench/reference/common.py says.
func follow(t *testing.T, file string, ours map[string]trajectory) {
	text, err := os.ReadFile("testdata/trajectory_" + file + ".json")
	require.NoError(t, err)
	var all trajectories
	require.NoError(t, json.Unmarshal(text, &all))
	require.Len(t, all.Runs, len(ours))
	for _, run := range all.Runs {
		t.Run(run.Name, func(t *testing.T) {
			// As Run does: on another thread libtorch counts a graph's nodes anew, and sums gradients in another order.
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			root := scope(t)
			all.skipForOtherDraws(t, root)
			c, ok := ours[run.Name]
			require.True(t, ok)
			detector, err := tigas.Embedded(root, tigas.OpenOptions{Height: c.resolution})
			require.NoError(t, err)
			step := func(n float64) sched.Span { return sched.Span{N: n, Unit: sched.Step} }
			weight, err := sched.NewWarmup(0.1, step(20), step(c.termStart))
			require.NoError(t, err)
			f, err := c.family(root, tigas.Term{Detector: detector, Weight: weight,
				Options: tigas.LossOptions{Range: tigas.Symmetric}})
			require.NoError(t, err)
			formula(f, c.fill)
			next := stepper(t, root, f, all.Seed, c.batch, c.resolution)

			largest, steps := map[string]float64{}, 0
			for name, values := range run.Terms {
				steps = len(values)
				for _, v := range values {
					if v != nil {
						largest[name] = max(largest[name], math.Abs(*v))
					}
				}
			}
			require.GreaterOrEqual(t, steps, 10)
			worst := map[string]float64{} // share of what is allowed
			for i := range steps {
				got := next()
				for name, values := range run.Terms {
					v, reported := got[name]
					require.Equal(t, values[i] != nil, reported, "step %d: %s", i, name)
					if !reported {
						continue
					}
					delete(got, name)
					allowed := 1e-4*math.Abs(*values[i]) + 1e-6*largest[name]
					if name == "x0_clipped" {
						allowed = 3e-3 // a share of 768 values or more; one that is at the limit may fall on either side
					}
					worst[name] = max(worst[name], math.Abs(v-*values[i])/allowed)
					require.InDelta(t, *values[i], v, allowed, "step %d: %s", i, name)
				}
				require.Zero(t, got[droppedTerm])
				delete(got, droppedTerm) // PyTorch's loops have no such thing
				for _, name := range []string{"tigas_grad_ratio", "signs_real", "signs_fake"} {
					delete(got, name)
				}
				require.Empty(t, got, "step %d: not in the file", i)
			}
			for _, name := range slices.Sorted(maps.Keys(worst)) {
				t.Logf("%-14s %8.1e of what is allowed", name, worst[name])
			}

			x := drawn(t, f, root.FromFloat64s(numbers(60, int(product(c.latents))), c.latents...).To(torch.Float32)).To(torch.Float64)
			weights := root.FromFloat64s(numbers(77, int(x.Numel())), x.Shape()...)
			sample := [3]float64{x.Mean().Float64(), x.Std(false).Float64(), x.Mul(weights).Mean().Float64()}
			for i, v := range sample {
				require.InDelta(t, run.Sample[i], v, c.sampleTolerance*run.Sample[1], "sample: %v vs %v", sample, run.Sample)
			}
		})
	}
}

func product(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return n
}

// Fifty steps of WGAN-GP, each of five updates of the critic and one of the generator.
func TestGANFollowsPyTorch(t *testing.T) {
	follow(t, "gan", map[string]trajectory{"wgan-gp": {
		batch: 2, resolution: 32, fill: plainWeights, termStart: 5, latents: []int64{4, 16}, sampleTolerance: 1e-4,
		family: func(root *torch.Scope, term tigas.Term) (Family, error) {
			return NewGAN(root, nil, GANOptions{
				Arch: "dcgan", Resolution: 32, Latent: 16, GenWidth: 3, CriticWidth: 3, Loss: WGANGP, CriticSteps: 5,
				GPLambda: 10, Clip: 0.01, GenLR: 1e-4, CriticLR: 1e-4, Beta1: 0, Beta2: 0.9, EMAKimg: 0.01, Batch: 2, Term: term,
			}, torch.CPU)
		},
	}})
}

// Fifty steps of StyleGAN2 with both regularisers, and ten through DiffAugment.
func TestStyleGANFollowsPyTorch(t *testing.T) {
	with := func(augment string) trajectory {
		return trajectory{
			batch: 4, resolution: 16, fill: styleWeights, termStart: 5, latents: []int64{4, 16}, sampleTolerance: 1e-4,
			family: func(root *torch.Scope, term tigas.Term) (Family, error) {
				return NewStyleGAN(root, nil, StyleGANOptions{
					Net: models.StyleConfig{Resolution: 16, Latent: 16, StyleDim: 16, MappingLayers: 2, ChannelBase: 32,
						ChannelMax: 4, MbstdGroup: 2},
					Gamma: 10, R1Every: 16, PLWeight: 2, PLEvery: 4, PLShrink: 2, Mixing: 0.9, Augment: augment,
					GenLR: 0.0025, CriticLR: 0.0025, Beta2: 0.99, EMAKimg: 0.005, EMARamp: 0.05, Batch: 4, Term: term,
				}, torch.CPU)
			},
		}
	}
	follow(t, "stylegan", map[string]trajectory{"stylegan2": with("none"), "diffaugment": with("color,translation,cutout")})
}

// Fifty steps of the evidence lower bound, the term on reconstructions and new images, and ten of the recipe's means.
func TestVAEFollowsPyTorch(t *testing.T) {
	with := func(change func(o *VAEOptions)) trajectory {
		return trajectory{
			batch: 4, resolution: 8, fill: plainWeights, termStart: 5, latents: []int64{4, 8},
			// Rounding alone moves the biases before the batch norms, by the learning rate in each step. Evaluation mode,
			// whose means lag behind, shows it: PyTorch in float32 and in float64 are 4e-3 apart.
			sampleTolerance: 1e-2,
			family: func(root *torch.Scope, term tigas.Term) (Family, error) {
				o := VAEOptions{Resolution: 8, Latent: 8, Width: 4, Beta: 1, Beta1: 0.9, Beta2: 0.999, Batch: 4, Term: term}
				change(&o)
				return NewVAE(root, nil, o, torch.CPU)
			},
		}
	}
	follow(t, "vae", map[string]trajectory{
		"elbo": with(func(o *VAEOptions) {
			o.Reduction, o.Reconstruction, o.TermOn = SumReduction, MSEReconstruction, TermOnBoth
			o.KLWarmup = sched.Span{N: 20, Unit: sched.Step}
			o.LR = sched.Any{Schedule: sched.Cosine{From: 1e-3, Over: sched.Span{N: 100, Unit: sched.Step}}}
		}),
		"recipe": with(func(o *VAEOptions) {
			o.Reduction, o.Reconstruction, o.TermOn, o.ClipGrad = MeanReduction, BCEReconstruction, TermOnReconstructions, 2.5
			o.LR = sched.Any{Schedule: sched.Constant{Value: 1e-3}}
		}),
	})
}

// Fifty steps of a diffusion model that predicts v, and ten of the other predictions.
func TestDiffusionFollowsPyTorch(t *testing.T) {
	with := func(p Prediction) trajectory {
		return trajectory{
			batch: 8, resolution: 16, fill: plainWeights, termStart: 2, latents: []int64{2, 3, 16, 16}, sampleTolerance: 1e-4,
			family: func(root *torch.Scope, term tigas.Term) (Family, error) {
				return NewDiffusion(root, nil, DiffusionOptions{
					Resolution: 16, Timesteps: 1000, Schedule: sched.CosineNoise, Predict: p, LossWeight: MinSNR, SNRGamma: 5,
					UNet: models.UNetConfig{Resolution: 16, Channels: []int{8, 16}, Blocks: 1, Attention: []bool{false, true},
						HeadDim: 8, MidAttention: true, Groups: 4, FlipSinToCos: true},
					LR:    sched.Any{Schedule: sched.Linear{To: 2e-4, Over: sched.Span{N: 10, Unit: sched.Step}}},
					Beta1: 0.9, Beta2: 0.999, WeightDecay: 0.01, ClipGrad: 1, EMA: 0.9999, Batch: 8,
					Sampling: Sampling{Method: "ddim", Steps: 4}, Term: term,
				}, torch.CPU)
			},
		}
	}
	follow(t, "diffusion", map[string]trajectory{"v": with(PredictV), "eps": with(PredictNoise), "x0": with(PredictX0)})
}
