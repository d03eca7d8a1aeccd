package cuda_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Without a GPU: errors that say so, and the CPU's forms of everything.

func TestNoCUDA(t *testing.T) {
	withoutGPU(t)
	s := within(t)
	d := torch.CUDA(0)
	for name, f := range map[string]func() error{
		"PropertiesOf":      func() error { _, err := cuda.PropertiesOf(d); return err },
		"Synchronize":       func() error { return cuda.Synchronize(d) },
		"CurrentDevice":     func() error { _, err := cuda.CurrentDevice(); return err },
		"NewStream":         func() error { _, err := cuda.NewStream(d); return err },
		"NewPriorityStream": func() error { _, err := cuda.NewPriorityStream(d); return err },
		"DefaultStream":     func() error { _, err := cuda.DefaultStream(d); return err },
		"CurrentStream":     func() error { _, err := cuda.CurrentStream(d); return err },
		"NewPinned":         func() error { _, err := cuda.NewPinned(s, torch.Uint8, 4); return err },
		"DeviceMemory":      func() error { _, _, err := cuda.DeviceMemory(d); return err },
	} {
		err := f()
		require.ErrorIs(t, err, cuda.ErrNoCUDA, name)
		require.ErrorContains(t, err, "cuda: "+name+": ", name)
		require.Regexp(t, "has no CUDA|cannot be loaded|sees no GPU", err.Error(), name)
	}
	_, err := cuda.NewUploader(s, d, torch.Uint8, 4)
	require.ErrorIs(t, err, cuda.ErrNoCUDA)
	_, err = cuda.Memory(d)
	require.True(t, errors.Is(err, cuda.ErrNoCUDA) || errors.Is(err, torch.ErrUnsupported), "%v", err)
	require.NoError(t, cuda.EmptyCache(), "there is nothing to empty")
	err = torch.Try(func() { cuda.OnDevice(d, func() { t.Error("it ran") }) })
	require.ErrorIs(t, err, cuda.ErrNoCUDA)
	require.ErrorContains(t, err, "torch: cuda.OnDevice: ")
	require.Empty(t, cuda.Devices())
	missing, err := cuda.Missing()
	require.NoError(t, err)
	require.LessOrEqual(t, len(missing), 6)
}

func TestTheCPUHasAStream(t *testing.T) {
	s := within(t)
	stream, err := cuda.NewStream(torch.CPU)
	require.NoError(t, err)
	require.Equal(t, cuda.Stream{}, stream)
	here, err := cuda.CurrentStream(torch.CPU)
	require.NoError(t, err)
	require.Equal(t, here, stream)
	require.Equal(t, "cpu", stream.String())
	require.Equal(t, torch.CPU, stream.Device())
	start, end := cuda.NewEvent(s), cuda.NewEvent(s)
	_, err = cuda.Elapsed(start, end)
	require.EqualError(t, err, "cuda: Elapsed: an event was not recorded")
	var y *torch.Tensor
	cuda.On(stream, func() {
		require.NoError(t, start.Record(stream))
		y = s.Ones([]int64{2}).AddScalar(1)
		time.Sleep(time.Millisecond)
		require.NoError(t, end.Record(stream))
	})
	require.NoError(t, stream.Wait(end))
	require.NoError(t, stream.Uses(y))
	require.NoError(t, stream.Synchronize())
	done, err := stream.Query()
	require.NoError(t, err)
	require.True(t, done)
	passed, err := end.Query()
	require.NoError(t, err)
	require.True(t, passed)
	require.NoError(t, end.Synchronize())
	took, err := cuda.Elapsed(start, end)
	require.NoError(t, err)
	require.GreaterOrEqual(t, took, time.Millisecond)
	ran := false
	cuda.OnDevice(torch.CPU, func() { ran = true })
	require.True(t, ran)
}

func TestTheCPUHasNoFigures(t *testing.T) {
	use, err := cuda.Memory(torch.CPU)
	require.NoError(t, err)
	require.Zero(t, use)
	free, total, err := cuda.DeviceMemory(torch.CPU)
	require.NoError(t, err)
	require.Zero(t, free+total)
	require.NoError(t, cuda.ResetPeak(torch.CPU))
	require.NoError(t, cuda.Synchronize(torch.CPU))
	_, err = cuda.PropertiesOf(torch.CPU)
	require.EqualError(t, err, "cuda: PropertiesOf: got the CPU vs a CUDA device")
}

func TestEventsEndWithTheirScope(t *testing.T) {
	s := torch.NewScope()
	e := cuda.NewEvent(s)
	require.NoError(t, e.Record(cuda.Stream{}))
	s.Close()
	for name, f := range map[string]func(){
		"Record": func() { _ = e.Record(cuda.Stream{}) }, "Query": func() { _, _ = e.Query() },
		"Synchronize": func() { _ = e.Synchronize() }, "Wait": func() { _ = cuda.Stream{}.Wait(e) },
		"Elapsed": func() { _, _ = cuda.Elapsed(e, e) }, "NewEvent": func() { cuda.NewEvent(s) },
	} {
		require.ErrorIs(t, torch.Try(f), torch.ErrClosed, name)
	}
}

// What is set is read back, each switch for itself, and deterministic mode is part of it.
func TestSwitches(t *testing.T) {
	before, err := cuda.ReadSwitches()
	require.NoError(t, err)
	defer func() { require.NoError(t, cuda.SetSwitches(before)) }()
	// By the documentation of torch.backends in 1.13 and 2.6.
	require.Equal(t, cuda.Switches{CuDNN: true, CuDNNTF32: true}, before, "libtorch's defaults")
	for _, w := range []cuda.Switches{{}, {CuDNN: true}, {CuDNNBenchmark: true}, {CuDNNDeterministic: true}, {CuDNNTF32: true},
		{MatmulTF32: true}, {true, true, true, true, true}} {
		require.NoError(t, cuda.SetSwitches(w))
		got, err := cuda.ReadSwitches()
		require.NoError(t, err)
		require.Equal(t, w, got)
	}
	require.NoError(t, torch.SetDeterministic(true))
	defer func() { require.NoError(t, torch.SetDeterministic(false)) }()
	got, err := cuda.ReadSwitches()
	require.NoError(t, err)
	require.True(t, got.CuDNNDeterministic)
	require.False(t, got.CuDNNBenchmark)
}

func TestCopiesOnTheCPU(t *testing.T) {
	s := within(t)
	x := s.FromFloat32s([]float32{1, 2, 3, 4}, 2, 2)
	y := cuda.ToAsync(s, x, torch.CPU)
	x.Fill_(0)
	require.Equal(t, []float32{1, 2, 3, 4}, y.Float32s(), "a copy")
	other := torch.NewScope()
	defer other.Close()
	z := other.Zeros([]int64{2, 2}, torch.Options{DType: torch.Float64})
	cuda.CopyAsync(z, y)
	require.Equal(t, []float64{1, 2, 3, 4}, torch.Slice[float64](z))
	require.Error(t, torch.Try(func() { cuda.CopyAsync(z, s.Ones([]int64{3})) }))
	closed := torch.NewScope()
	closed.Close()
	require.ErrorIs(t, torch.Try(func() { cuda.ToAsync(closed, x, torch.CPU) }), torch.ErrClosed)
}
