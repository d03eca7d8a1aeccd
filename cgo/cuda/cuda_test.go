package cuda_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// On a GPU: what streams, events and memory do there, with values that the CPU computes too.

func TestProperties(t *testing.T) {
	d := gpu(t)
	p, err := cuda.PropertiesOf(d)
	require.NoError(t, err)
	require.NotEmpty(t, p.Name)
	require.GreaterOrEqual(t, p.Major, 3, "compute capability, the oldest that CUDA 11 has")
	require.Positive(t, p.Processors)
	free, total, err := cuda.DeviceMemory(d)
	require.NoError(t, err)
	require.Positive(t, free)
	require.LessOrEqual(t, free, total)
	require.InEpsilon(t, p.Total, total, 0.05, "the driver's two ways to say it")
	if smi, err := exec.LookPath("nvidia-smi"); err == nil {
		out, err := exec.Command(smi, "--query-gpu=name", "--format=csv,noheader").Output()
		require.NoError(t, err)
		require.Contains(t, string(out), p.Name)
	}
	_, err = cuda.PropertiesOf(torch.CUDA(100))
	require.ErrorContains(t, err, "cuda: PropertiesOf: got device cuda:100 vs ")
	require.Contains(t, p.String(), p.Name)
}

// With a CUDA library there must be everything that is looked up at run time; only the driver may be missing with the GPU.
func TestNothingIsMissing(t *testing.T) {
	info, err := torch.CUDADevices()
	require.NoError(t, err)
	if !info.Library {
		t.Skip("skipped: no CUDA")
	}
	missing, err := cuda.Missing()
	require.NoError(t, err)
	for _, name := range missing {
		require.True(t, info.Count == 0 && strings.HasPrefix(name, "cu") && !strings.HasPrefix(name, "cuda"), "missing: %s", name)
	}
}

func TestOperatorsAgreeWithTheCPU(t *testing.T) {
	d := gpu(t)
	w, err := cuda.ReadSwitches()
	require.NoError(t, err)
	exact := w
	exact.CuDNNTF32, exact.MatmulTF32 = false, false
	require.NoError(t, cuda.SetSwitches(exact))
	defer func() { require.NoError(t, cuda.SetSwitches(w)) }()
	s := within(t)
	g, err := s.NewGenerator(torch.CPU, 1)
	require.NoError(t, err)
	x := s.Randn(g, []int64{4, 3, 16, 16})
	k := s.Randn(g, []int64{8, 3, 3, 3})
	a, b := s.Randn(g, []int64{64, 64}), s.Randn(g, []int64{64, 64})
	on := func(x *torch.Tensor) *torch.Tensor { return x.ToDevice(d) }
	// Sums of 27 and 64 products in another order: a few units of float32's last place, 6e-8.
	near(t, on(a).MatMul(on(b)), a.MatMul(b), 2e-5)
	conv := func(x, k *torch.Tensor) *torch.Tensor {
		return torch.Call("aten::conv2d", x, k, nil, []int64{1, 1}, []int64{1, 1})
	}
	near(t, conv(on(x), on(k)), conv(x, k), 2e-5)
	leaf := on(x).RequiresGrad(true)
	dx := torch.Grad(conv(leaf, on(k)).Square().Sum(), []*torch.Tensor{leaf}, torch.GradOptions{})[0]
	leaf = x.Clone().RequiresGrad(true)
	near(t, dx, torch.Grad(conv(leaf, k).Square().Sum(), []*torch.Tensor{leaf}, torch.GradOptions{})[0], 2e-4)
}

// TF32 keeps 10 bits of the factors: an error above 1e-5 and below 1e-2 of the product's size says that it was used.
func TestTF32(t *testing.T) {
	d := gpu(t)
	p, err := cuda.PropertiesOf(d)
	require.NoError(t, err)
	if p.Major < 8 {
		t.Skip("skipped: no TF32 before compute capability 8.0")
	}
	w, err := cuda.ReadSwitches()
	require.NoError(t, err)
	defer func() { require.NoError(t, cuda.SetSwitches(w)) }()
	s := within(t)
	a := s.Randn(nil, []int64{512, 512}, torch.Options{Device: d})
	exact := a.To(torch.Float64).MatMul(a.To(torch.Float64))
	off := func(on bool) float64 {
		to := w
		to.MatmulTF32 = on
		require.NoError(t, cuda.SetSwitches(to))
		return a.MatMul(a).To(torch.Float64).Sub(exact).Abs().Mean().Float64() / exact.Abs().Mean().Float64()
	}
	require.Less(t, off(false), 1e-5)
	with := off(true)
	require.Greater(t, with, 1e-5)
	require.Less(t, with, 1e-2)
}

