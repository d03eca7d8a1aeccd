//go:build invariants

package cuda_test

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// fake puts two devices in place that only count, for the length of a test: the whole way from Go through the shim and
// libc10 is the real one. It returns what was called since the last time.
func fake(t *testing.T) (calls func() []string) {
	t.Helper()
	if info, err := torch.CUDADevices(); err != nil || info.Library {
		t.Skip("skipped: there is a real CUDA library")
	}
	require.NoError(t, ctorch.FakeCUDA(true))
	t.Cleanup(func() { require.NoError(t, ctorch.FakeCUDA(false)) })
	calls = func() []string {
		text, err := ctorch.FakeLog()
		require.NoError(t, err)
		return strings.Fields(strings.ReplaceAll(text, " ", "_"))
	}
	calls()
	return calls
}

func current(t *testing.T, d torch.Device) cuda.Stream {
	t.Helper()
	s, err := cuda.CurrentStream(d)
	require.NoError(t, err)
	return s
}

func TestRegions(t *testing.T) {
	fake(t)
	zero, one := torch.CUDA(0), torch.CUDA(1)
	a, err := cuda.NewStream(zero)
	require.NoError(t, err)
	b, err := cuda.NewPriorityStream(one)
	require.NoError(t, err)
	main, err := cuda.DefaultStream(zero)
	require.NoError(t, err)
	require.NotEqual(t, a, main)
	require.Equal(t, one, b.Device())
	require.Contains(t, b.String(), "cuda:1 stream ")
	outside := func() {
		require.Equal(t, main, current(t, zero))
		d, err := cuda.CurrentDevice()
		require.NoError(t, err)
		require.Equal(t, zero, d)
	}
	cuda.On(a, func() {
		require.Equal(t, a, current(t, zero))
		cuda.On(b, func() {
			require.Equal(t, a, current(t, zero), "a stream of another device stays")
			require.Equal(t, b, current(t, one))
			d, err := cuda.CurrentDevice()
			require.NoError(t, err)
			require.Equal(t, one, d)
			cuda.OnDevice(zero, func() { require.Equal(t, a, current(t, zero)) })
			cuda.On(main, func() { require.Equal(t, main, current(t, zero)) })
			require.Equal(t, a, current(t, zero))
		})
		require.NotEqual(t, b, current(t, one))
		var wait sync.WaitGroup
		wait.Go(func() {
			if s, err := cuda.CurrentStream(zero); err != nil || s != main {
				t.Errorf("another goroutine: got %v, %v vs %v", s, err, main)
			}
		})
		wait.Wait()
	})
	outside()
	require.PanicsWithValue(t, "planted", func() {
		cuda.On(a, func() { cuda.OnDevice(one, func() { panic("planted") }) })
	})
	outside()
	err = torch.Try(func() { cuda.OnDevice(torch.CUDA(2), func() { t.Error("it ran") }) })
	require.EqualError(t, err, "torch: cuda.OnDevice: got device cuda:2 vs 2 CUDA device(s)")
	outside()
}

// A thread that somebody left on a stream is found by the next operation of the invariants build.
func TestNoThreadIsLeftOnAStream(t *testing.T) {
	fake(t)
	s := within(t)
	a, err := cuda.NewStream(torch.CUDA(0))
	require.NoError(t, err)
	cuda.On(a, func() { require.Equal(t, 2.0, s.Ones([]int64{1}).AddScalar(1).Float64()) })
	var wait sync.WaitGroup
	wait.Go(func() {
		cuda.On(a, func() {
			saved, err := ctorch.EnterCUDA(0, nil)
			if err != nil {
				t.Error(err)
			}
			saved.Thread++
			if err := ctorch.LeaveCUDA(saved); err == nil || !strings.Contains(err.Error(), "another OS thread") {
				t.Errorf("got %v", err)
			}
			saved.Thread--
			if err := ctorch.LeaveCUDA(saved); err != nil {
				t.Error(err)
			}
		})
	})
	wait.Wait()
	wait.Go(func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		saved, err := ctorch.EnterCUDA(0, nil)
		if err != nil {
			t.Error(err)
		}
		saved.StreamBefore = 7
		if err := ctorch.LeaveCUDA(saved); err != nil {
			t.Error(err)
		}
		in := torch.NewScope()
		defer in.Close()
		if err := torch.Try(func() { in.Ones([]int64{1}) }); err == nil || !strings.Contains(err.Error(), "left on a stream outside any region") {
			t.Errorf("got %v", err)
		}
	})
	wait.Wait()
	require.Equal(t, 3.0, s.Ones([]int64{1}).AddScalar(2).Float64())
}

