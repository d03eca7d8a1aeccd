package ctorch

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"strings"
	"syscall"
	"unsafe"
)

// Module is a TorchScript module.
type Module unsafe.Pointer

// JITLoad loads a TorchScript archive from memory onto a device.
func JITLoad(data []byte, device int64) (Module, error) {
	var out unsafe.Pointer
	var msg *C.char
	rc := C.ct_jit_load(unsafe.Pointer(unsafe.SliceData(data)), C.int64_t(len(data)), C.int(device), &out, &msg)
	return Module(out), failed(rc, msg)
}

// JITDefine makes a module from tensors and source text. kinds: 0 parameter, 1 buffer. inner may be nil.
func JITDefine(names []string, tensors []Handle, kinds []int32, inner Module, source string) (Module, error) {
	cnames, free := cStrings(names)
	defer free()
	src := C.CString(source)
	defer C.free(unsafe.Pointer(src))
	var out unsafe.Pointer
	var msg *C.char
	rc := C.ct_jit_define(cnames, handles(tensors), (*C.int)(unsafe.Pointer(unsafe.SliceData(kinds))),
		C.int(len(names)), unsafe.Pointer(inner), src, &out, &msg)
	return Module(out), failed(rc, msg)
}

// cStrings copies strings to C memory, where the array must be too: Go memory handed to C must not hold pointers.
func cStrings(l []string) (list **C.char, free func()) {
	array := C.malloc(C.size_t(len(l)+1) * C.size_t(unsafe.Sizeof(uintptr(0))))
	at := unsafe.Slice((**C.char)(array), len(l))
	for i, s := range l {
		at[i] = C.CString(s)
	}
	return (**C.char)(array), func() {
		for _, p := range at {
			C.free(unsafe.Pointer(p))
		}
		C.free(array)
	}
}

// JITSave returns the module's archive. extra are names and contents of files in it, in turn.
func JITSave(m Module, extra []string) ([]byte, error) {
	var data unsafe.Pointer
	var n C.int64_t
	if err := save(m, extra, -1, &data, &n); err != nil {
		return nil, err
	}
	defer C.ct_free(data)
	return append([]byte(nil), unsafe.Slice((*byte)(data), int(n))...), nil
}

// JITSaveTo writes the module's archive to an open file, as large as it is without a copy in memory. The error is a
// syscall.Errno when writing failed.
func JITSaveTo(m Module, extra []string, fd uintptr) error {
	var data unsafe.Pointer
	var n C.int64_t
	return save(m, extra, C.int(fd), &data, &n)
}

func save(m Module, extra []string, fd C.int, data *unsafe.Pointer, n *C.int64_t) error {
	var msg *C.char
	var errno C.int
	files, free := cStrings(extra)
	defer free()
	err := failed(C.ct_jit_save(unsafe.Pointer(m), files, C.int(len(extra)/2), fd, &errno, data, n, &msg), msg)
	if errno != 0 {
		return syscall.Errno(errno)
	}
	return err
}

// JITFreeze inlines parameters as constants and folds what can be folded.
func JITFreeze(m Module) (Module, error) {
	var out unsafe.Pointer
	var msg *C.char
	rc := C.ct_jit_freeze(unsafe.Pointer(m), &out, &msg)
	return Module(out), failed(rc, msg)
}

// JITClone makes a deep copy.
func JITClone(m Module) (Module, error) {
	var out unsafe.Pointer
	var msg *C.char
	rc := C.ct_jit_clone(unsafe.Pointer(m), &out, &msg)
	return Module(out), failed(rc, msg)
}

// JITTrain sets training or evaluation mode.
func JITTrain(m Module, on bool) error {
	var msg *C.char
	return failed(C.ct_jit_train(unsafe.Pointer(m), cbool(on), &msg), msg)
}

// JITIsTraining reads the mode.
func JITIsTraining(m Module) (bool, error) {
	var on C.int
	var msg *C.char
	rc := C.ct_jit_is_training(unsafe.Pointer(m), &on, &msg)
	return on != 0, failed(rc, msg)
}

// JITTo moves the module; dtype < 0 leaves the element type.
func JITTo(m Module, device int64, dtype int32) error {
	var msg *C.char
	return failed(C.ct_jit_to(unsafe.Pointer(m), C.int(device), C.int(dtype), &msg), msg)
}