// busy queues about a tenth of a second of work on the current stream, and returns its last result.
func busy(s *torch.Scope, d torch.Device) *torch.Tensor {
	x := s.Full([]int64{4096, 4096}, 1.0/4096, torch.Options{Device: d})
	y := x.Clone()
	for range 40 {
		next := y.MatMul(x) // every element stays 1/4096
		y.Free()
		y = next
	}
	return y
}

func TestEventsMeasureTime(t *testing.T) {
	d := gpu(t)
	s := within(t)
	stream, err := cuda.NewStream(d)
	require.NoError(t, err)
	start, end := cuda.NewEvent(s), cuda.NewEvent(s)
	cuda.On(stream, func() { busy(s, d) }) // warm
	require.NoError(t, stream.Synchronize())
	before := time.Now()
	cuda.On(stream, func() {
		require.NoError(t, start.Record(stream))
		busy(s, d)
		require.NoError(t, end.Record(stream))
	})
	queued := time.Since(before)
	passed, err := end.Query()
	require.NoError(t, err)
	require.False(t, passed, "the host waited %s for its own queueing", queued)
	ms, err := cuda.Elapsed(start, end)
	require.NoError(t, err)
	require.Positive(t, ms)
	require.LessOrEqual(t, ms, time.Since(before)+time.Millisecond)
	done, err := stream.Query()
	require.NoError(t, err)
	require.True(t, done)
}

// What one stream computes is there for another one that waits for the event, and the host need not wait.
func TestStreamsWaitForEvents(t *testing.T) {
	d := gpu(t)
	s := within(t)
	side, err := cuda.NewStream(d)
	require.NoError(t, err)
	main, err := cuda.CurrentStream(d)
	require.NoError(t, err)
	require.NotEqual(t, main, side)
	begin, ready := cuda.NewEvent(s), cuda.NewEvent(s)
	for range 10 {
		in := s.Child()
		var y *torch.Tensor
		require.NoError(t, begin.Record(main))
		require.NoError(t, side.Wait(begin))
		cuda.On(side, func() {
			here, err := cuda.CurrentStream(d)
			require.NoError(t, err)
			require.Equal(t, side, here)
			y = busy(in, d).Sum()
			require.NoError(t, ready.Record(side))
		})
		require.NoError(t, main.Wait(ready))
		require.NoError(t, main.Uses(y))
		z := y.MulScalar(2)
		// The sum of 4096*4096 elements of 1/4096, twice; all are powers of two, so it is exact but for TF32 of none.
		require.InEpsilon(t, 8192, z.Float64(), 1e-4)
		in.Close()
	}
}

func TestMemoryIsCounted(t *testing.T) {
	d := gpu(t)
	s := within(t)
	s.Ones([]int64{1}, torch.Options{Device: d})
	before, err := cuda.Memory(d)
	require.NoError(t, err)
	require.NoError(t, cuda.ResetPeak(d))
	const size = 64 << 20
	x := s.Zeros([]int64{size}, torch.Options{DType: torch.Uint8, Device: d})
	during, err := cuda.Memory(d)
	require.NoError(t, err)
	require.EqualValues(t, size, during.Allocated-before.Allocated)
	x.Free()
	after, err := cuda.Memory(d)
	require.NoError(t, err)
	require.Equal(t, before.Allocated, after.Allocated)
	require.EqualValues(t, size, after.PeakAllocated-before.Allocated)
	require.GreaterOrEqual(t, after.Reserved, after.Allocated)
	require.NoError(t, cuda.EmptyCache())
	emptied, err := cuda.Memory(d)
	require.NoError(t, err)
	require.LessOrEqual(t, emptied.Reserved, after.Reserved-size, "the freed block went back")
	require.NoError(t, cuda.ResetPeak(d))
	reset, err := cuda.Memory(d)
	require.NoError(t, err)
	require.Equal(t, reset.Allocated, reset.PeakAllocated)
}

