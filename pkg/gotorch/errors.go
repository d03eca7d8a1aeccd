//go:build gotorch

package gotorch

import (
	"strings"

	"github.com/wangkuiyi/gotorch"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Try calls f and returns what went wrong in gotorch, which panics with a string, or in package torch, as a *torch.Error.
// Any other panic goes on.
func Try(f func()) error { return torch.Try(func() { caught("gotorch", f) }) }

// caught turns a panic with a string into one with *torch.Error.
func caught(op string, f func()) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case string:
			panic(&torch.Error{Op: op, Msg: firstPart(r)})
		default:
			panic(r)
		}
	}()
	f()
}

// firstPart is libtorch's message without the stack of C++, as one line.
func firstPart(msg string) string {
	msg, _, _ = strings.Cut(msg, "Exception raised from")
	return strings.Join(strings.Fields(msg), " ")
}

// Backward is gotorch's loss.Backward with an error in place of the end of the process: it adds the gradients of loss, a
// scalar, to those of every leaf that requires one, where Tensor.Grad and gotorch's optimisers find them.
// It panics with *torch.Error, e.g. when loss has no graph, or its graph was freed by an earlier call.
func Backward(loss gotorch.Tensor) {
	s := torch.NewScope()
	defer s.Close()
	torch.Backward(From(s, loss), torch.GradOptions{})
}
