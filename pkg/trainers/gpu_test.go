package trainers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// likeGPU lets a loop on the CPU go the ways that it goes on a GPU; usage is what is said of the memory.
func likeGPU(l *loop, usage func() (cuda.Usage, error)) {
	if l.gpu.clock == nil && !l.gpu.reads {
		l.useDeviceClock()
		l.gpu.reads, l.gpu.usage = true, usage
	}
}

func someMemory() (cuda.Usage, error) {
	return cuda.Usage{Allocated: 3 << 20, PeakAllocated: 5 << 20, Reserved: 1 << 19}, nil
}

// What a run becomes does not depend on whether its batches are read ahead, and what is logged is named as ever.
func TestReadingAheadChangesNothing(t *testing.T) {
	s := families()["vae"]
	s.steps, s.watched = 12, nil
	s.dir = filepath.Join(t.TempDir(), "plain")
	want, err := s.run(t)
	require.NoError(t, err)
	plain := s.dir
	s.usage, s.dir = someMemory, filepath.Join(t.TempDir(), "ahead")
	var last monitor.Tick
	s.onTick = func(tick monitor.Tick) { last = tick }
	got, err := s.run(t)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, timeless(t, plain), timeless(t, s.dir))
	for name, want := range map[string]float64{monitor.GPUAllocated: 3, monitor.GPUPeak: 5, monitor.GPUReserved: 0.5} {
		v, ok := last.Value(name)
		require.True(t, ok, name)
		require.Equal(t, want, v, name)
	}
	for _, phase := range []string{"data", "net", "tigas", "optimizer", "other"} {
		v, ok := last.Value(monitor.PhasePrefix + phase)
		require.True(t, ok, phase)
		require.Positive(t, v, phase)
	}
}

// A return to a snapshot drops what was read ahead.
func TestRollBackFromReadingAhead(t *testing.T) {
	s := families()["vae"]
	s.steps = 80
	run := func() (map[string]string, []map[string]any) {
		n := 0
		s.dir = filepath.Join(t.TempDir(), "run")
		s.plant = func(name string, v *torch.Tensor) *torch.Tensor {
			if name != "kl" {
				return v
			}
			if n++; n < 13 || n > 13+maxSkips {
				return v
			}
			return v.MulScalar(math.NaN())
		}
		weights, err := s.run(t)
		require.NoError(t, err)
		return weights, timeless(t, s.dir)
	}
	var said bytes.Buffer
	s.console = &said
	want, log := run()
	require.Contains(t, said.String(), "back to step ")
	s.usage = someMemory
	got, sameLog := run()
	require.Equal(t, 2, strings.Count(said.String(), "back to step "))
	require.Equal(t, want, got)
	require.Equal(t, log, sameLog)
}

// Memory that cannot be told is left out: without a word where the build has no figures, else with one.
func TestMemoryThatIsNotKnown(t *testing.T) {
	for err, want := range map[error]int{fmt.Errorf("planted: %w", torch.ErrUnsupported): 0, errors.New("planted"): 1} {
		var said bytes.Buffer
		l := &loop{o: RunOptions{Console: &monitor.Console{W: &said}}}
		require.Empty(t, l.memory())
		l.gpu.usage = func() (cuda.Usage, error) { return cuda.Usage{}, err }
		require.Empty(t, l.memory())
		require.Empty(t, l.memory())
		require.Equal(t, want, strings.Count(said.String(), "warning: the log has no memory of the GPU: planted"))
	}
}

// A clock that fails is told of once, and the phases go on by the host's.
func TestClockThatFails(t *testing.T) {
	var said bytes.Buffer
	l := &loop{o: RunOptions{Console: &monitor.Console{W: &said}}, scope: scope(t)}
	l.useDeviceClock()
	l.phases.Begin("D")()
	l.gpu.clock.err = errors.New("planted")
	l.phases.Begin("G")()
	require.Len(t, l.times(), 2)
	end := l.phases.Begin("G")
	time.Sleep(time.Millisecond)
	end()
	require.GreaterOrEqual(t, l.times()[0].Value, 0.001)
	require.Equal(t, "warning: times of a step are those of the host: planted\n", said.String())
}

