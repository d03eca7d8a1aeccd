package ctorch

// #include "shim.h"
import "C"

import "unsafe"

// Backward accumulates gradients into the leaves, or only into inputs when there are any.
func Backward(roots, grads, inputs []Handle, keep, create bool) error {
	var msg *C.char
	var g *C.ct_handle
	if grads != nil {
		g = handles(grads)
	}
	return failed(C.ct_backward(handles(roots), g, C.int(len(roots)), handles(inputs), C.int(len(inputs)), cbool(keep),
		cbool(create), &msg), msg)
}

// Grad returns the gradients of sum(outputs) with respect to inputs.
func Grad(outputs, grads, inputs []Handle, keep, create, allowUnused bool) ([]Handle, error) {
	var msg *C.char
	var g *C.ct_handle
	if grads != nil {
		g = handles(grads)
	}
	out := make([]Handle, len(inputs))
	rc := C.ct_grad(handles(outputs), g, C.int(len(outputs)), handles(inputs), C.int(len(inputs)), cbool(keep),
		cbool(create), cbool(allowUnused), handles(out), &msg)
	return out, failed(rc, msg)
}

// Modes are the thread-local switches, laid out as ct_modes.
type Modes struct {
	Grad, AutocastCPU, AutocastCPUDType, AutocastCUDA, AutocastCUDADType, Cache int32
	SecondOrder, _                                                              int32
	Thread                                                                      int64
}

// ModesNow reads this thread's modes.
func ModesNow() (m Modes, err error) {
	var msg *C.char
	rc := C.ct_modes_get((*C.ct_modes)(unsafe.Pointer(&m)), &msg)
	return m, failed(rc, msg)
}

// EnterModes sets this thread's modes and returns the ones before. The caller holds the OS thread.
func EnterModes(m Modes) (saved Modes, err error) {
	var msg *C.char
	rc := C.ct_modes_enter((*C.ct_modes)(unsafe.Pointer(&m)), (*C.ct_modes)(unsafe.Pointer(&saved)), &msg)
	return saved, failed(rc, msg)
}

// LeaveModes restores what EnterModes returned, on the same thread.
func LeaveModes(saved Modes) error {
	var msg *C.char
	return failed(C.ct_modes_leave((*C.ct_modes)(unsafe.Pointer(&saved)), &msg), msg)
}

// CheckModes turns on the check that no op runs on a thread left in a mode.
func CheckModes(on bool) { C.ct_check_modes(cbool(on)) }