func TestEventsAndStreams(t *testing.T) {
	calls := fake(t)
	s := torch.NewScope()
	d := torch.CUDA(1)
	a, err := cuda.NewStream(d)
	require.NoError(t, err)
	on := strings.ReplaceAll(strings.TrimPrefix(a.String(), "cuda:"), " stream ", ":")
	e, f := cuda.NewEvent(s), cuda.NewEvent(s)
	require.NoError(t, a.Wait(e))
	require.NoError(t, e.Synchronize())
	require.Empty(t, calls(), "nothing was recorded yet")
	ctorch.FakeHold(true)
	require.NoError(t, e.Record(a))
	passed, err := e.Query()
	require.NoError(t, err)
	require.False(t, passed)
	done, err := a.Query()
	require.NoError(t, err)
	require.False(t, done)
	require.NoError(t, f.Record(a))
	require.NoError(t, a.Wait(e))
	took, err := cuda.Elapsed(e, f)
	require.NoError(t, err)
	require.Equal(t, time.Millisecond, took)
	passed, err = f.Query()
	require.NoError(t, err)
	require.True(t, passed)
	require.NoError(t, a.Synchronize())
	require.NoError(t, cuda.Synchronize(d))
	require.NoError(t, cuda.Stream{}.Wait(e), "the host is the CPU's stream")
	require.Equal(t, []string{"record_on_" + on, "record_on_" + on, "block_" + on, "synchronize_event",
		"synchronize_stream_" + on, "synchronize_device_1", "synchronize_event"}, calls())
	require.ErrorContains(t, e.Record(cuda.Stream{}), "cuda: Event.Record: got a stream of cpu vs an event of cuda:1")
	g := cuda.NewEvent(s)
	require.NoError(t, g.Record(cuda.Stream{}))
	_, err = cuda.Elapsed(e, g)
	require.ErrorContains(t, err, "cuda: Elapsed: got events of cuda:1 and cpu vs one device")
	require.ErrorContains(t, a.Uses(s.Ones([]int64{1})), "cuda: Stream.Uses: got a tensor on cpu vs one on CUDA")
	s.Close()
	require.Equal(t, []string{"destroy", "destroy"}, calls())
}

func TestFiguresOfDevices(t *testing.T) {
	calls := fake(t)
	p, err := cuda.PropertiesOf(torch.CUDA(1))
	require.NoError(t, err)
	require.Equal(t, cuda.Properties{Name: "Fake 1", Major: 75, Minor: 76, Processors: 16, Total: 4 << 20}, p)
	require.Equal(t, "Fake 1, compute capability 75.76, 16 multiprocessors, 0.0 GiB", p.String())
	free, total, err := cuda.DeviceMemory(torch.CUDA(1))
	require.NoError(t, err)
	require.Equal(t, []int64{3 << 20, 4 << 20}, []int64{free, total})
	use, err := cuda.Memory(torch.CUDA(1))
	require.NoError(t, err)
	require.Equal(t, cuda.Usage{Allocated: 11, Reserved: 20, PeakAllocated: use.PeakAllocated, PeakReserved: 40}, use)
	require.NoError(t, cuda.ResetPeak(torch.CUDA(0)))
	require.NoError(t, cuda.EmptyCache())
	require.Equal(t, []string{"reset_peak", "empty_cache"}, calls())
	_, err = cuda.Memory(torch.CUDA(2))
	require.EqualError(t, err, "cuda: Memory: got device cuda:2 vs 2 CUDA device(s)")
	missing, err := cuda.Missing()
	require.NoError(t, err)
	require.Empty(t, missing)
}

// retries runs f with the next n calls of test operators out of device memory, and returns what f counted.
func retries(t *testing.T, n int, f func()) (tried, helped int64, err error) {
	t.Helper()
	require.NoError(t, ctorch.FakeShort(n))
	tried, helped = cuda.Retries()
	err = torch.Try(f)
	a, b := cuda.Retries()
	return a - tried, b - helped, err
}

