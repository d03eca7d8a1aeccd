package tigas

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
)

// script writes a detector with two parameters from TorchScript source and returns its path.
func script(t *testing.T, source string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "detector.pt")
	require.NoError(t, torch.Scoped(func(s *torch.Scope) error {
		m, err := jit.Define(s, []jit.Named{
			{Name: "a", Tensor: s.Scalar(1.7).RequiresGrad(true)},
			{Name: "b", Tensor: s.Scalar(-0.4).RequiresGrad(true)},
		}, nil, source)
		if err != nil {
			return err
		}
		return m.Save(path)
	}))
	return path
}

func open(t *testing.T, s *torch.Scope, path string) *Detector {
	t.Helper()
	d, err := Open(s, path, OpenOptions{Height: 16})
	require.NoError(t, err)
	return d
}

const sigmoidOfMean = `
def forward(self, x: Tensor) -> Tensor:
    return torch.sigmoid(self.a * x.mean([1, 2, 3]) + self.b)
`

func TestOutputsOfDetectors(t *testing.T) {
	for name, body := range map[string]string{
		"tensor": "def forward(self, x: Tensor):\n    return torch.sigmoid(self.a * x.mean([1,2,3]) + self.b)\n",
		"column": "def forward(self, x: Tensor):\n    return torch.sigmoid(self.a * x.mean([1,2,3]) + self.b).unsqueeze(1)\n",
		"tuple":  "def forward(self, x: Tensor):\n    return x.mean([2,3]), torch.sigmoid(self.a * x.mean([1,2,3]) + self.b)\n",
		"dict":   "def forward(self, x: Tensor):\n    return {'features': x.mean([2,3]), 'score': torch.sigmoid(self.a * x.mean([1,2,3]) + self.b)}\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			d := open(t, s, script(t, body))
			x := s.FromFloat32s([]float32{0.1, 0.5, 0.9, 0.3, 0.2, 0.4}, 1, 3, 1, 2)
			got := d.Score(x)
			require.Equal(t, []int64{1}, got.Shape())
			want := 1 / (1 + math.Exp(-(1.7*0.4 - 0.4)))
			require.InDelta(t, want, got.Float64(), 1e-6) // float32
		})
	}
}

// The detector's gradient is known in closed form: d(1-s)/dx = -s(1-s) a / (C H W), divided by N for the mean.
func TestLossGradientClosedForm(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	d := open(t, s, script(t, sigmoidOfMean))
	x := s.Rand(nil, []int64{2, 3, 4, 5}).RequiresGrad(true)
	loss, _ := d.Loss(x, LossOptions{})
	g := torch.Grad(loss, []*torch.Tensor{x}, torch.GradOptions{})[0].Float32s()
	for i, sc := range d.Score(x).Float32s() {
		want := -float64(sc) * (1 - float64(sc)) * 1.7 / (3 * 4 * 5) / 2
		for _, v := range g[i*60 : (i+1)*60] {
			require.InDelta(t, want, v, 1e-8)
		}
	}
}

// The conversions around the detector, in float64 with a smooth score, so that central differences can follow to 1e-6:
// detectors compute in float32, whose rounding alone is larger.
func TestLossGradientFiniteDifferences(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	weights := s.Randn(nil, []int64{4, 3, 3, 3}, torch.Options{DType: torch.Float64})
	score := func(x *torch.Tensor) *torch.Tensor {
		return x.Conv2d(weights, nil, torch.ConvOptions{Padding: 1}).Tanh().MeanDim([]int64{1, 2, 3}, false).MulScalar(3).Sigmoid()
	}
	for _, f := range []Form{Linear, Log} {
		for _, scale := range []float64{1, 0.5, 0.25} {
			loss := func(x *torch.Tensor) *torch.Tensor {
				v := score(resized(Symmetric.ToUnit(x), scale, true))
				if f == Log {
					return v.AddScalar(1e-6).Log().Mean().Neg()
				}
				return v.Mean().RSubScalar(1)
			}
			x := s.Rand(nil, []int64{2, 3, 8, 12}, torch.Options{DType: torch.Float64}).MulScalar(2).SubScalar(1)
			checkGradient(t, s, x, loss)
		}
	}
}

func checkGradient(t *testing.T, s *torch.Scope, x *torch.Tensor, f func(*torch.Tensor) *torch.Tensor) {
	t.Helper()
	leaf := x.Detach().Clone().RequiresGrad(true)
	g := torch.Slice[float64](torch.Grad(f(leaf), []*torch.Tensor{leaf}, torch.GradOptions{})[0])
	v := torch.Slice[float64](x)
	const h = 1e-5 // truncation error h², rounding 1e-16/h: both below 1e-10
	var diff, norm float64
	for i := range v {
		at := func(d float64) float64 {
			w := append([]float64(nil), v...)
			w[i] += d
			return f(s.FromFloat64s(w, x.Shape()...)).Float64()
		}
		n := (at(h) - at(-h)) / (2 * h)
		diff += (n - g[i]) * (n - g[i])
		norm += g[i] * g[i]
	}
	require.Greater(t, norm, 0.0)
	require.Less(t, math.Sqrt(diff/norm), 1e-6)
}

