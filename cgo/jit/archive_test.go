package jit_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Every file with a wrong byte is refused, or is the module that it was: nothing loads with other weights, nothing crashes.
func TestDamagedArchives(t *testing.T) {
	s := scope(t)
	m := net(t, s)
	good, err := m.Bytes()
	check(t, err)
	x := s.Ones([]int64{1, 3, 8, 8})
	want := forward(t, m, x)
	rng := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for range 400 {
		bad := bytes.Clone(good)
		for range 1 + rng.IntN(4) {
			bad[rng.IntN(len(bad))] ^= byte(1 + rng.IntN(255))
		}
		work := s.Child()
		d, err := jit.LoadBytes(work, bad, torch.CPU, "bad.pt")
		if err != nil {
			refused++
			if strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "frame #") {
				t.Errorf("got %q", err)
			}
		} else if got := forward(t, d, work.Use(x)); got != want {
			t.Errorf("a damaged file loads with other weights: got %v vs %v", got, want)
		}
		work.Close()
	}
	if refused < 200 {
		t.Errorf("got %d of 400 refused", refused)
	}
}

func forward(t *testing.T, m *jit.Module, x *torch.Tensor) (v float64) {
	t.Helper()
	torch.NoGrad(func() {
		out, err := m.Forward(x)
		check(t, err)
		v = out.(*torch.Tensor).Sum().Float64()
	})
	return v
}

// The parser of libtorch is recursive: what would fill the stack is refused.
func TestDeepSource(t *testing.T) {
	s := scope(t)
	deep := "def forward(self, x: Tensor) -> Tensor:\n    return " + strings.Repeat("(", 100_000) + "x" + strings.Repeat(")", 100_000) + "\n"
	_, err := jit.Define(s, nil, nil, deep)
	if err == nil || !strings.Contains(err.Error(), "brackets inside each other") {
		t.Errorf("define: got %v", err)
	}
	_, err = net(t, s).Wrap(s, deep)
	if err == nil || !strings.Contains(err.Error(), "brackets inside each other") {
		t.Errorf("wrap: got %v", err)
	}
}