// More than the device has: tried twice, then an error with libtorch's numbers, and the device goes on working.
func TestDeviceOutOfMemory(t *testing.T) {
	d := gpu(t)
	s := within(t)
	x := s.Ones([]int64{1}, torch.Options{Device: d})
	_, total, err := cuda.DeviceMemory(d)
	require.NoError(t, err)
	tried, helped := cuda.Retries()
	err = torch.Try(func() { x.Expand(total).AddScalar(1) }) // four bytes for each byte that there is
	require.ErrorIs(t, err, torch.ErrOutOfMemory)
	require.ErrorContains(t, err, "after one retry with an emptied cache: CUDA out of memory. Tried to allocate")
	nowTried, nowHelped := cuda.Retries()
	require.Equal(t, []int64{tried + 1, helped}, []int64{nowTried, nowHelped})
	require.Equal(t, 2.0, x.AddScalar(1).Float64())
}

func TestPinnedMemory(t *testing.T) {
	d := gpu(t)
	s := within(t)
	p, err := cuda.NewPinned(s, torch.Uint8, 1<<20)
	require.NoError(t, err)
	require.Equal(t, true, torch.CallMulti("aten::is_pinned", p.Tensor())[0])
	for i := range p.Bytes() {
		p.Bytes()[i] = byte(i * 7)
	}
	stream, err := cuda.NewStream(d)
	require.NoError(t, err)
	var back *torch.Tensor
	copied := cuda.NewEvent(s)
	cuda.On(stream, func() {
		x := cuda.ToAsync(s, p.Tensor(), d)
		require.Equal(t, d, x.Device())
		back = cuda.ToAsync(s, x, torch.CPU)
		require.NoError(t, copied.Record(stream))
	})
	require.NoError(t, copied.Synchronize())
	require.Equal(t, p.Bytes(), back.RawBytes())
	require.Equal(t, true, torch.CallMulti("aten::is_pinned", back)[0])
}

// The bytes of every batch arrive as they were, although the buffers are filled again at once.
func TestUploaderOnTheDevice(t *testing.T) {
	d := gpu(t)
	s := within(t)
	const rows, row, batches = 64, 3 * 64 * 64, 50
	up, err := cuda.NewUploader(s, d, torch.Uint8, rows, 3, 64, 64)
	require.NoError(t, err)
	data := make([]byte, rows*row)
	put := func(n int) {
		for i := range data {
			data[i] = byte(n + i%251)
		}
		require.NoError(t, up.Put(data))
	}
	var want [251]int64
	for n := range batches {
		if n == 0 {
			put(0)
		}
		if n+1 < batches {
			put(n + 1)
		}
		in := s.Child()
		x, err := up.Take(in)
		require.NoError(t, err)
		require.Equal(t, []int64{rows, 3, 64, 64}, x.Shape())
		var sum int64
		for i := range want {
			want[i] = int64(byte(n + i))
		}
		for i := range rows * row {
			sum += want[i%251]
		}
		require.Equal(t, sum, x.To(torch.Int64).Sum().Int64(), "batch %d", n)
		in.Close()
	}
}

// Which device a thread is on belongs to the region.
func TestTwoDevices(t *testing.T) {
	gpu(t)
	if len(cuda.Devices()) < 2 {
		t.Skip("skipped: one CUDA device")
	}
	s := within(t)
	cuda.OnDevice(torch.CUDA(1), func() {
		here, err := cuda.CurrentDevice()
		require.NoError(t, err)
		require.Equal(t, torch.CUDA(1), here)
	})
	here, err := cuda.CurrentDevice()
	require.NoError(t, err)
	require.Equal(t, torch.CUDA(0), here)
	x := s.Full([]int64{3}, 2, torch.Options{Device: torch.CUDA(1)})
	require.Equal(t, []float32{2, 2, 2}, x.ToDevice(torch.CUDA(0)).Float32s())
	require.NoError(t, cuda.Synchronize(torch.CUDA(1)))
}
