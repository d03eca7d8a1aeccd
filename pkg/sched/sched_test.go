package sched

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func epochs(e float64) Progress { return Progress{Epoch: e} }

// The values of the recipe's TIGASScheduler(0.0, 0.1, 10), as Python's float arithmetic gives them.
func TestLinearIsTheRecipesScheduler(t *testing.T) {
	want := []float64{0.0, 0.010000000000000002, 0.020000000000000004, 0.03, 0.04000000000000001, 0.05, 0.06,
		0.06999999999999999, 0.08000000000000002, 0.09000000000000001, 0.1, 0.1, 0.1}
	s, err := NewLinear(0, 0.1, Span{10, Epoch})
	if err != nil {
		t.Fatal(err)
	}
	for e, w := range want {
		for _, fraction := range []float64{0, 0.25, 0.999} {
			if got := s.At(epochs(float64(e) + fraction)); got != w {
				t.Errorf("epoch %v: got %v, want %v", float64(e)+fraction, got, w)
			}
		}
	}
	f, _ := NewLinear(0, 0.1, Span{10, FracEpoch})
	if got := f.At(epochs(2.5)); got != 0.025 {
		t.Errorf("fractional epoch 2.5: got %v, want 0.025", got)
	}
}

// The recipe's `0.1 if epoch > 10 else 0.0`.
func TestSwitchIsTheRecipesSwitch(t *testing.T) {
	s, err := NewSwitch(0, 0.1, Span{10, Epoch})
	if err != nil {
		t.Fatal(err)
	}
	for e := 0; e <= 12; e++ {
		want := 0.0
		if e > 10 {
			want = 0.1
		}
		if got := s.At(epochs(float64(e) + 0.5)); got != want {
			t.Errorf("epoch %d: got %v, want %v", e, got, want)
		}
	}
}

func TestUnits(t *testing.T) {
	p := Progress{Step: 7, Images: 4480, Epoch: 2.75}
	for u, want := range map[Unit]float64{Epoch: 2, FracEpoch: 2.75, Step: 7, Kimg: 4.48, Unit(9): 0} {
		if got := p.In(u); got != want {
			t.Errorf("%v: got %v, want %v", u, got, want)
		}
	}
	for _, p := range []Progress{{Step: -1, Images: -1, Epoch: -1}, {Epoch: math.NaN()}} {
		for u := Epoch; u <= FracEpoch; u++ {
			if got := p.In(u); got != 0 {
				t.Errorf("%+v in %v: got %v, want 0", p, u, got)
			}
		}
	}
	// Every multiple of the size is a whole epoch, without rounding noise.
	for _, size := range []int64{3, 7, 49, 50000, 162770} {
		for e := range int64(2000) {
			if got := NewProgress(0, e*size, size).Epoch; got != float64(e) {
				t.Fatalf("size %d: got epoch %v, want %d", size, got, e)
			}
		}
	}
	if got := NewProgress(3, 12, 0); got != (Progress{Step: 3, Images: 12}) {
		t.Errorf("no data set: got %+v", got)
	}
}

func TestCosineAndDecay(t *testing.T) {
	c, _ := NewCosine(1, 0, Span{100, Step})
	d, _ := NewLinearDecay(2e-4, Span{100, Step})
	for _, v := range []struct {
		step     int64
		cos, lin float64
	}{{0, 1, 2e-4}, {25, (1 + math.Sqrt2/2) / 2, 1.5e-4}, {50, 0.5, 1e-4}, {100, 0, 0}, {1000, 0, 0}} {
		p := Progress{Step: v.step}
		if got := c.At(p); math.Abs(got-v.cos) > 1e-15 {
			t.Errorf("cosine at %d: got %v, want %v", v.step, got, v.cos)
		}
		if got := d.At(p); math.Abs(got-v.lin) > 1e-19 {
			t.Errorf("decay at %d: got %v, want %v", v.step, got, v.lin)
		}
	}
}

func TestZeroLengthIsTheFinalValue(t *testing.T) {
	l, _ := NewLinear(0, 0.1, Span{})
	c, _ := NewCosine(0, 0.1, Span{0, Step})
	w, _ := NewWarmup(0.1, Span{}, Span{})
	for _, s := range []Schedule{l, c, w} {
		if got := s.At(Progress{}); got != 0.1 {
			t.Errorf("%T: got %v, want 0.1", s, got)
		}
	}
}

func TestDelayedStart(t *testing.T) {
	w, err := NewWarmup(0.1, Span{10, Step}, Span{100, Step})
	if err != nil {
		t.Fatal(err)
	}
	for step, want := range map[int64]float64{0: 0, 99: 0, 100: 0, 105: 0.05, 110: 0.1, 500: 0.1} {
		if got := w.At(Progress{Step: step}); got != want {
			t.Errorf("step %d: got %v, want %v", step, got, want)
		}
	}
	// Another unit inside: 10 epochs of warm-up that start after 3.2 kimg. 640 images are an epoch, 64 a step.
	w, _ = NewWarmup(0.1, Span{10, Epoch}, Span{3.2, Kimg})
	for step := range int64(200) {
		e := max(0, (step-50)/10)
		want := min(0.1, 0.1*float64(e)/10)
		got := w.At(NewProgress(step, step*64, 640))
		before := min(0.1, 0.1*float64(max(0, (step-51)/10))/10) // one step late is allowed
		if math.Abs(got-want) > 1e-12 && math.Abs(got-before) > 1e-12 {
			t.Errorf("step %d: got %v, want %v", step, got, want)
		}
	}
	// A start in epochs: the steps of the inner schedule begin with that epoch, not one epoch later.
	w, _ = NewWarmup(1, Span{10, Step}, Span{2, Epoch})
	for step, want := range map[int64]float64{0: 0, 19: 0, 20: 0, 25: 0.5, 30: 1, 40: 1} {
		if got := w.At(NewProgress(step, step*64, 640)); math.Abs(got-want) > 1e-12 {
			t.Errorf("step %d after 2 epochs: got %v, want %v", step, got, want)
		}
	}
}

