//go:build slow

package trainers

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/metric"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// demo is the run of `tigas-train gan --tigas-weight 0.1` on the demo pictures.
func demo(t *testing.T, root *torch.Scope, weight float64, kimg float64, onTick func(*GAN, monitor.Tick)) *GAN {
	t.Helper()
	o := DefaultGANOptions()
	o.Latent, o.GenWidth, o.CriticWidth, o.Batch, o.EMAKimg, o.GenLR, o.CriticLR = 64, 16, 16, 32, 2, 2e-3, 2e-3
	if weight > 0 {
		w, err := sched.NewWarmup(weight, sched.Span{N: kimg / 5, Unit: sched.Kimg}, sched.Span{})
		require.NoError(t, err)
		o.Term = tigas.Term{Detector: embedded(t, root), Weight: w, Options: tigas.LossOptions{Range: tigas.Symmetric}}
	}
	require.NoError(t, torch.Seed(0))
	g, err := NewGAN(root, nil, o, torch.CPU)
	require.NoError(t, err)
	loader, err := data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: o.Batch, Transform: data.Transform{Resolution: 32}})
	require.NoError(t, err)
	run, err := checkpoint.Create(filepath.Join(t.TempDir(), "run"))
	require.NoError(t, err)
	require.NoError(t, Run(context.Background(), g, RunOptions{Kimg: kimg, Loader: loader, Out: run,
		Console: &monitor.Console{W: io.Discard}, OnTick: func(tick monitor.Tick) {
			if onTick != nil {
				onTick(g, tick)
			}
		}}))
	return g
}

// distance is the Fréchet distance on fixed random features between 2,048 samples and as many pictures that were held
// out; score is the samples' mean score by the embedded detector.
func distance(t *testing.T, g *GAN) (fd, score float64) {
	t.Helper()
	const n, part = 2048, 64
	s := torch.NewScope()
	defer s.Close()
	features, err := metric.NewRandomFeatures(s)
	require.NoError(t, err)
	real, fake := metric.NewStats(s, metric.FeatureWidth), metric.NewStats(s, metric.FeatureWidth)
	held := data.NewDemo(32, true)
	d := embedded(t, s)
	for i := 0; i < n; i += part {
		require.NoError(t, s.Scoped(func(s *torch.Scope) error {
			pix := make([]byte, part*3*32*32)
			for k := range part {
				img, err := held.Image(i + k)
				require.NoError(t, err)
				data.Transform{Resolution: 32}.Apply(pix[k*3*32*32:(k+1)*3*32*32], img, nil)
			}
			real.Add(features.Of(Normalize(torch.FromSlice(s, pix, part, 3, 32, 32))))
			z, err := seeded(s, g, part, int64(1000+i))
			require.NoError(t, err)
			x := drawn(t, g, z)
			fake.Add(features.Of(x))
			torch.NoGrad(func() { score += d.Score(tigas.Symmetric.ToUnit(x)).Mean().Float64() * part / n })
			return nil
		}))
	}
	fd, err = metric.Frechet(real, fake)
	require.NoError(t, err)
	return fd, score
}

// The samples of the demo run are far nearer to pictures that were held out than those of an untrained generator, and
// score higher. The run with weight 0 is measured beside it.
func TestDemoRunLearns(t *testing.T) {
	root := scope(t)
	untrained, err := NewGAN(root, nil, func() GANOptions {
		o := DefaultGANOptions()
		o.Latent, o.GenWidth, o.CriticWidth = 64, 16, 16
		return o
	}(), torch.CPU)
	require.NoError(t, err)
	fd0, score0 := distance(t, untrained)
	fd1, score1 := distance(t, demo(t, root, 0.1, 100, nil))
	fd2, score2 := distance(t, demo(t, root, 0, 100, nil))
	t.Logf("Fréchet distance, random features: untrained %.3f, weight 0.1 %.3f, weight 0 %.3f", fd0, fd1, fd2)
	t.Logf("mean score: untrained %.4f, weight 0.1 %.4f, weight 0 %.4f", score0, score1, score2)
	require.Less(t, fd1, fd0/5)
	require.Greater(t, score1, score0)
}

// Between step 500 and step 3,000 of the demo run no tensor is left behind and the resident size stays within 2 %.
func TestDemoRunMemoryIsFlat(t *testing.T) {
	root := scope(t)
	torch.RetainHostMemory()
	var live, rss int64
	demo(t, root, 0.1, 3000*0.16, func(_ *GAN, tick monitor.Tick) {
		switch {
		case tick.Step < 500:
		case live == 0:
			live, rss = torch.LiveTensors(), residentSize(t)
		default:
			require.Equal(t, live, torch.LiveTensors(), "step %d", tick.Step)
			require.InEpsilon(t, rss, residentSize(t), 0.02, "step %d", tick.Step)
		}
	})
	t.Logf("resident %d MiB at step 500, %d MiB at the end; %d live tensors", rss>>20, residentSize(t)>>20, live)
}

// resident is the resident size after Go has returned what its collector found: the sawtooth of Go's own heap, some 10 MiB
// here, is not what is looked for.
func residentSize(t *testing.T) int64 {
	t.Helper()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	require.NoError(t, err)
	return pages * int64(os.Getpagesize())
}
