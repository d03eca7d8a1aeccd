package ctorch

// #include "shim.h"
import "C"

// Init loads libtorch_cuda when it is present. The trace says what was tried.
func Init() (trace string, err error) {
	var t, msg *C.char
	rc := C.ct_runtime_init(&t, &msg)
	return takeText(t), failed(rc, msg)
}

// VersionBuilt is the version of the headers that the shim was compiled against.
func VersionBuilt() string { return C.GoString(C.ct_version_built()) }

// Config is libtorch's own description of its build.
func Config() (string, error) {
	var t, msg *C.char
	rc := C.ct_config(&t, &msg)
	return takeText(t), failed(rc, msg)
}

// CPUCapability is e.g. "AVX2".
func CPUCapability() (string, error) {
	var t, msg *C.char
	rc := C.ct_cpu_capability(&t, &msg)
	return takeText(t), failed(rc, msg)
}

// RetainHostMemory makes the C library keep freed memory; false when it cannot.
func RetainHostMemory() bool { return C.ct_retain_host_memory() != 0 }

// SetThreads sets the number of threads inside one operation.
func SetThreads(n int) error {
	var msg *C.char
	return failed(C.ct_set_threads(C.int(n), &msg), msg)
}

// Threads is the number of threads inside one operation.
func Threads() int { return int(C.ct_threads()) }

// CUDADevices returns the number of devices and cuDNN's version, zeros without CUDA.
func CUDADevices() (n int, cudnn int64, err error) {
	var cn C.int
	var cd C.int64_t
	var msg *C.char
	rc := C.ct_cuda_devices(&cn, &cd, &msg)
	return int(cn), int64(cd), failed(rc, msg)
}

// Seed seeds the default generator of every device.
func Seed(seed int64) error {
	var msg *C.char
	return failed(C.ct_seed(C.int64_t(seed), &msg), msg)
}

// RNGState returns the state of a device's default generator, a byte tensor.
func RNGState(device int64) (Handle, error) {
	var out C.ct_handle
	var msg *C.char
	rc := C.ct_rng_state(C.int(device), &out, &msg)
	return Handle(out), failed(rc, msg)
}

// SetRNGState restores what RNGState returned.
func SetRNGState(device int64, state Handle) error {
	var msg *C.char
	return failed(C.ct_set_rng_state(C.int(device), C.ct_handle(state), &msg), msg)
}

// NewGenerator makes a generator of its own.
func NewGenerator(device, seed int64) (Handle, error) {
	var out C.ct_handle
	var msg *C.char
	rc := C.ct_generator_new(C.int(device), C.int64_t(seed), &out, &msg)
	return Handle(out), failed(rc, msg)
}

// GeneratorState returns the generator's state, a byte tensor.
func GeneratorState(g Handle) (Handle, error) {
	var out C.ct_handle
	var msg *C.char
	rc := C.ct_generator_state(C.ct_handle(g), &out, &msg)
	return Handle(out), failed(rc, msg)
}

// SetGeneratorState restores what GeneratorState returned.
func SetGeneratorState(g, state Handle) error {
	var msg *C.char
	return failed(C.ct_generator_set_state(C.ct_handle(g), C.ct_handle(state), &msg), msg)
}

// FreeGenerator releases it.
func FreeGenerator(g Handle) { C.ct_generator_free(C.ct_handle(g)) }

// Deterministic asks libtorch for deterministic kernels, and cuBLAS if it has not started yet.
func Deterministic(on bool) error {
	var msg *C.char
	return failed(C.ct_deterministic(cbool(on), &msg), msg)
}
