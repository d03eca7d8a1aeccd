package trainers

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/monitor/diagnose"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// BenchmarkBookkeeping measures what a run costs that survives and is watched: values that are kept by name, the look whether
// they are finite, the clock of its phases, and every 12 steps (a tick of the demo run of a GAN) a line of the log, TensorBoard
// events and a diagnosis of 500 lines; snapshots; and what is measured of samples, with the grid by score. It makes steps of
// each family in the size of its demo run, then does the bookkeeping of those steps again without the steps. Reported: a step,
// its bookkeeping, both in microseconds, the share in percent; a snapshot and the samples in milliseconds, and their share of
// the time between two at the default --snap of the demo run.
//
// The norm of a gradient is not in it: the log has that anyway.
func BenchmarkBookkeeping(b *testing.B) {
	for name, f := range demoFamilies {
		b.Run(name, func(b *testing.B) {
			t := &testing.T{}
			root := torch.NewScope()
			defer root.Close()
			require.NoError(b, torch.SetNumThreads(1))
			d, err := tigas.Embedded(root, tigas.OpenOptions{})
			require.NoError(b, err)
			family, batch, kimg := f(t, root, constantTerm(d, 0.1))
			loader, err := data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: batch, Transform: data.Transform{Resolution: 32}})
			require.NoError(b, err)
			run, err := checkpoint.Create(b.TempDir() + "/run")
			require.NoError(b, err)
			l := &loop{o: RunOptions{Loader: loader, Out: run, Console: &monitor.Console{W: io.Discard}, Keep: checkpoint.Retention{Last: 3}}.Resolve(),
				f: family, scope: root.Child(), s: state{Skipped: map[string]int{}}, rate: monitor.NewRate(time.Now(), 0)}
			l.stats = newStats(l.scope)
			l.noise, err = root.NewGenerator(torch.CPU, 1)
			require.NoError(b, err)
			l.choice, err = root.NewGenerator(torch.CPU, 2)
			require.NoError(b, err)
			l.log, err = monitor.OpenJSONLog(run.Log())
			require.NoError(b, err)
			defer l.log.Close()
			l.startFeed()
			defer func() { l.stopFeed() }()

			const steps, perTick = 16, 12
			var made []waiting
			var step time.Duration
			for i := range 4 + steps {
				start := time.Now()
				require.NoError(b, l.step())
				if i >= 4 { // TorchScript is slow in its first steps
					step += time.Since(start) / steps
				}
				l.s.Step++
				made = append(made, l.stats.fetch(l.stats.values[l.stats.step:])...)
			}
			seen := l.s.Images / int64(4+steps) // images a step
			values := made[len(made)-len(made)/(4+steps):]
			x := l.scope.Scalar(1)
			l.o.TensorBoard, l.o.Diagnosis = true, &diagnose.Run{Family: name, TotalKimg: kimg}
			l.startObservers()
			defer l.stopObservers()
			for range 500 {
				l.s.Step++
				tick := monitor.Tick{Step: l.s.Step, Kimg: l.kimg()}
				for _, v := range values {
					tick.Values = append(tick.Values, monitor.Value{Name: v.name, Value: 1})
				}
				l.entries = append(l.entries, monitor.LogEntry{Tick: tick})
			}
			b.ResetTimer()
			for i := range b.N {
				l.s.Step++
				l.stats.beginStep(l.s.Step)
				for range 10 {
					l.phases.Begin("D")()
				}
				for _, v := range values {
					l.stats.add(v.name, x) // more than there is: some are numbers of the host
				}
				if i%perTick == perTick-1 {
					require.NoError(b, l.endTick())
					l.entries = l.entries[:500]
				}
			}
			b.StopTimer()
			kept := b.Elapsed() / time.Duration(b.N)
			start := time.Now()
			require.NoError(b, l.save())
			snapshot := time.Since(start)
			pix, err := loader.Sample(64)
			require.NoError(b, err)
			start = time.Now()
			m := l.measure(pix, 64, 32, 32)
			require.NoError(b, l.progression(pix, m.scores, 32, 32))
			require.NoError(b, l.endPictures(m))
			samples := time.Since(start)
			between := time.Duration(kimg / 8 * 1000 / float64(seen) * float64(step))
			b.ReportMetric(float64(step.Microseconds()), "step-us")
			b.ReportMetric(float64(kept.Microseconds()), "kept-us")
			b.ReportMetric(100*float64(kept)/float64(step), "kept-%")
			b.ReportMetric(float64(snapshot.Microseconds())/1000, "snapshot-ms")
			b.ReportMetric(100*float64(snapshot)/float64(between), "snapshot-%")
			b.ReportMetric(float64(samples.Microseconds())/1000, "samples-ms")
			b.ReportMetric(100*float64(samples)/float64(between), "samples-%")
		})
	}
}

// demoFamilies are the families of the demo runs with their batches and lengths.
var demoFamilies = map[string]func(t testing.TB, root *torch.Scope, term tigas.Term) (f Family, batch int, kimg float64){
	"gan": func(t testing.TB, root *torch.Scope, term tigas.Term) (Family, int, float64) {
		o := DefaultGANOptions()
		o.Latent, o.GenWidth, o.CriticWidth, o.Batch, o.EMAKimg, o.Term = 64, 16, 16, 32, 2, term
		f, err := NewGAN(root, nil, o, torch.CPU)
		require.NoError(t, err)
		return f, o.Batch, 100
	},
	"stylegan": func(t testing.TB, root *torch.Scope, term tigas.Term) (Family, int, float64) {
		o, err := StylePreset("auto", 32, 8)
		require.NoError(t, err)
		o.Net, o.Term = models.DemoStyleConfig(32), term
		f, err := NewStyleGAN(root, nil, o, torch.CPU)
		require.NoError(t, err)
		return f, o.Batch, 30
	},
	"vae": func(t testing.TB, root *torch.Scope, term tigas.Term) (Family, int, float64) {
		o := DefaultVAEOptions()
		o.Resolution, o.Latent, o.Term, o.KLWarmup = 32, 64, term, sched.Span{}
		f, err := NewVAE(root, nil, o, torch.CPU)
		require.NoError(t, err)
		return f, o.Batch, 80
	},
	"diffusion": func(t testing.TB, root *torch.Scope, term tigas.Term) (Family, int, float64) {
		o := DefaultDiffusionOptions()
		u, err := models.UNetPreset("demo", 32)
		require.NoError(t, err)
		o.Resolution, o.UNet, o.Batch, o.Term = 32, u, 32, term
		f, err := NewDiffusion(root, nil, o, torch.CPU)
		require.NoError(t, err)
		return f, o.Batch, 60
	},
}
