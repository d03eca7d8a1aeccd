package ctorch

// #include "shim.h"
import "C"

import "unsafe"

// MaxDim is the largest number of dimensions of a tensor here.
const MaxDim = C.CT_MAXDIM

// Info is a tensor's metadata, laid out as ct_info.
type Info struct {
	DType, DeviceType, DeviceIndex, Dim         int32
	RequiresGrad, IsLeaf, Contiguous, HasGradFn int32
	Numel, Bytes                                int64
	Sizes, Strides                              [MaxDim]int64
}

// Free releases the handles; zeros and negative numbers are skipped.
func Free(h []Handle) {
	if len(h) > 0 {
		C.ct_tensor_free(handles(h), C.int(len(h)))
	}
}

// AliasOf returns a second handle of the same tensor.
func AliasOf(h Handle) (Handle, error) {
	var out C.ct_handle
	var msg *C.char
	rc := C.ct_tensor_alias(C.ct_handle(h), &out, &msg)
	return Handle(out), failed(rc, msg)
}

// InfoOf fills info.
func InfoOf(h Handle, info *Info) error {
	var msg *C.char
	rc := C.ct_tensor_info(C.ct_handle(h), (*C.ct_info)(unsafe.Pointer(info)), &msg)
	if rc != 0 {
		return failed(rc, msg)
	}
	return nil
}

// FromBytes copies data into a new tensor.
func FromBytes(data unsafe.Pointer, nbytes int64, dtype int32, shape []int64, device int64) (Handle, error) {
	var out C.ct_handle
	var msg *C.char
	rc := C.ct_tensor_from_bytes(data, C.int64_t(nbytes), C.int(dtype), (*C.int64_t)(unsafe.SliceData(shape)),
		C.int(len(shape)), C.int(device), &out, &msg)
	return Handle(out), failed(rc, msg)
}

// ToBytes copies the tensor's elements, row-major, to dst.
func ToBytes(h Handle, dst unsafe.Pointer, nbytes int64) error {
	var msg *C.char
	return failed(C.ct_tensor_to_bytes(C.ct_handle(h), dst, C.int64_t(nbytes), &msg), msg)
}

// SetRequiresGrad marks a leaf.
func SetRequiresGrad(h Handle, on bool) error {
	var msg *C.char
	return failed(C.ct_tensor_set_requires_grad(C.ct_handle(h), cbool(on), &msg), msg)
}

// GradOf returns a handle of the accumulated gradient, 0 if there is none.
func GradOf(h Handle) (Handle, error) {
	var out C.ct_handle
	var msg *C.char
	rc := C.ct_tensor_grad(C.ct_handle(h), &out, &msg)
	return Handle(out), failed(rc, msg)
}

// SetGrad sets the accumulated gradients; nil grads clears them.
func SetGrad(h, grads []Handle) error {
	if len(h) == 0 {
		return nil
	}
	var msg *C.char
	var g *C.ct_handle
	if grads != nil {
		g = handles(grads)
	}
	return failed(C.ct_tensor_set_grad(handles(h), g, C.int(len(h)), &msg), msg)
}

// FromATen returns a handle of the tensor that the C++ object at::Tensor refers to; 0 if it is undefined. The object is
// only read.
func FromATen(object unsafe.Pointer) (Handle, error) {
	var out C.ct_handle
	var msg *C.char
	rc := C.ct_tensor_from_aten(object, &out, &msg)
	return Handle(out), failed(rc, msg)
}

// ToATen returns a new C++ object at::Tensor, for C++'s delete, that refers to the tensor.
func ToATen(h Handle) (unsafe.Pointer, error) {
	var out unsafe.Pointer
	var msg *C.char
	rc := C.ct_tensor_to_aten(C.ct_handle(h), &out, &msg)
	return out, failed(rc, msg)
}

// LiveTensors counts the handles that exist.
func LiveTensors() int64 { return int64(C.ct_live_tensors()) }

// LiveBytes sums numel*itemsize over them; a view counts like its base.
func LiveBytes() int64 { return int64(C.ct_live_bytes()) }
