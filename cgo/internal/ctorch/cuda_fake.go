//go:build invariants

package ctorch

// #include "shim.h"
import "C"

// FakeCUDA puts two devices that only count in the place of libtorch_cuda, or takes them away.
func FakeCUDA(on bool) error {
	var msg *C.char
	return failed(C.ct_fake_cuda(cbool(on), &msg), msg)
}

// FakeLog returns what was called on them since the last time, one a line.
func FakeLog() (string, error) {
	var t, msg *C.char
	rc := C.ct_fake_log(&t, &msg)
	return takeText(t), failed(rc, msg)
}

// FakeHold says whether work that is queued from now on ends only when it is waited for.
func FakeHold(on bool) { C.ct_fake_hold(cbool(on)) }

// FakeShort makes the next calls of the operators aten::_ct_* and ct_test::plain run out of device memory.
func FakeShort(times int) error {
	var msg *C.char
	return failed(C.ct_fake_short(C.int(times), &msg), msg)
}