func TestChain(t *testing.T) {
	up, _ := NewLinear(0, 1, Span{10, Step})
	down, _ := NewCosine(1, 0, Span{90, Step})
	s, err := NewChain(up, Span{10, Step}, down)
	if err != nil {
		t.Fatal(err)
	}
	for step, want := range map[int64]float64{0: 0, 5: 0.5, 10: 1, 55: 0.5, 100: 0, 200: 0} {
		if got := s.At(Progress{Step: step}); math.Abs(got-want) > 1e-15 {
			t.Errorf("step %d: got %v, want %v", step, got, want)
		}
	}
}

func TestRampsAreMonotoneAndBounded(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		from, to := rng.NormFloat64()*math.Pow(10, float64(rng.IntN(20)-10)), rng.NormFloat64()
		span := Span{float64(rng.IntN(50)) + rng.Float64(), Unit(rng.IntN(4))}
		lin, err1 := NewLinear(from, to, span)
		cos, err2 := NewCosine(from, to, span)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		for _, s := range []Schedule{lin, cos} {
			last := s.At(Progress{})
			for step := range int64(200) {
				v := s.At(NewProgress(step, step*500, 1000))
				if v < min(from, to) || v > max(from, to) {
					t.Fatalf("%+v at step %d: %v is out of bounds", s, step, v)
				}
				if (v-last)*(to-from) < 0 {
					t.Fatalf("%+v at step %d: %v after %v is not monotone", s, step, v, last)
				}
				last = v
			}
			if last != to {
				t.Fatalf("%+v: ended at %v, want %v", s, last, to)
			}
		}
	}
}

func TestInterval(t *testing.T) {
	i, err := NewInterval(4, true)
	if err != nil {
		t.Fatal(err)
	}
	for step := int64(-8); step < 20; step++ {
		if got, want := i.Due(step), step >= 0 && step%4 == 0; got != want {
			t.Errorf("step %d: due %v, want %v", step, got, want)
		}
	}
	if !(Interval{}).Due(3) || (Interval{}).Gain() != 1 || i.Gain() != 4 || (Interval{Every: 4}).Gain() != 1 {
		t.Error("zero value or gain is wrong")
	}
	if _, err := NewInterval(0, false); err == nil {
		t.Error("interval 0: no error")
	}
	if (Interval{Every: -1}).Validate() == nil {
		t.Error("interval -1: no error")
	}
}

func TestIntervalKeepsTheAverageAndTheWarmup(t *testing.T) {
	const n = 1000
	w, _ := NewWarmup(0.1, Span{n, Step}, Span{})
	for _, k := range []int64{1, 2, 5, 10, 50} {
		i, _ := NewInterval(k, true)
		if got := i.Weight(w, Progress{}); got != 0 {
			t.Errorf("every %d: weight %v at step 0, want 0", k, got)
		}
		var during, after float64
		for step := range int64(2 * n) {
			c := i.Weight(w, Progress{Step: step})
			if step < n {
				during += c
			} else {
				after += c
			}
		}
		if math.Abs(after/n-0.1) > 1e-12 {
			t.Errorf("every %d: average %v after warm-up, want 0.1", k, after/n)
		}
		if math.Abs(during/n-0.05) > 0.1*float64(k)/n { // sampled at the left of each interval
			t.Errorf("every %d: average %v during warm-up, want about 0.05", k, during/n)
		}
	}
}

func TestConstructorsRefuse(t *testing.T) {
	nan, inf, ok := math.NaN(), math.Inf(1), Span{10, Step}
	one, _ := NewConstant(1)
	try := func(_ any, err error) error { return err }
	for name, err := range map[string]error{
		"constant nan":    try(NewConstant(nan)),
		"constant inf":    try(NewConstant(inf)),
		"linear from":     try(NewLinear(nan, 1, ok)),
		"linear to":       try(NewLinear(0, -inf, ok)),
		"linear range":    try(NewLinear(-math.MaxFloat64, math.MaxFloat64, ok)),
		"linear negative": try(NewLinear(0, 1, Span{-1, Step})),
		"linear nan":      try(NewLinear(0, 1, Span{nan, Step})),
		"linear unit":     try(NewLinear(0, 1, Span{1, Unit(7)})),
		"cosine":          try(NewCosine(0, 1, Span{inf, Step})),
		"decay zero":      try(NewLinearDecay(1, Span{})),
		"decay nan":       try(NewLinearDecay(nan, ok)),
		"switch":          try(NewSwitch(0, nan, ok)),
		"delayed nil":     try(NewDelayedStart(ok, nil)),
		"delayed span":    try(NewDelayedStart(Span{-2, Kimg}, one)),
		"delayed inner":   try(NewDelayedStart(ok, Constant{nan})),
		"chain":           try(NewChain(one, ok, nil)),
		"warmup":          try(NewWarmup(nan, ok, ok)),
		"warmup start":    try(NewWarmup(1, ok, Span{-1, Step})),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if s := err.Error(); !strings.HasPrefix(s, "sched: ") || strings.Contains(s, "\n") {
			t.Errorf("%s: error text %q", name, s)
		}
	}
}
