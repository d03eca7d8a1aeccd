package torch

import (
	"fmt"
	"strings"
	"sync"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
)

// loadTrace says what was tried to find CUDA's part of libtorch. It is loaded before the first operator is used, because
// operators of CUDA register themselves when their library is loaded.
var loadTrace = sync.OnceValues(ctorch.Init)

func init() { _, _ = loadTrace() }

// Version is the version of libtorch that runs, e.g. "1.13.1"; it may differ in its last number from the headers that
// the program was built with (see [CheckVersion]).
var Version = sync.OnceValue(func() string {
	config, err := ctorch.Config()
	if err == nil {
		if _, rest, ok := strings.Cut(config, "TORCH_VERSION="); ok {
			v, _, _ := strings.Cut(rest, ",")
			return strings.TrimSpace(v)
		}
	}
	return ctorch.VersionBuilt()
})

// CheckVersion returns an error when the libtorch that was loaded is another release than the one the program was built
// against. C++ has no stable interface across releases, so such a pair would crash sooner or later.
func CheckVersion() error {
	built, runs := ctorch.VersionBuilt(), Version()
	if majorMinor(built) != majorMinor(runs) {
		return fmt.Errorf("torch: built against libtorch %s but %s was loaded: rebuild, or correct LD_LIBRARY_PATH",
			built, runs)
	}
	return nil
}

// Config is libtorch's description of its own build: compiler, BLAS, CPU capability, switches.
func Config() (string, error) {
	s, err := ctorch.Config()
	return s, wrapError("Config", err)
}

// CPUCapability is the instruction set that libtorch uses, e.g. "AVX2"; "" when it does not say.
func CPUCapability() string {
	s, _ := ctorch.CPUCapability()
	return s
}

// LoadTrace tells which files libtorch was loaded from and why CUDA was not, one a line.
func LoadTrace() string {
	trace, _ := loadTrace()
	return trace
}

// RetainHostMemory makes the C library keep freed host memory for the next tensor instead of returning it to the system
// after each one: training steps ask for the same large blocks again and again, and getting them from the system anew
// cost a third of the time of a small network's step. The process then holds its peak. It is a setting of the whole
// process, so programs call it, not libraries; false when the C library has no such setting.
func RetainHostMemory() bool { return ctorch.RetainHostMemory() }

// SetNumThreads sets how many threads one operation may use. Call it before the first operation: libtorch keeps threads
// that it has started, for every goroutine that ever computed. It returns an error unless n is from 1 to 1024.
func SetNumThreads(n int) error {
	if n < 1 || n > 1024 { // libtorch starts them all at once, and may never come back
		return &Error{Op: "SetNumThreads", Msg: fmt.Sprintf("got %d threads vs 1 to 1024", n)}
	}
	return wrapError("SetNumThreads", ctorch.SetThreads(n))
}

// NumThreads is how many threads one operation may use.
func NumThreads() int { return ctorch.Threads() }

// CUDAInfo is what the machine has of CUDA, as libtorch sees it.
type CUDAInfo struct {
	Library bool   // libtorch_cuda was found and loaded
	Broken  string // why it was found and could not be loaded: mostly, which other library is missing
	Count   int    // GPUs that can be used
	CuDNN   string // e.g. "9.1.0"; "" without
}

// CUDADevices asks libtorch for GPUs. Having none is no error: Count is 0 then. See [Device.Check] for words.
func CUDADevices() (CUDAInfo, error) {
	n, cudnn, err := ctorch.CUDADevices()
	info := CUDAInfo{Count: n}
	for line := range strings.Lines(LoadTrace()) {
		line = strings.TrimSpace(line)
		info.Library = info.Library || strings.HasPrefix(line, "libtorch_cuda: ")
		if why, ok := strings.CutPrefix(line, "bad libtorch_cuda: "); ok {
			info.Broken = why
		}
	}
	if cudnn > 0 {
		info.CuDNN = cudnnVersion(cudnn)
	}
	return info, wrapError("CUDADevices", err)
}

// cuDNN counts 8902 for 8.9.2 and, since 9, 90100 for 9.1.0.
func cudnnVersion(v int64) string {
	if v >= 90000 {
		return fmt.Sprintf("%d.%d.%d", v/10000, v/100%100, v%100)
	}
	return fmt.Sprintf("%d.%d.%d", v/1000, v/100%10, v%100)
}

// SetDeterministic asks for kernels that give the same bits in every run on the same machine, or stops asking. It is a
// setting of the whole process, for every thread and device, so programs call it, not libraries.
//
// On the CPU nothing changes for the operators of this module's networks: they are deterministic for a given number of
// threads. On CUDA convolutions, matrix products, indexing and gathering take slower kernels, and operators that have no
// deterministic one fail with [ErrNondeterministic], which names them. Of those that this module uses they are, by the
// documentation of torch.use_deterministic_algorithms in 1.13 and 2.6, the gradients of [Tensor.Resize],
// [Tensor.ReflectionPad2d] and adaptive max-pooling.
//
// cuBLAS needs the environment variable CUBLAS_WORKSPACE_CONFIG, which is set to :4096:8 unless it is set: call it before
// the first operation on CUDA.
func SetDeterministic(on bool) error { return wrapError("SetDeterministic", ctorch.Deterministic(on)) }

func majorMinor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return version
	}
	return parts[0] + "." + parts[1]
}