// Without antialiasing three quarters of the pixels have no gradient at a quarter of the size; with it all have.
func TestAntialiasReachesEveryPixel(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	d := open(t, s, script(t, sigmoidOfMean))
	zeros := func(o LossOptions) int64 {
		x := s.Rand(nil, []int64{1, 3, 32, 32}).RequiresGrad(true)
		loss, _ := d.Loss(x, o)
		g := torch.Grad(loss, []*torch.Tensor{x}, torch.GradOptions{})[0]
		return g.EqScalar(0).Sum().Int64()
	}
	require.EqualValues(t, 0, zeros(LossOptions{Scales: []float64{0.25}}))
	require.EqualValues(t, 3*32*32*3/4, zeros(LossOptions{Scales: []float64{0.25}, NoAntialias: true}))
}

func TestRangeIsConverted(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	d := open(t, s, script(t, sigmoidOfMean))
	unit := s.Rand(nil, []int64{3, 3, 8, 8})
	a, _ := d.Loss(unit, LossOptions{})
	b, _ := d.Loss(unit.MulScalar(2).SubScalar(1), LossOptions{Range: Symmetric})
	require.InDelta(t, a.Float64(), b.Float64(), 1e-6)
}

func TestScalesAreAveraged(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	d := open(t, s, script(t, "def forward(self, x: Tensor):\n    return torch.sigmoid(x.std([1,2,3]) + self.a)\n"))
	x := s.Rand(nil, []int64{2, 3, 16, 16})
	var want float64
	for _, f := range []float64{1, 0.5, 0.25} {
		l, _ := d.Loss(x, LossOptions{Scales: []float64{f}})
		want += l.Float64() / 3
	}
	got, _ := d.Loss(x, LossOptions{Scales: []float64{1, 0.5, 0.25}})
	require.InDelta(t, want, got.Float64(), 1e-6)
}

func TestRefusedDetectors(t *testing.T) {
	text := filepath.Join(t.TempDir(), "notes.txt")
	require.NoError(t, os.WriteFile(text, []byte("not a network\n"), 0o644))
	const fwd = "def forward(self, x: Tensor):\n    return "
	tests := []struct{ name, path, want string }{
		{"missing", "/nonexistent/d.pt", "no such file"},
		{"text", text, "neither a TorchScript archive"},
		{"two outputs", script(t, fwd+"x.mean([2,3])[:, :2]\n"), "want one score for each"},
		{"no score key", script(t, fwd+"{'s': x.mean([1,2,3])}\n"), `want a tensor under "score"`},
		{"wrong input", script(t, "def forward(self, x: Tensor):\n    assert x.size(1) == 4\n    return x.mean([1,2,3])\n"), "cannot take images"},
		{"two inputs", script(t, "def forward(self, x: Tensor, y: Tensor):\n    return x.mean([1,2,3]) + y\n"), "cannot take images"},
		{"nan", script(t, fwd+"x.mean([1,2,3]) / 0. - x.mean([1,2,3]) / 0.\n"), "NaN"},
		{"logits", script(t, fwd+"x.mean([1,2,3]) * 10. - 8.\n"), "outside [0, 1]"},
		{"no gradient", script(t, fwd+"torch.sigmoid(x.detach().mean([1,2,3]))\n"), "no gradient"},
		{"zero gradient", script(t, fwd+"torch.sigmoid(x.mean([1,2,3]) * 0.)\n"), "zero for every probe"},
		{"string", script(t, fwd+"'yes'\n"), "returns a string"},
	}
	before := torch.LiveTensors()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			_, err := Open(s, test.path, OpenOptions{})
			require.Error(t, err)
			require.Contains(t, err.Error(), test.want)
			require.NotContains(t, err.Error(), "\n", "one line")
			require.True(t, strings.HasPrefix(err.Error(), "tigas: "))
		})
	}
	require.Equal(t, before, torch.LiveTensors())
}

// A network that cuts gradients on purpose keeps its own, whatever freezing makes of it.
func TestCutGradientsStayCut(t *testing.T) {
	for name, body := range map[string]string{
		"detach":  "    y = x * 3.\n    return torch.sigmoid((y.detach() * y).mean([1, 2, 3]))\n",
		"neither": "    return torch.sigmoid((x * x).mean([1, 2, 3]))\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			m, err := jit.Load(s, script(t, "def forward(self, x: Tensor):\n"+body), torch.CPU)
			require.NoError(t, err)
			d, err := Open(s, script(t, "def forward(self, x: Tensor):\n"+body), OpenOptions{})
			require.NoError(t, err)
			x := probes(s, OpenOptions{Height: 16, Width: 16})[1].image.Detach().Clone().RequiresGrad(true)
			want, err := gradient(m.ForwardTensor, x)
			require.NoError(t, err)
			got, err := gradient(d.score.ForwardTensor, x)
			require.NoError(t, err)
			require.InDeltaSlice(t, want.Reshape(-1).Float32s(), got.Reshape(-1).Float32s(), 1e-9)
		})
	}
}

