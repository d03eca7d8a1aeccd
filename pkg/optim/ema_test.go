package optim_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

func TestDecayGoldens(t *testing.T) {
	for _, c := range []struct{ got, want float64 }{
		// stylegan2-ada-pytorch's formula, evaluated in Python
		{optim.HalfLife(32, 10, 1e3, 0), 0.9977843871},
		{optim.HalfLife(32, 10, 1e6, 0.05), 0.9977843871},
		{optim.HalfLife(32, 10, 10_000, 0.05), 0.9566081581},
		{optim.HalfLife(32, 10, 0, 0.05), 0},
		// diffusers' EMAModel.get_decay with power 0.75; step s+1 because it counts from the first update after the start
		{optim.WarmUp{}.Decay(0), 0},
		{optim.WarmUp{}.Decay(1), 0},
		{optim.WarmUp{}.Decay(2), 0.40539644},
		{optim.WarmUp{}.Decay(11), 0.83443997},
		{optim.WarmUp{}.Decay(101), 0.96861234},
		{optim.WarmUp{}.Decay(1001), 0.9943808},
		{optim.WarmUp{}.Decay(10_001), 0.99900007},
		{optim.WarmUp{Max: 1}.Decay(215_444), 0.9999},
		{optim.WarmUp{}.Decay(10_000_000), 0.9999},
		{optim.WarmUp{After: 100}.Decay(111), 0.83443997},
		{optim.WarmUp{After: 100}.Decay(101), 0},
		// ema-pytorch: power 2/3
		{optim.WarmUp{Power: 2. / 3}.Decay(2), 0.37003948},
		{optim.WarmUp{Power: 2. / 3}.Decay(11), 0.79781999},
		{optim.WarmUp{Power: 2. / 3}.Decay(101), 0.95389099},
		{optim.WarmUp{Power: 2. / 3}.Decay(1001), 0.99000666},
		{optim.WarmUp{Power: 2. / 3}.Decay(10_001), 0.99784571},
		{optim.WarmUp{Power: 2. / 3}.Decay(1_000_001), 0.9999},
		{optim.WarmUp{Ratio: true}.Decay(11), 11. / 20},
		{optim.WarmUp{Min: 0.9}.Decay(2), 0.9},
	} {
		require.InDelta(t, c.want, c.got, 1e-8)
	}
}

// average repeats an exponential average in float64.
func TestEMAFollowsItsFormula(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	p := s.FromFloat32s([]float32{1, -2}).RequiresGrad(true)
	buffer := s.FromInt64s([]int64{1})
	e := optim.CloneEMA(s, []*torch.Tensor{p}, []*torch.Tensor{buffer})
	want := []float64{1, -2}
	live := torch.LiveTensors()
	for i := range 30 {
		torch.NoGrad(func() { p.MulScalar_(-0.9); buffer.Fill_(float64(i)) })
		e.Update(0.7)
		for k, v := range p.Float32s() {
			want[k] = 0.7*want[k] + 0.3*float64(v)
		}
	}
	require.Equal(t, live, torch.LiveTensors())
	got := e.Averages()[0].Float32s()
	require.InDeltaSlice(t, want, []float64{float64(got[0]), float64(got[1])}, 1e-6)
	require.EqualValues(t, 29, e.Buffers()[0].Int64())
	require.False(t, e.Averages()[0].IsGradRequired())

	e.Update(1)
	require.Equal(t, got, e.Averages()[0].Float32s())
	e.Update(0)
	require.Equal(t, p.Float32s(), e.Averages()[0].Float32s())
	require.Error(t, torch.Try(func() { e.Update(1.5) }))
}

// A long average of a constant is that constant: the decay's rounding to float32 must not pull it away.
func TestEMAHasNoBias(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	p := s.FromFloat32s([]float32{0.7, 1.3e-5, -40})
	e := optim.CloneEMA(s, []*torch.Tensor{p}, nil)
	for range 20_000 {
		e.Update(0.9999)
	}
	require.Equal(t, p.Float32s(), e.Averages()[0].Float32s())
}

func TestEMAStateAndApply(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	p := params(s.Child())
	buffers := []*torch.Tensor{s.Scalar(5)}
	e := optim.CloneEMA(s, p, buffers)
	torch.NoGrad(func() {
		for _, t := range p {
			t.MulScalar_(2)
		}
	})
	e.Update(0.5)
	dict := map[string]*torch.Tensor{}
	for name, x := range e.State() {
		dict[name] = s.Use(x).Clone()
	}
	q := params(s.Child())
	copies := []*torch.Tensor{s.Scalar(0)}
	f, err := optim.NewEMA(p, q, buffers, copies)
	require.NoError(t, err)
	require.Equal(t, p[0].Float32s(), q[0].Float32s(), "starts as a copy")
	require.NoError(t, f.LoadState(dict))
	require.Equal(t, e.Averages()[0].Float32s(), q[0].Float32s())
	require.Equal(t, 5.0, copies[0].Float64())

	r := params(s.Child())
	require.NoError(t, e.ApplyTo(r, copies))
	require.Equal(t, q[2].Float32s(), r[2].Float32s())

	require.EqualError(t, e.ApplyTo(r[:2], copies), "optim: ema: got 2 parameters vs 3: not one architecture")
	require.Error(t, e.ApplyTo(r, []*torch.Tensor{s.Ones([]int64{1})}))
	_, err = optim.NewEMA(p, []*torch.Tensor{q[1], q[0], q[2]}, nil, nil)
	require.EqualError(t, err, "optim: ema: parameter 0: got float32[4] cpu vs float32[2 3] cpu")
	delete(dict, "0.buffer")
	require.EqualError(t, e.LoadState(dict), "optim: load: the saved state does not fit: 1 missing (0.buffer)")
	require.Len(t, maps.Collect(e.State()), 4)
}