// JITMethods lists the methods' names.
func JITMethods(m Module) ([]string, error) {
	var t, msg *C.char
	rc := C.ct_jit_methods(unsafe.Pointer(m), &t, &msg)
	return strings.Fields(takeText(t)), failed(rc, msg)
}

// JITOps returns the names of what a method's graph consists of, one a line.
func JITOps(m Module, method string) (string, error) {
	n := C.CString(method)
	defer C.free(unsafe.Pointer(n))
	var t, msg *C.char
	rc := C.ct_jit_ops(unsafe.Pointer(m), n, &t, &msg)
	return takeText(t), failed(rc, msg)
}

// JITSchema returns a method's schema.
func JITSchema(m Module, method string) (string, error) {
	n := C.CString(method)
	defer C.free(unsafe.Pointer(n))
	var t, msg *C.char
	rc := C.ct_jit_schema(unsafe.Pointer(m), n, &t, &msg)
	return takeText(t), failed(rc, msg)
}

// JITTensors returns the parameters or the buffers, with their dotted names.
func JITTensors(m Module, buffers bool) ([]string, []Handle, error) {
	var h *C.ct_handle
	var names, msg *C.char
	var n C.int
	if err := failed(C.ct_jit_tensors(unsafe.Pointer(m), cbool(buffers), &h, &names, &n, &msg), msg); err != nil {
		return nil, nil, err
	}
	out := append([]Handle(nil), unsafe.Slice((*Handle)(unsafe.Pointer(h)), int(n))...)
	C.ct_free(unsafe.Pointer(h))
	text := takeText(names)
	if text == "" {
		return nil, out, nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n"), out, nil
}

// JITCall calls a method. The result is freed with [FreeValue].
func JITCall(m Module, method string, a *Args) (Value, error) {
	n := C.CString(method)
	defer C.free(unsafe.Pointer(n))
	var out unsafe.Pointer
	var msg *C.char
	rc := C.ct_jit_call(unsafe.Pointer(m), n,
		(*C.ct_val)(unsafe.Pointer(unsafe.SliceData(a.Vals))), C.int(len(a.Vals)),
		(*C.int64_t)(unsafe.SliceData(a.Words)), (*C.char)(unsafe.Pointer(unsafe.SliceData(a.Bytes))), &out, &msg)
	return Value(out), failed(rc, msg)
}

// JITFree releases the module.
func JITFree(m Module) { C.ct_jit_free(unsafe.Pointer(m)) }

// Value is a TorchScript result of any shape.
type Value unsafe.Pointer

// Kinds of a [Value].
const (
	VNone   = C.CT_V_NONE
	VTensor = C.CT_V_TENSOR
	VInt    = C.CT_V_INT
	VFloat  = C.CT_V_FLOAT
	VBool   = C.CT_V_BOOL
	VString = C.CT_V_STRING
	VList   = C.CT_V_LIST
	VTuple  = C.CT_V_TUPLE
	VDict   = C.CT_V_DICT
	VOther  = C.CT_V_OTHER
)

// ValueKind says what v holds.
func ValueKind(v Value) int { return int(C.ct_value_kind(unsafe.Pointer(v))) }

// ValueLen is the number of items of a list, tuple or dict.
func ValueLen(v Value) int { return int(C.ct_value_len(unsafe.Pointer(v))) }

// ValueAt returns item i, and its key in a dict.
func ValueAt(v Value, i int) (Value, string, error) {
	var item unsafe.Pointer
	var key, msg *C.char
	rc := C.ct_value_at(unsafe.Pointer(v), C.int(i), &item, &key, &msg)
	return Value(item), takeText(key), failed(rc, msg)
}

// ValueTensor returns a handle of the tensor.
func ValueTensor(v Value) (Handle, error) {
	var out C.ct_handle
	var msg *C.char
	rc := C.ct_value_tensor(unsafe.Pointer(v), &out, &msg)
	return Handle(out), failed(rc, msg)
}

// ValueInt reads an int or bool.
func ValueInt(v Value) int64 { return int64(C.ct_value_int(unsafe.Pointer(v))) }

// ValueFloat reads a float.
func ValueFloat(v Value) float64 { return float64(C.ct_value_float(unsafe.Pointer(v))) }

// ValueText reads a string, or names the type.
func ValueText(v Value) (string, error) {
	var t, msg *C.char
	rc := C.ct_value_text(unsafe.Pointer(v), &t, &msg)
	return takeText(t), failed(rc, msg)
}

// FreeValue releases v.
func FreeValue(v Value) { C.ct_value_free(unsafe.Pointer(v)) }
