package torch_test

import (
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// One thread inside an operation: the tests are about meaning, and often run beside other work.
func TestMain(m *testing.M) {
	if err := torch.SetNumThreads(1); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// scope returns a scope that the test's end closes, and checks that no tensor of the test outlives it.
func scope(t testing.TB) *torch.Scope {
	t.Helper()
	before := torch.LiveTensors()
	s := torch.NewScope()
	t.Cleanup(func() {
		s.Close()
		if n := torch.LiveTensors(); n != before {
			t.Errorf("got %d live tensors after the test vs %d before", n, before)
		}
	})
	return s
}

// vec is a float64 tensor.
func vec(s *torch.Scope, v ...float64) *torch.Tensor { return torch.FromSlice(s, v) }

// mat is a float64 tensor of two dimensions.
func mat(s *torch.Scope, rows, cols int64, v ...float64) *torch.Tensor {
	return torch.FromSlice(s, v, rows, cols)
}

// vals reads any tensor as float64.
func vals(x *torch.Tensor) []float64 {
	s := torch.NewScope()
	defer s.Close()
	return torch.Slice[float64](s.Use(x).Detach().To(torch.Float64))
}

// near compares element by element, relative to the larger of 1 and |want|; NaN equals NaN.
func near(t testing.TB, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %d elements %v vs %d %v", what, len(got), got, len(want), want)
		return
	}
	for i := range got {
		if got[i] == want[i] || math.IsNaN(got[i]) && math.IsNaN(want[i]) {
			continue
		}
		if d := math.Abs(got[i] - want[i]); !(d <= tol*max(1, math.Abs(want[i]))) {
			t.Errorf("%s: element %d: got %v vs %v", what, i, got[i], want[i])
			return
		}
	}
}

func sameShape(t testing.TB, what string, x *torch.Tensor, want ...int64) {
	t.Helper()
	if got := x.Shape(); !slices.Equal(got, want) {
		t.Errorf("%s: got shape %v vs %v", what, got, want)
	}
}

// panics returns the *torch.Error that f panics with.
func panics(t testing.TB, f func()) *torch.Error {
	t.Helper()
	err := torch.Try(f)
	e, ok := errors.AsType[*torch.Error](err)
	if !ok {
		t.Fatalf("got %v vs a panic with *torch.Error", err)
	}
	return e
}

// says checks an error's text for parts.
func says(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("got no error vs one with %q", parts)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("got error %q vs one with %q", err, p)
		}
	}
}
