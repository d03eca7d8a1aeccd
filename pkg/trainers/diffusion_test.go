package trainers

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// Numbers of the toy detector: score = sigmoid(toyA * mean(x) + toyB).
const toyA, toyB = 1.7, -0.4

func toyDetector(t *testing.T, root *torch.Scope, size int) *tigas.Detector {
	t.Helper()
	path := filepath.Join(t.TempDir(), "detector.pt")
	require.NoError(t, torch.Scoped(func(s *torch.Scope) error {
		m, err := jit.Define(s, []jit.Named{{Name: "a", Tensor: s.Scalar(toyA)}, {Name: "b", Tensor: s.Scalar(toyB)}}, nil,
			"def forward(self, x: Tensor) -> Tensor:\n    return torch.sigmoid(self.a * x.mean([1, 2, 3]) + self.b)\n")
		if err != nil {
			return err
		}
		return m.Save(path)
	}))
	d, err := tigas.Open(root, path, tigas.OpenOptions{Height: size})
	require.NoError(t, err)
	return d
}

// stepOf is a step outside of a run.
func stepOf(t *testing.T, root *torch.Scope) *Step {
	t.Helper()
	g, err := root.NewGenerator(torch.CPU, 1)
	require.NoError(t, err)
	c, err := root.NewGenerator(torch.CPU, 2)
	require.NoError(t, err)
	return &Step{Scope: root.Child(), Noise: g, Choice: c, loop: &loop{scope: root, stats: newStats(root), s: state{Skipped: map[string]int{}}}}
}

// The term's gradient with respect to the network's output goes through the reconstructed image, weighted by AlphaBar, for
// the images below the limit and no others: a closed form, because the toy detector's score is a function of the mean.
func TestDiffusionTermGradient(t *testing.T) {
	const weight, size = 0.05, 8
	timesteps := []int{0, 150, 199, 200, 700, 999}
	for _, predict := range []Prediction{PredictNoise, PredictV, PredictX0} {
		for _, schedule := range []string{sched.LinearNoise, sched.CosineNoise} {
			t.Run(string(predict)+" "+schedule, func(t *testing.T) {
				root := scope(t)
				detector := toyDetector(t, root, size)
				o := tinyDiffusion()
				o.Resolution, o.UNet.Resolution = size, size
				o.Predict, o.Schedule, o.MaxTimestep, o.Term = predict, schedule, 200, constantTerm(detector, weight)
				d, err := NewDiffusion(root, nil, o, torch.CPU)
				require.NoError(t, err)
				st := stepOf(t, root)
				n := int64(len(timesteps))
				plan := d.plan(st, timesteps)
				levels := plan.levels
				want := LevelsAt(st.Scope, d.noise, timesteps, torch.CPU)
				require.True(t, want.Signal.Eq(levels.Signal).All().Bool() && want.Noise.Eq(levels.Noise).All().Bool())
				// Images within (-1, 1) and the outputs that stand for them, but for the second, which overshoots: its
				// gradient must pass the clamp.
				x0 := st.Scope.Rand(st.Noise, []int64{n, 3, size, size}).SubScalar(0.5)
				noise := st.Scope.Randn(st.Noise, x0.Shape())
				noisy := levels.AddNoise(x0, noise)
				out := predict.Target(x0, noise, levels)
				if predict == PredictX0 {
					out = out.Mul(st.Scope.FromFloat32s([]float32{1, 5, 1, 1, 1, 1}, n, 1, 1, 1))
				}
				out = out.Detach().RequiresGrad(true)
				require.Equal(t, []int64{3}, plan.scored.Shape())
				loss := d.term(st, plan, out, noisy).Loss
				g := torch.Grad(loss, []*torch.Tensor{out}, torch.GradOptions{})[0]

				seen := predict.X0(out, noisy, levels).Detach().Clamp(-1, 1).AddScalar(1).MulScalar(0.5)
				wantLoss := 0.0
				for i, at := range timesteps {
					got := g.Select(0, int64(i))
					if at >= 200 {
						require.Zero(t, got.Abs().Max().Float64(), "timestep %d has a gradient", at)
						continue
					}
					score := 1 / (1 + math.Exp(-toyA*seen.Select(0, int64(i)).Mean().Float64()-toyB))
					a := d.noise.AlphaBar(at)
					wantLoss += weight * a / float64(n) * (1 - score)
					through := map[Prediction]float64{PredictNoise: -math.Sqrt((1 - a) / a), PredictV: -math.Sqrt(1 - a), PredictX0: 1}[predict]
					want := -weight * a / float64(n) * score * (1 - score) * toyA / (3 * size * size) * 0.5 * through
					require.NotZero(t, want)
					// One float32 sigmoid and some products.
					require.InEpsilon(t, want, got.Min().Float64(), 1e-4, "timestep %d", at)
					require.InEpsilon(t, want, got.Max().Float64(), 1e-4, "timestep %d", at)
				}
				require.InEpsilon(t, wantLoss, loss.Float64(), 1e-5)
			})
		}
	}
}

