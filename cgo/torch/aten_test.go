package torch_test

import (
	"errors"
	"testing"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// The object that ToATen makes is C++'s to delete; here 8 bytes of it stay. pkg/gotorch tests the rest, with a library that
// deletes it.
func TestATenObjects(t *testing.T) {
	s := scope(t)
	x := vec(s, 1, 2, 3).RequiresGrad(true)
	y := x.Mul(x)
	live := torch.LiveTensors()
	object := torch.ToATen(y)
	if n := torch.LiveTensors(); n != live {
		t.Errorf("got %d live tensors vs %d: the object counts", n, live)
	}
	y.Free()
	z := torch.FromATen(s, object)
	near(t, "after its tensor was freed", vals(z), []float64{1, 4, 9}, 0)
	near(t, "gradient", vals(torch.Grad(z.Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0]), []float64{2, 4, 6}, 0)
	if !torch.SameTensor(z, torch.FromATen(s.Child().Seal(), object)) {
		t.Error("got another tensor")
	}
	says(t, panics(t, func() { torch.FromATen(s, nil) }), "FromATen: got nil vs the address")
	closed := torch.NewScope()
	closed.Close()
	for _, f := range []func(){func() { torch.FromATen(closed, object) }, func() { torch.ToATen(y) }, func() { torch.ToATen(nil) }} {
		if e := panics(t, f); !errors.Is(e, torch.ErrClosed) && e.Msg != "nil tensor" {
			t.Errorf("got %v", e)
		}
	}
}
