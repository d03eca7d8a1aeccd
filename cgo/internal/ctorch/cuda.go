package ctorch

// #cgo noescape ct_cuda_enter
// #cgo nocallback ct_cuda_enter
// #cgo noescape ct_cuda_leave
// #cgo nocallback ct_cuda_leave
// #include "shim.h"
import "C"

import "unsafe"

// CUDAProps describe a device.
type CUDAProps struct {
	Name                     string
	Major, Minor, Processors int
	Total                    int64 // bytes
}

// CUDAProperties asks the driver about a device.
func CUDAProperties(device int) (CUDAProps, error) {
	var p C.ct_cuda_props
	var msg *C.char
	rc := C.ct_cuda_properties(C.int(device), &p, &msg)
	return CUDAProps{C.GoString(&p.name[0]), int(p.major), int(p.minor), int(p.processors), int64(p.total)}, failed(rc, msg)
}

// CUDACurrent is the device that this thread is on.
func CUDACurrent() (int, error) {
	var d C.int
	var msg *C.char
	rc := C.ct_cuda_current(&d, &msg)
	return int(d), failed(rc, msg)
}

// CUDASynchronize waits for everything that was queued on a device.
func CUDASynchronize(device int) error {
	var msg *C.char
	return failed(C.ct_cuda_synchronize(C.int(device), &msg), msg)
}

// Streams that [StreamOf] returns.
const (
	StreamDefault  = 0
	StreamPool     = 1
	StreamPriority = 2
	StreamCurrent  = 3 // of this thread
)

// StreamOf returns the number of a stream of a device.
func StreamOf(device, which int) (int64, error) {
	var id C.int64_t
	var msg *C.char
	rc := C.ct_stream_get(C.int(device), C.int(which), &id, &msg)
	return int64(id), failed(rc, msg)
}

// StreamQuery tells whether everything that was queued on a stream is done.
func StreamQuery(device int, stream int64) (bool, error) {
	var done C.int
	var msg *C.char
	rc := C.ct_stream_query(C.int(device), C.int64_t(stream), &done, &msg)
	return done != 0, failed(rc, msg)
}

// StreamSynchronize waits until it is.
func StreamSynchronize(device int, stream int64) error {
	var msg *C.char
	return failed(C.ct_stream_synchronize(C.int(device), C.int64_t(stream), &msg), msg)
}

// StreamRecord tells the cache of device memory that a tensor is used on a stream.
func StreamRecord(device int, stream int64, t Handle) error {
	var msg *C.char
	return failed(C.ct_stream_record(C.int(device), C.int64_t(stream), C.ct_handle(t), &msg), msg)
}

// On is what [LeaveCUDA] restores, laid out as ct_on.
type On struct {
	Device, DeviceBefore int32
	StreamBefore, Thread int64
}

// EnterCUDA puts this thread on a device and, unless stream is nil, on a stream of it. The caller holds the OS thread.
func EnterCUDA(device int, stream *int64) (saved On, err error) {
	var msg *C.char
	rc := C.ct_cuda_enter(C.int(device), (*C.int64_t)(stream), (*C.ct_on)(unsafe.Pointer(&saved)), &msg)
	return saved, failed(rc, msg)
}

// LeaveCUDA undoes EnterCUDA, on the same thread.
func LeaveCUDA(saved On) error {
	var msg *C.char
	return failed(C.ct_cuda_leave((*C.ct_on)(unsafe.Pointer(&saved)), &msg), msg)
}

// Event is an event of CUDA, nil before it is recorded.
type Event unsafe.Pointer

// EventRecord marks this moment of a stream in an event, and makes the event if there is none yet.
func EventRecord(e Event, device int, stream int64) (Event, error) {
	p := unsafe.Pointer(e)
	var msg *C.char
	rc := C.ct_event_record(&p, C.int(device), C.int64_t(stream), &msg)
	return Event(p), failed(rc, msg)
}

// EventBlock makes a stream wait for an event.
func EventBlock(e Event, device int, stream int64) error {
	var msg *C.char
	return failed(C.ct_event_block(unsafe.Pointer(e), C.int(device), C.int64_t(stream), &msg), msg)
}

