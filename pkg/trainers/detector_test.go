package trainers

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// The loss by its definition, from the heads' outputs.
func TestDetectorLoss(t *testing.T) {
	s := scope(t)
	net := tinyDetector(t, s)
	x := s.Rand(nil, []int64{3, 3, 32, 32})
	targets := []float32{0.95, 0.05, 0.5}
	var st DetectorStep
	got := DetectorOptions{ClassWeight: 0.3}.loss(net, x, s.FromFloat32s(targets), &st).Float64()
	a, b := net.Heads(x)
	logit, logits := a.Reshape(-1).Float32s(), b.Float32s()
	var bce, ce float64
	for i, v := range targets {
		y, z := float64(v), float64(logit[i])
		bce += (math.Log1p(math.Exp(-math.Abs(z))) + math.Max(z, 0) - y*z) / 3
		f, r := float64(logits[2*i]), float64(logits[2*i+1])
		norm := math.Log(math.Exp(f) + math.Exp(r))
		ce += (norm - (1-y)*f - y*r) / 3
	}
	require.InDelta(t, bce, st.Loss, 1e-5) // float32
	require.InDelta(t, ce, st.Class, 1e-5)
	require.InDelta(t, bce+0.3*ce, got, 1e-5)
	require.InDelta(t, bce, DetectorOptions{}.loss(net, x, s.FromFloat32s(targets), &st).Float64(), 1e-5)
}

func TestDetectorRateAndDecay(t *testing.T) {
	o := DetectorOptions{Steps: 100, LR: 2, Warmup: 10}
	require.InDelta(t, 0.2, o.rate(0), 1e-12)
	require.InDelta(t, 1, o.rate(50), 1e-12)
	require.Less(t, o.rate(99), 0.001)

	s := scope(t)
	net := tinyDetector(t, s)
	opt := newDetectorOptimizer(s, net, o)
	require.Len(t, opt.groups, 2)
	for _, i := range opt.groups[0].index {
		require.NotContains(t, net.Params[i].Name, "bias")
	}
	for _, i := range opt.groups[1].index {
		require.EqualValues(t, 1, net.Params[i].Tensor.Dim(), net.Params[i].Name)
	}
}

// Updates that are not finite are left out, and end the run when there are too many in a row.
func TestDetectorDiverges(t *testing.T) {
	s := scope(t)
	net := tinyDetector(t, s)
	before := net.Params[0].Tensor.RawBytes()
	steps, skipped := 0, 0
	o := DetectorOptions{Steps: 200, Batch: func(s *torch.Scope) (*torch.Tensor, *torch.Tensor, error) {
		return s.Full([]int64{2, 3, 32, 32}, math.NaN()), s.FromFloat32s([]float32{1, 0}), nil
	}, OnStep: func(st DetectorStep) error {
		steps++
		if st.Skipped != nil {
			skipped++
		}
		return nil
	}}
	err := TrainDetector(context.Background(), net, o)
	require.ErrorIs(t, err, ErrDiverged)
	require.Equal(t, maxSkips, steps)
	require.Equal(t, maxSkips, skipped)
	require.Equal(t, before, net.Params[0].Tensor.RawBytes())
	stop := errors.New("enough")
	o.OnStep = func(DetectorStep) error { return stop }
	require.Equal(t, stop, TrainDetector(context.Background(), net, o))
}

func TestJudgeScores(t *testing.T) {
	f := JudgeScores([]float32{0.9, 0.4}, []float32{0.2, 0.001, 0.6, 0.3}, 0)
	require.Equal(t, 2, f.Real)
	require.Equal(t, 4, f.Fake)
	require.InDelta(t, 7.0/8, f.AUC, 1e-12)
	require.InDelta(t, (0.5+0.75)/2, f.Accuracy, 1e-12)
	require.InDelta(t, 0.25, f.Saturated, 1e-12)
	real := -(math.Log(0.9) + math.Log(0.4)) / 2
	fake := -(math.Log(0.8) + math.Log(0.999) + math.Log(0.4) + math.Log(0.7)) / 4
	require.InDelta(t, (real+fake)/2, f.Loss, 1e-6) // float32 scores
	require.True(t, f.better(DetectorFigures{AUC: 0.8}))
	f.Slope = 0.1
	require.True(t, f.better(DetectorFigures{AUC: f.AUC, Slope: 0.05}))
	require.True(t, DetectorFigures{AUC: 0.996, Slope: 0.1}.better(DetectorFigures{AUC: 1, Slope: 1e-5}), "above 0.995 the slope counts")
	require.False(t, f.better(f))

	nan := float32(math.NaN())
	require.True(t, math.IsNaN(JudgeScores([]float32{1, nan}, []float32{0}, 0).AUC))
	require.False(t, math.IsInf(JudgeScores([]float32{0}, []float32{1}, 0).Loss, 0))
}

func TestVerdict(t *testing.T) {
	many := DetectorFigures{Real: 500, Fake: 500, Accuracy: 0.9, Slope: 0.1}
	for _, test := range []struct {
		auc, saturated float64
		n              int
		useless        bool
		want           string
	}{
		{0.5, 0, 500, true, "useless: it hardly does better"},
		{0.59, 1, 500, true, "useless"},
		{0.02, 0, 500, true, "takes generated pictures for real"},
		{0.35, 0, 5, true, "guessing"},
		{math.NaN(), 0, 500, true, "useless"},
		{0.7, 0, 15, true, "guessing comes to an area of up to 0.714"},
		{1, 0, 1, true, "1 real and 1 generated test pictures are too few"},
		{0.5, 0, 0, true, "too few"},
		{0.7, 0, 500, false, "weak"},
		{0.9, 0, 500, false, "fair"},
		{0.99, 0.9, 500, false, "good"},
	} {
		f := many
		f.AUC, f.Saturated, f.Real, f.Fake = test.auc, test.saturated, test.n, test.n
		v := f.Verdict()
		require.Equal(t, test.useless, v.Useless, "%+v", test)
		require.Contains(t, v.Text, test.want)
		require.Equal(t, test.saturated > 0.5 && !test.useless, v.Saturated)
		if v.Saturated {
			require.Contains(t, v.Advice[0], "--tigas-form log")
		}
	}
	many.AUC = 0.97
	for _, flat := range []float64{0, 1e-4, math.NaN()} {
		f := many
		f.Slope = flat
		v := f.Verdict()
		require.True(t, v.Useless && v.Flat)
		require.Contains(t, v.Text, "useless as a loss")
		require.Contains(t, v.Advice[0], "--mixup")
	}
	v := many.Verdict(DegradedFigures{Kind: "blur", Accuracy: 0.6}, DegradedFigures{Kind: "jpeg", Accuracy: 0.8})
	require.Equal(t, []string{"it is misled by blur: train longer, with --augment strong"}, v.Advice)
}
