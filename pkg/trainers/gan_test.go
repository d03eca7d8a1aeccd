package trainers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

func TestMain(m *testing.M) {
	if err := torch.SetNumThreads(1); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func tiny() GANOptions {
	o := DefaultGANOptions()
	o.Latent, o.GenWidth, o.CriticWidth, o.Batch, o.EMAKimg = 16, 4, 4, 8, 0.5
	return o
}

// trainTiny trains for a number of generator steps and returns a hash of all weights, and the GAN.
func trainTiny(t *testing.T, root *torch.Scope, o GANOptions, steps int) (string, *GAN) {
	t.Helper()
	require.NoError(t, torch.Seed(3))
	g, err := NewGAN(root, nil, o, torch.CPU)
	require.NoError(t, err)
	loader, err := data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: o.Batch, Seed: 3,
		Transform: data.Transform{Resolution: 32}})
	require.NoError(t, err)
	run, err := checkpoint.Create(filepath.Join(t.TempDir(), "run"))
	require.NoError(t, err)
	perStep := o.Batch * max(1, g.o.CriticSteps)
	if o.Loss == TIGASOnly {
		perStep = o.Batch
	}
	kimg := float64(steps*perStep) / 1000
	require.NoError(t, Run(context.Background(), g, RunOptions{Kimg: kimg, Seed: 3, Grid: 2, Loader: loader, Out: run,
		Console: &monitor.Console{W: io.Discard}}))
	h := sha256.New()
	for name, x := range g.Tensors() {
		fmt.Fprint(h, name)
		h.Write(x.RawBytes())
	}
	return fmt.Sprintf("%x", h.Sum(nil)), g
}

func embedded(t *testing.T, root *torch.Scope) *tigas.Detector {
	t.Helper()
	d, err := tigas.Embedded(root, tigas.OpenOptions{})
	require.NoError(t, err)
	return d
}

// After 200 steps with the term the detector is what it was, bit for bit, and has no gradient; the generator moved.
func TestDetectorStaysFrozen(t *testing.T) {
	root := scope(t)
	d := embedded(t, root)
	before, err := d.ParamsSHA256()
	require.NoError(t, err)
	o := tiny()
	o.CriticSteps = 1
	o.Term = tigas.Term{Detector: d, Weight: sched.Constant{Value: 0.1}, Options: tigas.LossOptions{Range: tigas.Symmetric}}
	with, _ := trainTiny(t, root, o, 200)
	// Beside the steps: real pictures and those of nine moments, as they are, blurred and compressed.
	require.EqualValues(t, 200+3*(1+9), d.Calls())
	after, err := d.ParamsSHA256()
	require.NoError(t, err)
	require.Equal(t, before, after)
	o.Term = tigas.Term{}
	without, _ := trainTiny(t, root, o, 200)
	require.NotEqual(t, with, without, "the term has no effect")
}

// Weight 0 is no detector: the same weights bit for bit, and the network is never run.
func TestWeightZeroIsNoDetector(t *testing.T) {
	root := scope(t)
	d := embedded(t, root)
	o := tiny()
	none, _ := trainTiny(t, root, o, 6)
	o.Term = tigas.Term{Detector: d, Weight: sched.Constant{Value: 0}, Options: tigas.LossOptions{Range: tigas.Symmetric}}
	zero, _ := trainTiny(t, root, o, 6)
	require.Equal(t, none, zero)
	require.Zero(t, d.Calls())
}

// The same seed gives the same run; another one does not.
func TestSeedRepeatsRun(t *testing.T) {
	root := scope(t)
	a, _ := trainTiny(t, root, tiny(), 4)
	b, _ := trainTiny(t, root, tiny(), 4)
	require.Equal(t, a, b)
}

// The term changes the generator's gradient by exactly weight times the detector's gradient.
func TestTermAddsItsGradient(t *testing.T) {
	root := scope(t)
	d := embedded(t, root)
	g, err := NewGAN(root, nil, tiny(), torch.CPU)
	require.NoError(t, err)
	z, err := seeded(root, g, 8, 1)
	require.NoError(t, err)
	term := tigas.Term{Detector: d, Weight: sched.Constant{Value: 0.25}, Options: tigas.LossOptions{Range: tigas.Symmetric}}
	gradient := func(f func(fake *torch.Tensor) *torch.Tensor) []*torch.Tensor {
		return torch.Grad(f(g.generator.Forward(z)), g.g.params, torch.GradOptions{})
	}
	adversarial := func(fake *torch.Tensor) *torch.Tensor { return WassersteinGenerator(g.critic.Forward(fake)) }
	plain := gradient(adversarial)
	score := gradient(func(fake *torch.Tensor) *torch.Tensor {
		l, _ := d.Loss(fake, term.Options)
		return l
	})
	both := gradient(func(fake *torch.Tensor) *torch.Tensor {
		return adversarial(fake).Add(term.Apply(sched.Progress{}, fake).Loss)
	})
	for i := range both {
		want := plain[i].Add(score[i].MulScalar(0.25))
		// float32: the sums are formed in another order
		require.LessOrEqual(t, both[i].Sub(want).Abs().Max().Float64(), 1e-4*want.Abs().Max().Float64()+1e-9)
	}
}

