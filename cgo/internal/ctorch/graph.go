package ctorch

// #include "shim.h"
import "C"

import "unsafe"

// Graph is recorded work of a device.
type Graph unsafe.Pointer

// GraphBegin starts to record what the current stream of a device is given. The caller holds the OS thread until GraphEnd. beside
// is nil, or a graph with which it shares memory.
func GraphBegin(device int, generators []Handle, beside Graph) (Graph, error) {
	var p unsafe.Pointer
	var msg *C.char
	rc := C.ct_graph_begin(C.int(device), (*C.ct_handle)(unsafe.Pointer(unsafe.SliceData(generators))), C.int(len(generators)), unsafe.Pointer(beside), &p, &msg)
	return Graph(p), failed(rc, msg)
}

// GraphEnd ends the recording.
func GraphEnd(g Graph) error {
	var msg *C.char
	return failed(C.ct_graph_end(unsafe.Pointer(g), &msg), msg)
}

// GraphReplay queues what was recorded on the current stream.
func GraphReplay(g Graph) error {
	var msg *C.char
	return failed(C.ct_graph_replay(unsafe.Pointer(g), &msg), msg)
}

// GraphFree waits for the device, and gives the graph's memory back to the cache.
func GraphFree(g Graph) { C.ct_graph_free(unsafe.Pointer(g)) }