// Events are used again.
func TestDeviceClockKeepsFewEvents(t *testing.T) {
	c := newDeviceClock(scope(t), torch.CPU)
	var p monitor.Phases
	p.UseClock(c)
	for range 100 {
		end := p.Begin("D")
		time.Sleep(10 * time.Microsecond)
		end()
		require.GreaterOrEqual(t, p.Take()[0].Time, 10*time.Microsecond)
	}
	require.NoError(t, c.err)
	require.LessOrEqual(t, len(c.events), 4)
}

// The device's time of work that the host waits for is the host's.
func TestDeviceClockOnAGPU(t *testing.T) {
	if len(cuda.Devices()) == 0 {
		t.Skip("skipped: no CUDA")
	}
	d, s := torch.CUDA(0), scope(t)
	x := s.Full([]int64{4096, 4096}, 1.0/4096, torch.Options{Device: d})
	work := func(n int) {
		y := x.Clone()
		for range n {
			next := y.MatMul(x)
			y.Free()
			y = next
		}
		y.Free()
		require.NoError(t, cuda.Synchronize(d))
	}
	work(3) // what is slow once
	var p, host monitor.Phases
	p.UseClock(newDeviceClock(s, d))
	for range 5 {
		for name, n := range map[string]int{"D": 40, "G": 80} {
			end, endHost := p.Begin(name), host.Begin(name)
			work(n)
			end()
			endHost()
		}
		device := p.Begin("data")
		onHost := host.Begin("data")
		time.Sleep(50 * time.Millisecond) // the device idles
		device()
		onHost()
	}
	want := map[string]time.Duration{}
	for _, s := range host.Take() {
		want[s.Name] = s.Time
	}
	for _, s := range p.Take() {
		require.InEpsilon(t, want[s.Name].Seconds(), s.Time.Seconds(), 0.2, s.Name)
	}
}

// spoiled is a set with a picture that cannot be decoded.
type spoiled struct {
	data.Dataset
	at int
}

func (s spoiled) Image(i int) (image.Image, error) {
	if i == s.at {
		return nil, errors.New("planted")
	}
	return s.Dataset.Image(i)
}

// A batch counts when it is taken, in all that there is to count; what was read ahead is read again.
func TestAheadCountsWhatIsTaken(t *testing.T) {
	const batch = 4
	set := spoiled{few{data.NewDemo(32, false), 20}, 3}
	open := func() *data.Loader {
		l, err := data.NewLoader(set, data.LoaderOptions{Batch: batch, Transform: data.Transform{Resolution: 32}})
		require.NoError(t, err)
		return l
	}
	var said bytes.Buffer
	loader, plain := open(), open()
	l := &loop{o: RunOptions{Loader: loader, Console: &monitor.Console{W: &said}}, scope: scope(t)}
	l.stats = newStats(l.scope)
	l.gpu.reads = true
	from := pull(context.Background(), plain)
	defer from.stop()
	check := func(n int64) {
		t.Helper()
		in := l.scope.Child()
		defer in.Close()
		x, err := l.nextBatch(in)
		require.NoError(t, err)
		b, err, ok := from.next()
		require.True(t, ok)
		require.NoError(t, err)
		want := Normalize(torch.FromSlice(in, b.Pixels, batch, 3, 32, 32))
		require.Equal(t, want.Float32s(), x.Float32s(), "batch %d", n)
		require.Equal(t, plain.State(), l.position())
		require.Equal(t, batch*n, l.position().Position)
		require.Equal(t, batch*n, l.s.Images)
		require.Equal(t, b.Epoch, l.s.Epoch)
	}
	require.Zero(t, l.position().Position)
	l.startFeed()
	require.Zero(t, l.position().Position)
	for n := range int64(10) {
		if n%3 == 0 {
			time.Sleep(5 * time.Millisecond) // the loader is ahead, mostly
		}
		check(n + 1)
	}
	l.stopFeed()
	require.Equal(t, plain.State(), loader.State())
	require.Equal(t, plain.State(), l.position())
	l.startFeed()
	check(11)
	l.stopFeed()
	l.stopFeed()
	require.Equal(t, "warning: skipping picture 3: planted\n", said.String())
}