// Every loss trains: the weights move, stay finite, and no tensor is left behind.
func TestEveryLossTrains(t *testing.T) {
	for _, loss := range GANLosses {
		t.Run(string(loss), func(t *testing.T) {
			before := torch.LiveTensors()
			root := torch.NewScope()
			defer func() {
				root.Close()
				require.Equal(t, before, torch.LiveTensors())
			}()
			o := tiny()
			o.Loss = loss
			if loss == TIGASOnly {
				o.Term = tigas.Term{Detector: embedded(t, root), Weight: sched.Constant{Value: 1},
					Options: tigas.LossOptions{Range: tigas.Symmetric}}
			}
			_, g := trainTiny(t, root, o, 3)
			for name, x := range g.Tensors() {
				require.True(t, root.Use(x).IsFinite().All().Bool(), name)
			}
			if loss == WGANClip {
				for _, p := range g.d.params {
					require.LessOrEqual(t, root.Use(p).Abs().Max().Float64(), 0.01000001)
				}
			}
		})
	}
}

func TestLiveTensorsDoNotGrow(t *testing.T) {
	root := scope(t)
	var counts []int64
	o := tiny()
	g, err := NewGAN(root, nil, o, torch.CPU)
	require.NoError(t, err)
	loader, err := data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: 8, Transform: data.Transform{Resolution: 32}})
	require.NoError(t, err)
	run, err := checkpoint.Create(filepath.Join(t.TempDir(), "run"))
	require.NoError(t, err)
	require.NoError(t, Run(context.Background(), g, RunOptions{Kimg: 0.8, TickKimg: 0.08, Grid: 2, Loader: loader, Out: run,
		Console: &monitor.Console{W: io.Discard}, OnTick: func(monitor.Tick) { counts = append(counts, torch.LiveTensors()) }}))
	require.Greater(t, len(counts), 5)
	for _, c := range counts[2:] {
		require.Equal(t, counts[1], c)
	}
}

// A run that is told to stop saves and says so; what it wrote can be read back.
func TestInterruptSavesSnapshot(t *testing.T) {
	root := scope(t)
	g, err := NewGAN(root, nil, tiny(), torch.CPU)
	require.NoError(t, err)
	loader, err := data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: 8, Transform: data.Transform{Resolution: 32}})
	require.NoError(t, err)
	run, err := checkpoint.Create(filepath.Join(t.TempDir(), "run"))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	err = Run(ctx, g, RunOptions{Kimg: 100, TickKimg: 0.08, Grid: 2, Loader: loader, Out: run,
		Console: &monitor.Console{W: io.Discard}, OnTick: func(t monitor.Tick) {
			if t.N == 2 {
				cancel()
			}
		}})
	require.ErrorIs(t, err, ErrInterrupted)
	path, err := run.Latest()
	require.NoError(t, err)
	tensors, meta, err := checkpoint.Load(root, path, torch.CPU)
	require.NoError(t, err)
	require.NotEmpty(t, meta["step"])
	loaded, err := LoadGAN(root, g.Options(), tensors, torch.CPU)
	require.NoError(t, err)
	z, err := seeded(root, g, 4, 9)
	require.NoError(t, err)
	require.Equal(t, g.LatentShape(), loaded.LatentShape())
	require.True(t, bytes.Equal(Pixels(drawn(t, g, z)), Pixels(drawn(t, loaded, z))), "the loaded generator draws other pictures")
	require.FileExists(t, run.Sample("reals.png"))
	require.FileExists(t, run.Sample("fakes000000.000.png"))
}

func TestOptionsAreChecked(t *testing.T) {
	for flag, o := range map[string]func(*GANOptions){
		"batch":        func(o *GANOptions) { o.Batch = 0 },
		"critic-steps": func(o *GANOptions) { o.CriticSteps = -1 },
		"beta1":        func(o *GANOptions) { o.Beta1 = 1 },
		"resolution":   func(o *GANOptions) { o.Resolution = 48 },
		"loss":         func(o *GANOptions) { o.Loss = "lsgan" },
		"arch":         func(o *GANOptions) { o.Arch = "vit" },
		"tigas-only":   func(o *GANOptions) { o.Loss = TIGASOnly },
	} {
		t.Run(flag, func(t *testing.T) {
			opt := tiny()
			o(&opt)
			_, err := NewGAN(scope(t), nil, opt, torch.CPU)
			require.ErrorContains(t, err, flag)
		})
	}
	require.Contains(t, WeightAdvice(0.5, false), "large")
	require.Contains(t, WeightAdvice(0.1, true), "warm-up")
	require.Empty(t, WeightAdvice(0.1, false))
}

// Widths that nobody gave are those of the architecture and not of another one.
func TestWidthsByArchitecture(t *testing.T) {
	for _, test := range []struct {
		arch            string
		resolution      int
		ngf, ndf        int
		wantNgf, wantNd int
	}{{"dcgan", 32, 0, 0, 64, 64}, {"resnet", 32, 0, 0, 256, 128}, {"resnet", 64, 0, 0, 64, 64}, {"resnet", 32, 16, 0, 16, 128}} {
		o := DefaultGANOptions()
		o.Arch, o.Resolution, o.GenWidth, o.CriticWidth = test.arch, test.resolution, test.ngf, test.ndf
		o = o.Resolve()
		require.Equal(t, []int{test.wantNgf, test.wantNd}, []int{o.GenWidth, o.CriticWidth}, test)
		require.NoError(t, o.Validate())
	}
	o := DefaultGANOptions()
	o.Arch = "vit"
	require.ErrorContains(t, o.Resolve().Validate(), "--arch: got \"vit\" vs one of dcgan, resnet")
}

func seeded(s *torch.Scope, m Sampler, n int, seed int64) (*torch.Tensor, error) {
	g, err := s.NewGenerator(torch.CPU, seed)
	if err != nil {
		return nil, err
	}
	return DrawLatents(s, m, g, n, torch.CPU), nil
}