// EventQuery tells whether the event has passed.
func EventQuery(e Event) (bool, error) {
	var done C.int
	var msg *C.char
	rc := C.ct_event_query(unsafe.Pointer(e), &done, &msg)
	return done != 0, failed(rc, msg)
}

// EventSynchronize waits for the event.
func EventSynchronize(e Event) error {
	var msg *C.char
	return failed(C.ct_event_synchronize(unsafe.Pointer(e), &msg), msg)
}

// EventElapsed is the time between two events in milliseconds.
func EventElapsed(start, end Event, device int) (float64, error) {
	var ms C.double
	var msg *C.char
	rc := C.ct_event_elapsed(unsafe.Pointer(start), unsafe.Pointer(end), C.int(device), &ms, &msg)
	return float64(ms), failed(rc, msg)
}

// EventFree releases an event.
func EventFree(e Event, device int) { C.ct_event_free(unsafe.Pointer(e), C.int(device)) }

// CUDAStats is what libtorch's cache counts, laid out as ct_cuda_stats. Sizes are bytes.
type CUDAStats struct {
	Allocated, Reserved, PeakAllocated, PeakReserved int64
	Retries, Failures                                int64
}

// CUDAMemory reads the cache's counts for a device.
func CUDAMemory(device int) (s CUDAStats, err error) {
	var msg *C.char
	rc := C.ct_cuda_memory(C.int(device), (*C.ct_cuda_stats)(unsafe.Pointer(&s)), &msg)
	return s, failed(rc, msg)
}

// CUDAResetPeak makes the peaks what is in use now.
func CUDAResetPeak(device int) error {
	var msg *C.char
	return failed(C.ct_cuda_reset_peak(C.int(device), &msg), msg)
}

// CUDAEmptyCache gives back what the cache holds and no tensor uses.
func CUDAEmptyCache() error {
	var msg *C.char
	return failed(C.ct_cuda_empty_cache(&msg), msg)
}

// CUDADeviceMemory returns the bytes of a device that nobody uses, and all of them.
func CUDADeviceMemory(device int) (free, total int64, err error) {
	var f, t C.int64_t
	var msg *C.char
	rc := C.ct_cuda_device_memory(C.int(device), &f, &t, &msg)
	return int64(f), int64(t), failed(rc, msg)
}

// CUDAMissing names what cannot be had although there is CUDA, one a line.
func CUDAMissing() (string, error) {
	var t, msg *C.char
	rc := C.ct_cuda_missing(&t, &msg)
	return takeText(t), failed(rc, msg)
}

// Memory returns where the elements of a contiguous tensor on the CPU are. They stay there as long as the tensor.
func Memory(h Handle) ([]byte, error) {
	var p unsafe.Pointer
	var n C.int64_t
	var msg *C.char
	if rc := C.ct_tensor_memory(C.ct_handle(h), &p, &n, &msg); rc != 0 {
		return nil, failed(rc, msg)
	}
	return unsafe.Slice((*byte)(p), int(n)), nil
}

// Switches are those of cuDNN and cuBLAS, laid out as ct_switches.
type Switches struct {
	CuDNN, Benchmark, Deterministic, CuDNNTF32, MatmulTF32 int32
}

// CUDASwitches reads the switches.
func CUDASwitches() (s Switches, err error) {
	var msg *C.char
	rc := C.ct_cuda_switches((*C.ct_switches)(unsafe.Pointer(&s)), &msg)
	return s, failed(rc, msg)
}

// SetCUDASwitches sets them.
func SetCUDASwitches(s Switches) error {
	var msg *C.char
	return failed(C.ct_cuda_set_switches((*C.ct_switches)(unsafe.Pointer(&s)), &msg), msg)
}

// Retries counts the calls that were tried again after a device was short of memory, and those that then succeeded.
func Retries() (tried, helped int64) {
	var t, h C.int64_t
	C.ct_retries(&t, &h)
	return int64(t), int64(h)
}

// Repeatable tells whether a call would be tried again.
func Repeatable(op Op, a *Args) (bool, error) {
	var yes C.int
	var msg *C.char
	rc := C.ct_op_repeatable(C.ct_handle(op), (*C.ct_val)(unsafe.Pointer(unsafe.SliceData(a.Vals))), C.int(len(a.Vals)), &yes, &msg)
	return yes != 0, failed(rc, msg)
}