// Where no image of a batch qualifies the detector is not run; each image is judged by its own timestep, not by the first.
func TestDiffusionTermGate(t *testing.T) {
	root := scope(t)
	detector := toyDetector(t, root, 8)
	o := tinyDiffusion()
	o.Resolution, o.UNet.Resolution = 8, 8
	o.MaxTimestep, o.Term = 200, constantTerm(detector, 0.05)
	d, err := NewDiffusion(root, nil, o, torch.CPU)
	require.NoError(t, err)
	st := stepOf(t, root)
	run := func(timesteps ...int) bool {
		plan := d.plan(st, timesteps)
		if plan.scored == nil {
			return false
		}
		x := st.Scope.Zeros([]int64{int64(len(timesteps)), 3, 8, 8}).RequiresGrad(true)
		return d.term(st, plan, x, x).Loss != nil
	}
	calls := detector.Calls()
	require.False(t, run(200, 500, 999))
	require.Equal(t, calls, detector.Calls(), "the detector was run for nothing")
	require.True(t, run(999, 500, 199), "the first image must not decide for the batch")
	require.True(t, run(0, 999))
	require.Equal(t, calls+2, detector.Calls())
	o.Term.Weight = sched.Constant{}
	d.o = o
	require.False(t, run(0), "weight 0")
	require.Equal(t, calls+2, detector.Calls())
}

// The loss weighs timesteps as its name says, and the quarters are means of the squared errors in them.
func TestDiffusionPlan(t *testing.T) {
	root := scope(t)
	timesteps := []int{10, 260, 240, 990}
	for _, w := range []LossWeight{UniformWeight, MinSNR, NoiseWeight} {
		o := tinyDiffusion()
		o.LossWeight = w
		d, err := NewDiffusion(root, nil, o, torch.CPU)
		require.NoError(t, err)
		st := stepOf(t, root)
		plan := d.plan(st, timesteps)
		require.Equal(t, []float32{10, 260, 240, 990}, plan.timesteps.Float32s())
		require.Nil(t, plan.scored, "no detector")
		for i, at := range timesteps {
			snr := d.noise.SNR(at)
			switch w {
			case UniformWeight:
				require.Nil(t, plan.weights)
			case MinSNR:
				require.InEpsilon(t, min(snr, 5)/(snr+1), plan.weights.Float32s()[i], 1e-6)
			case NoiseWeight:
				require.InEpsilon(t, snr/(snr+1), plan.weights.Float32s()[i], 1e-6)
			}
		}
		out := st.Scope.FromFloat32s([]float32{1, 2, 3, 4}, 4, 1, 1, 1)
		plan.reportQuarters(st, out, out.ZerosLike())
		got := map[string]float64{}
		for _, v := range st.loop.stats.take() {
			got[v.Name] = v.Value
		}
		require.Equal(t, map[string]float64{"mse_q0": 5, "mse_q1": 4, "mse_q3": 16}, got) // (1 + 9) / 2, 4, none, 16
	}
}

// By default images are scored as far as they can be judged: the timesteps are those of the noise schedule's closed forms.
func TestDiffusionTermLimit(t *testing.T) {
	for _, c := range []struct {
		schedule string
		predict  Prediction
		want     int
	}{
		{sched.LinearNoise, PredictNoise, 259}, {sched.CosineNoise, PredictNoise, 496},
		{sched.LinearNoise, PredictV, 368}, {sched.CosineNoise, PredictV, 664}, {sched.CosineNoise, PredictX0, 664},
	} {
		o := DefaultDiffusionOptions()
		o.Schedule, o.Predict = c.schedule, c.predict
		n, err := sched.NewNoise(o.Schedule, o.Timesteps)
		require.NoError(t, err)
		require.Equal(t, c.want, o.TermLimit(n), "%s %s", c.schedule, c.predict)
		o.MaxTimestep = 200
		require.Equal(t, 200, o.TermLimit(n))
	}
}

// Timesteps are uniform over the whole process.
func TestDiffusionTimesteps(t *testing.T) {
	root := scope(t)
	o := tinyDiffusion()
	o.Timesteps, o.MaxTimestep = 10, 0
	d, err := NewDiffusion(root, nil, o, torch.CPU)
	require.NoError(t, err)
	counts := make([]float64, 10)
	const n = 20_000
	for _, at := range d.draw(stepOf(t, root), n) {
		counts[at]++
	}
	for at, c := range counts {
		// Five standard deviations of a binomial.
		require.InDelta(t, n/10, c, 5*math.Sqrt(n*0.1*0.9), "timestep %d", at)
	}
}
