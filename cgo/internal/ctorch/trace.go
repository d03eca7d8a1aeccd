package ctorch

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

// traced is a computation that libtorch's tracer looks at.
type traced struct {
	run func(args []Handle) (results []Handle, err error)
	err error
}

// JITModule makes a module of tensors with dotted names, without methods. kinds: 0 parameter, 1 buffer.
func JITModule(names []string, tensors []Handle, kinds []int32) (Module, error) {
	cnames, free := cStrings(names)
	defer free()
	var out unsafe.Pointer
	var msg *C.char
	rc := C.ct_jit_module(cnames, handles(tensors), (*C.int)(unsafe.Pointer(unsafe.SliceData(kinds))), C.int(len(names)), &out, &msg)
	return Module(out), failed(rc, msg)
}

// JITTrace adds a method to m that computes what run does. run is called once, on this OS thread, before JITTrace returns; it
// owns the handles of its arguments, and still owns those of its results. It must not panic.
func JITTrace(m Module, method string, names []string, args []Handle, run func([]Handle) ([]Handle, error)) error {
	call := &traced{run: run}
	h := cgo.NewHandle(call)
	defer h.Delete()
	cnames, free := cStrings(names)
	defer free()
	n := C.CString(method)
	defer C.free(unsafe.Pointer(n))
	var msg *C.char
	err := failed(C.ct_jit_trace(unsafe.Pointer(m), n, cnames, handles(args), C.int(len(args)), C.uintptr_t(h), &msg), msg)
	if call.err != nil {
		return call.err // as it was, and not only its text
	}
	return err
}

//export ct_traced
func ct_traced(call C.uintptr_t, args *C.ct_handle, n C.int, results **C.ct_handle, count *C.int) *C.char {
	t := cgo.Handle(call).Value().(*traced)
	out, err := t.run(append([]Handle(nil), unsafe.Slice((*Handle)(unsafe.Pointer(args)), int(n))...))
	if err != nil {
		t.err = err
		return C.CString(err.Error())
	}
	p := C.malloc(C.size_t(len(out)+1) * C.size_t(unsafe.Sizeof(Handle(0))))
	copy(unsafe.Slice((*Handle)(p), len(out)), out)
	*results, *count = (*C.ct_handle)(p), C.int(len(out))
	return nil
}

// JITSource adds methods that are written in TorchScript.
func JITSource(m Module, source string) error {
	src := C.CString(source)
	defer C.free(unsafe.Pointer(src))
	var msg *C.char
	return failed(C.ct_jit_source(unsafe.Pointer(m), src, &msg), msg)
}

// JITGraph is a method's graph as text.
func JITGraph(m Module, method string) (string, error) {
	n := C.CString(method)
	defer C.free(unsafe.Pointer(n))
	var t, msg *C.char
	rc := C.ct_jit_graph(unsafe.Pointer(m), n, &t, &msg)
	return takeText(t), failed(rc, msg)
}