func TestOwnNetworkAsDetector(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	n, err := network.New(s, nil, network.Arch{Base: 8, Feature: 16, Blocks: []int{1, 2}}, torch.CPU)
	require.NoError(t, err)
	m, err := n.Export(s)
	require.NoError(t, err)
	data, err := m.Bytes()
	require.NoError(t, err)
	d, err := OpenBytes(s, data, "own", OpenOptions{Logit: true})
	require.NoError(t, err)
	require.True(t, d.HasLogit())

	x := s.Rand(nil, []int64{3, 3, 20, 24}).RequiresGrad(true)
	require.InDeltaSlice(t, toFloat64(m.ForwardTensor(x)), toFloat64(d.Score(x)), 2e-6) // batch norms are folded
	// -log(sigmoid(z)) = softplus(-z)
	a, _ := d.Loss(x, LossOptions{Form: Log})
	b, _ := d.Loss(x, LossOptions{Form: Logit})
	require.InDelta(t, a.Float64(), b.Float64(), 1e-5)

	// Nothing of the detector gets a gradient, and nothing of it changes.
	before, err := d.ParamsSHA256()
	require.NoError(t, err)
	for range 3 {
		loss, _ := d.Loss(x, LossOptions{})
		torch.Backward(loss, torch.GradOptions{})
	}
	after, err := d.ParamsSHA256()
	require.NoError(t, err)
	require.Equal(t, before, after)
	params, err := d.score.Parameters(s)
	require.NoError(t, err)
	require.Empty(t, params, "frozen parameters are constants")
}

func TestTermIsAbsentAtWeightZero(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	d := open(t, s, script(t, sigmoidOfMean))
	warm, err := sched.NewLinear(0, 0.1, sched.Span{N: 10, Unit: sched.Step})
	require.NoError(t, err)
	term := Term{Detector: d, Weight: warm, Interval: sched.Interval{Every: 4, Compensate: true}}
	x := s.Rand(nil, []int64{2, 3, 8, 8})
	var sum float64
	for step := range int64(40) {
		a := term.Apply(sched.Progress{Step: step}, x)
		sum += a.Weight
		require.Equal(t, a.Weight == 0, a.Loss == nil)
		if a.Loss != nil {
			require.InDelta(t, a.Weight*a.Raw.Float64(), a.Loss.Float64(), 1e-7)
		}
	}
	require.EqualValues(t, 9, d.Calls(), "steps 4, 8, ... 36; step 0 has weight 0")
	require.InDelta(t, 4*(0.04+0.08)+4*7*0.1, sum, 1e-12)
	require.Nil(t, (*Term)(nil).Apply(sched.Progress{}, x).Loss)
}

func TestAugmentIsDifferentiableAndRepeatable(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	x := s.Rand(nil, []int64{2, 3, 16, 16}).RequiresGrad(true)
	a, b := DefaultAugment(5), DefaultAugment(5)
	for range 5 {
		y, z := a.Apply(x), b.Apply(x)
		require.Equal(t, y.Float32s(), z.Float32s())
		g := torch.Grad(y.Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0]
		require.Greater(t, g.Norm().Float64(), 0.0)
		require.GreaterOrEqual(t, y.Min().Float64(), 0.0)
		require.LessOrEqual(t, y.Max().Float64(), 1.0)
	}
}

func toFloat64(x *torch.Tensor) []float64 {
	var out []float64
	for _, v := range x.Float32s() {
		out = append(out, float64(v))
	}
	return out
}

// Weights of 1/N are the mean, for every form and over scales; other weights are the weighted sum of the single losses.
func TestWeightedLoss(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	d, err := Embedded(s, OpenOptions{Height: 32, Logit: true})
	require.NoError(t, err)
	g, err := s.NewGenerator(torch.CPU, 4)
	require.NoError(t, err)
	x := s.Rand(g, []int64{3, 3, 32, 32})
	weights := s.FromFloat32s([]float32{0.5, 0, 2}, 3)
	for _, form := range []Form{Linear, Log, Logit} {
		o := LossOptions{Form: form, Scales: []float64{1, 0.5}}
		mean, score := d.Loss(x, o)
		same, sameScore := d.WeightedLoss(x, s.Full([]int64{3}, 1.0/3), o)
		require.InEpsilon(t, mean.Float64(), same.Float64(), 1e-5, form)
		require.Equal(t, score.Float64(), sameScore.Float64())
		want := 0.0
		for i, w := range weights.Float32s() {
			one, _ := d.Loss(x.Narrow(0, int64(i), 1), o)
			want += float64(w) * one.Float64()
		}
		got, _ := d.WeightedLoss(x, weights, o)
		require.InEpsilon(t, want, got.Float64(), 1e-5, form)
	}
}