func TestOutOfMemoryIsTriedAgain(t *testing.T) {
	calls := fake(t)
	s := within(t)
	x := s.Ones([]int64{2})
	live := torch.LiveTensors()
	mean := s.Zeros([]int64{2})
	const full = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 4.00 MiB"

	for name, f := range map[string]func() *torch.Tensor{
		"plain":      func() *torch.Tensor { return torch.Call("aten::_ct_plain", x) },
		"evaluation": func() *torch.Tensor { return torch.Call("aten::_ct_normed", x, mean, false) },
		"no mean":    func() *torch.Tensor { return torch.Call("aten::_ct_normed", x, nil, true) },
	} {
		calls()
		tried, helped, err := retries(t, 1, func() { require.Equal(t, []float32{2, 2}, f().Float32s()) })
		require.NoError(t, err, name)
		require.Equal(t, []int64{1, 1}, []int64{tried, helped}, name)
		require.Equal(t, []string{"empty_cache"}, calls(), name)

		tried, helped, err = retries(t, 2, func() { f() })
		require.ErrorIs(t, err, torch.ErrOutOfMemory, name)
		require.ErrorContains(t, err, "after one retry with an emptied cache: "+full, name)
		require.Equal(t, []int64{1, 0}, []int64{tried, helped}, name)
	}
	for name, f := range map[string]func() *torch.Tensor{
		"in place": func() *torch.Tensor { return torch.Call("aten::_ct_inplace", s.Use(x)) },
		"foreign":  func() *torch.Tensor { return torch.Call("ct_test::plain", x) },
		"random":   func() *torch.Tensor { return torch.Call("aten::_ct_draw", x) },
		"training": func() *torch.Tensor { return torch.Call("aten::_ct_normed", x, mean, true) },
	} {
		calls()
		tried, _, err := retries(t, 1, func() { f() })
		require.ErrorIs(t, err, torch.ErrOutOfMemory, name)
		require.ErrorContains(t, err, ": "+full, name)
		require.NotContains(t, err.Error(), "retry", name)
		require.Zero(t, tried, name)
		require.Empty(t, calls(), name)
	}
	require.Equal(t, []float32{2, 2}, x.Float32s(), "changed in place once, and not twice")
	require.Positive(t, live)

	// The host's memory is another matter.
	tried, _, err := retries(t, 0, func() { x.Expand(1<<50, 2).AddScalar(1) })
	require.ErrorIs(t, err, torch.ErrOutOfMemory)
	require.Zero(t, tried)
}

func TestTorchScriptIsTriedAgain(t *testing.T) {
	fake(t)
	require.NoError(t, ctorch.FakeShort(0)) // which makes the operators known
	s := within(t)
	m, err := jit.Define(s, nil, nil, `
def inner(self, x: Tensor) -> Tensor:
    return torch._ct_plain(x * 2)
def plain(self, x: Tensor, fine: bool) -> Tensor:
    assert fine, "not fine"
    return self.inner(torch.batch_norm(x, None, None, x[0], x[0], False, 0.1, 0.0, False))
def changes(self, x: Tensor) -> Tensor:
    x.add_(1)
    return self.inner(x)
def draws(self, x: Tensor) -> Tensor:
    return self.inner(torch.dropout(x, 0.5, True))
def still(self, x: Tensor) -> Tensor:
    return self.inner(torch.dropout(x, 0.5, False))
def tells(self, x: Tensor) -> Tensor:
    print("called")
    return self.inner(x)
`)
	require.NoError(t, err)
	x := s.Ones([]int64{2, 2})
	for method, again := range map[string]bool{"inner": true, "still": true, "changes": false, "draws": false, "tells": false} {
		tried, helped, err := retries(t, 1, func() { m.MustCall(method, s.Use(x)) })
		if again {
			require.NoError(t, err, method)
			require.Equal(t, []int64{1, 1}, []int64{tried, helped}, method)
			continue
		}
		require.ErrorIs(t, err, torch.ErrOutOfMemory, method)
		require.Zero(t, tried, method)
	}
	tried, _, err := retries(t, 2, func() { m.MustCall("inner", x) })
	require.ErrorIs(t, err, torch.ErrOutOfMemory)
	require.ErrorContains(t, err, "CUDA out of memory. Tried to allocate 2.00 GiB")
	require.EqualValues(t, 1, tried)
	y := s.Ones([]int64{2, 2})
	tried, helped, err := retries(t, 1, func() { m.MustCall("plain", y, true) })
	require.NoError(t, err)
	require.Equal(t, []int64{1, 1}, []int64{tried, helped}, "asserts and evaluated batch norms are no effects")
}

// The rule on operators as they are: by their schemas, and where those do not say it, by name.
func TestWhatMayBeTriedAgain(t *testing.T) {
	s := within(t)
	x := s.Ones([]int64{2, 2})
	gen, err := s.NewGenerator(torch.CPU, 1)
	require.NoError(t, err)
	for _, c := range []struct {
		name string
		args []any
		want bool
	}{
		{"aten::mm", []any{x, x}, true},
		{"aten::add.Tensor", []any{x, x}, true},
		{"aten::add_.Tensor", []any{x, x}, false},
		{"aten::add.out", []any{x, x, 1, x}, false},
		{"aten::_foreach_mul_.Scalar", []any{[]*torch.Tensor{x}, 2.0}, false},
		{"aten::_foreach_mul.Scalar", []any{[]*torch.Tensor{x}, 2.0}, true},
		{"aten::relu", []any{x}, true},
		{"aten::view", []any{x, []int64{4}}, true},
		{"aten::normal_", []any{x, 0.0, 1.0, gen}, false},
		{"aten::randn", []any{[]int64{2}}, false},
		{"aten::randn.generator", []any{[]int64{2}, gen}, false},
		{"aten::bernoulli", []any{x}, false},
		{"aten::dropout", []any{x, 0.5, true}, false},
		{"aten::dropout", []any{x, 0.5, false}, true},
		{"aten::batch_norm", []any{x, nil, nil, x, x, true, 0.1, 1e-5, true}, false},
		{"aten::batch_norm", []any{x, nil, nil, x, x, false, 0.1, 1e-5, true}, true},
		{"aten::batch_norm", []any{x, nil, nil, nil, nil, true, 0.1, 1e-5, true}, true},
		{"aten::native_batch_norm", []any{x, nil, nil, x, x, true, 0.1, 1e-5}, false},
		{"aten::instance_norm", []any{x, nil, nil, x, x, true, 0.1, 1e-5, true}, false},
		{"aten::instance_norm", []any{x, nil, nil, nil, nil, true, 0.1, 1e-5, true}, true},
		{"aten::batch_norm_update_stats", []any{x, x, x, 0.1}, false},
		{"aten::rrelu", []any{x, 0.1, 0.3, true}, false},
		{"aten::rrelu", []any{x, 0.1, 0.3}, true},
		{"aten::group_norm", []any{x, 1}, true},
		{"aten::convolution", []any{x, x}, true},
		{"aten::_cudnn_rnn", []any{x}, false},
		{"aten::_to_copy", []any{x}, true},
		{"aten::copy_", []any{x, x}, false},
	} {
		base, overload, _ := strings.Cut(c.name, ".")
		op, err := ctorch.FindOp(base, overload)
		require.NoError(t, err, c.name)
		a, _ := torch.EncodeArgs("test", c.args)
		got, err := ctorch.Repeatable(op, a)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, got, "%s %v", c.name, c.args)
	}
}

// The real carrier, up to where a device would have memory: the error of that comes out as it is, and no event is left.
func TestUploaderWithoutPinnedMemory(t *testing.T) {
	fake(t)
	s := within(t)
	_, err := cuda.NewUploader(s, torch.CUDA(0), torch.Uint8, 4)
	require.Error(t, err)
	require.False(t, errors.Is(err, cuda.ErrNoCUDA), "%v", err)
}

// A graph is begun, ended, replayed and freed on its stream, and nothing is left open when what it does cannot be recorded.
func TestGraphs(t *testing.T) {
	calls := fake(t)
	stream, err := cuda.NewStream(torch.CUDA(1))
	require.NoError(t, err)
	main, err := cuda.DefaultStream(torch.CUDA(1))
	require.NoError(t, err)
	s := torch.NewScope()
	gen, err := s.NewGenerator(torch.CPU, 77)
	require.NoError(t, err)
	g, err := cuda.Capture(s, stream, cuda.CaptureOptions{Generators: []*torch.Generator{gen}}, func() {
		require.Equal(t, stream, current(t, torch.CUDA(1)))
		// Nothing is tried again meanwhile: emptying the cache would end the capture.
		require.NoError(t, ctorch.FakeShort(1))
		x := s.Ones([]int64{1})
		require.ErrorIs(t, torch.Try(func() { torch.Call("aten::_ct_plain", x) }), torch.ErrOutOfMemory)
	})
	require.NoError(t, err)
	require.Equal(t, []string{"make_graph", "adopt_77", "begin_capture_1", "end_capture"}, calls())
	require.NoError(t, g.Replay())
	require.NoError(t, g.Replay())
	require.Equal(t, []string{"replay", "replay"}, calls())
	_, err = cuda.Capture(s, stream, cuda.CaptureOptions{Beside: g}, func() {})
	require.NoError(t, err)
	require.Equal(t, []string{"make_graph", "begin_capture_1_shared", "end_capture"}, calls())
	_, err = cuda.Capture(s, stream, cuda.CaptureOptions{}, func() { s.Ones([]int64{2}).Add(s.Ones([]int64{3})) })
	require.ErrorContains(t, err, "torch: add.Tensor: The size of tensor")
	require.Equal(t, []string{"make_graph", "begin_capture_1", "end_capture", "synchronize_device_1", "destroy_graph"}, calls())
	_, err = cuda.Capture(s, main, cuda.CaptureOptions{}, func() { t.Error("it ran") })
	require.EqualError(t, err, "cuda: Capture: graphs want another stream than the default one")
	calls()
	require.PanicsWithValue(t, "planted", func() { _, _ = cuda.Capture(s, stream, cuda.CaptureOptions{}, func() { panic("planted") }) })
	require.Equal(t, main, current(t, torch.CUDA(1)))
	calls()
	s.Close()
	require.Equal(t, []string{"synchronize_device_1", "destroy_graph", "synchronize_device_1", "destroy_graph"}, calls())
	err = torch.Try(func() { _ = g.Replay() })
	require.ErrorIs(t, err, torch.ErrClosed)
}
