package trainers

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/sched"
)

// gaussian is the best possible denoiser for pixels that are independent and normal with a mean and deviation: with
// x_t = a x_0 + b noise, E[x_0 | x_t] = m + a sd² / (a² sd² + b²) (x_t - a m).
func gaussian(n *sched.Noise, p Prediction, mean, sd float64) func(x, t *torch.Tensor) *torch.Tensor {
	return func(x, t *torch.Tensor) *torch.Tensor {
		a, b := levelsOf(n, int(t.Narrow(0, 0, 1).Int64()))
		x0 := x.SubScalar(a * mean).MulScalar(a * sd * sd / (a*a*sd*sd + b*b)).AddScalar(mean)
		eps := x.Sub(x0.MulScalar(a)).DivScalar(b)
		switch p {
		case PredictNoise:
			return eps
		case PredictX0:
			return x0
		}
		return eps.MulScalar(a).Sub(x0.MulScalar(b))
	}
}

func rng(t *testing.T, s *torch.Scope, seed int64) *torch.Generator {
	t.Helper()
	g, err := s.NewGenerator(torch.CPU, seed)
	require.NoError(t, err)
	return g
}

// DDIM without noise moves each point along an ordinary differential equation, whose solution for normal data is known:
// deviations from the mean are scaled. The error falls with the number of steps.
func TestDDIMSolvesGaussian(t *testing.T) {
	const mean, sd = 0.3, 0.4
	s := scope(t)
	start := s.FromFloat64s([]float64{-3, -1, 0, 0.5, 2}, 5, 1, 1, 1)
	for _, kind := range []string{sched.LinearNoise, sched.CosineNoise} {
		n := schedule(t, kind, 1000)
		a, b := levelsOf(n, 999)
		var want []float64
		for _, x := range torch.Slice[float64](start) {
			want = append(want, mean+sd*(x-a*mean)/math.Sqrt(a*a*sd*sd+b*b))
		}
		for _, p := range predictions {
			d := DiffusionSampler{Denoiser: gaussian(n, p, mean, sd), Noise: n, Prediction: p, Steps: 1000}
			worst := func(steps int) float64 {
				d.Steps = steps
				e := 0.0
				for i, v := range torch.Slice[float64](denoised(t, d, start, nil)) {
					e = max(e, math.Abs(v-want[i]))
				}
				return e
			}
			e50, e1000 := worst(50), worst(1000)
			require.Less(t, e1000, 0.012, "%s %s", kind, p) // first order: 0.2 in 50 steps would be 0.01
			require.Less(t, e1000, e50/5, "%s %s", kind, p)
		}
	}
}

// moments are the mean and deviation of what a sampler makes of standard normal noise with [gaussian], exactly: every step
// is x_s = A x_t + B + Sigma z.
func moments(t *testing.T, d DiffusionSampler, m, sd float64) (mean, deviation float64) {
	t.Helper()
	d = d.Resolve()
	times, err := d.Grid.Times(d.Noise.Steps(), d.Steps)
	require.NoError(t, err)
	variance := 1.0
	for i, at := range times[:len(times)-1] {
		a, b := levelsOf(d.Noise, at)
		k := a * sd * sd / (a*a*sd*sd + b*b)
		x0, slope, sigma := m+k*(mean-a*m), 0.0, 0.0
		if s := times[i+1]; d.Method == MethodDDPM {
			c := DDPM(d.Noise, at, s, d.Variance)
			mean, slope, sigma = c.X0*x0+c.XT*mean, c.X0*k+c.XT, c.Sigma
		} else {
			c := DDIM(d.Noise, at, s, d.Eta)
			mean, slope, sigma = c.X0*x0+c.Noise*(mean-a*x0)/b, c.X0*k+c.Noise*(1-a*k)/b, c.Sigma
		}
		variance = slope*slope*variance + sigma*sigma
	}
	return mean, math.Sqrt(variance)
}

// Samples have the data's mean and deviation, for both methods, all predictions and schedules: within what few steps cost,
// which is known, and which many steps do away with.
func TestSamplersReproduceGaussian(t *testing.T) {
	const mean, sd, count = 0.3, 0.4, 64 * 16 * 16
	s := scope(t)
	for _, kind := range []string{sched.LinearNoise, sched.CosineNoise} {
		n := schedule(t, kind, 1000)
		for i, p := range predictions {
			for _, d := range []DiffusionSampler{
				{Steps: 50}, {Steps: 50, Eta: 0.5}, {Method: MethodDDPM, Steps: 100},
				{Method: MethodDDPM, Steps: 100, Variance: FixedLarge},
			} {
				d.Denoiser, d.Noise, d.Prediction = gaussian(n, p, mean, sd), n, p
				all := d
				all.Steps = 1000
				m, deviation := moments(t, all, mean, sd)
				require.InDelta(t, mean, m, 0.01*sd, "%s %v", kind, d.Method) // the start has none of the mean, x_T 0.6 %
				require.InDelta(t, sd, deviation, 0.01*sd, "%s %v", kind, d.Method)
				m, deviation = moments(t, d, mean, sd)
				require.InDelta(t, sd, deviation, 0.1*sd, "%s %v", kind, d.Method)
				g := rng(t, s, int64(100+i))
				err := s.Scoped(func(s *torch.Scope) error {
					x := denoised(t, d, s.Randn(g, []int64{64, 1, 16, 16}, double), g)
					// Four deviations of the estimates.
					require.InDelta(t, m, x.Mean().Float64(), 4*sd/math.Sqrt(count), "%s %s %v", kind, p, d.Method)
					require.InDelta(t, deviation, x.Std(true).Float64(), 4*sd/math.Sqrt(2*count), "%s %s %v", kind, p, d.Method)
					return nil
				})
				require.NoError(t, err)
			}
		}
	}
}

// With eta 1 and all steps, DDIM is DDPM with the small variance, step for step: the same noise gives the same images.
func TestDDIMWithNoiseIsDDPM(t *testing.T) {
	s := scope(t)
	for _, kind := range []string{sched.LinearNoise, sched.CosineNoise} {
		n := schedule(t, kind, 60)
		for _, p := range predictions {
			for _, clip := range []bool{false, true} {
				run := func(method string) (steps [][]float64) {
					g := rng(t, s, 7)
					net := gaussian(n, p, 0.9, 0.4) // near the limit, so that clipping happens
					d := DiffusionSampler{Noise: n, Prediction: p, Method: method, Steps: 60, Eta: 1, Clip: clip, Chunk: 2}
					d.Denoiser = func(x, t *torch.Tensor) *torch.Tensor {
						steps = append(steps, torch.Slice[float64](x))
						return net(x, t)
					}
					return append(steps, torch.Slice[float64](denoised(t, d, s.Randn(g, []int64{2, 1, 4, 4}, double), g)))
				}
				ddim, ddpm := run(MethodDDIM), run(MethodDDPM)
				require.Len(t, ddim, 61)
				for i := range ddim {
					require.InDeltaSlice(t, ddpm[i], ddim[i], 1e-9, "%s %s step %d", kind, p, i)
				}
			}
		}
	}
}

// Image i is the same whatever the number of images, below a chunk and above, and only a seed changes it.
func TestSamplesDoNotDependOnTheBatch(t *testing.T) {
	s := scope(t)
	n := schedule(t, sched.CosineNoise, 20)
	start := s.Randn(rng(t, s, 1), []int64{11, 2, 3, 3}, double)
	for _, d := range []DiffusionSampler{{Method: MethodDDIM, Steps: 10, Eta: 1}, {Method: MethodDDPM}, {Steps: 5}} {
		d.Denoiser, d.Noise, d.Prediction, d.Chunk = gaussian(n, PredictV, 0.1, 0.5), n, PredictV, 4
		all := torch.Slice[float64](denoised(t, d, start, rng(t, s, 2)))
		require.Len(t, all, 11*18)
		for _, count := range []int64{1, 3, 4, 5, 8, 10} {
			some := torch.Slice[float64](denoised(t, d, start.Narrow(0, 0, count), rng(t, s, 2)))
			require.Equal(t, all[:count*18], some)
		}
		other := torch.Slice[float64](denoised(t, d, start, rng(t, s, 3)))
		require.Equal(t, !d.Stochastic(), other[0] == all[0])
	}
}

// Every step finds as many tensors as the one before, and only the images are left at the end, in the scope of the start.
func TestSamplerMemory(t *testing.T) {
	root := scope(t)
	n := schedule(t, sched.LinearNoise, 1000)
	net := gaussian(n, PredictNoise, 0, 1)
	for _, d := range []DiffusionSampler{{Steps: 40, Eta: 0.5}, {Method: MethodDDPM, Steps: 40}} {
		d.Noise, d.Prediction, d.Clip, d.Chunk = n, PredictNoise, true, 8
		var live []int64
		var types []torch.DType
		w := root.Randn(nil, []int64{1, 1, 1, 1}).RequiresGrad(true)
		d.Denoiser = func(x, t *torch.Tensor) *torch.Tensor {
			types = append(types, t.DType())
			live = append(live, torch.LiveBytes())
			return net(x, t).Mul(w)
		}
		start := root.Randn(nil, []int64{6, 3, 4, 4})
		before := torch.LiveTensors()
		x := denoised(t, d, start, nil)
		require.Equal(t, before+1, torch.LiveTensors())
		require.Same(t, root, x.Scope())
		require.False(t, x.IsGradRequired())
		require.LessOrEqual(t, x.Abs().Max().Float64(), 1.0)
		require.Len(t, live, 40)
		require.Equal(t, torch.Int64, types[0])
		for _, b := range live[1:] {
			require.Equal(t, live[0], b)
		}
	}
}

// The denoiser may return a tensor of another scope, even one that it keeps.
func TestSamplerLeavesTheDenoisersTensors(t *testing.T) {
	root := scope(t)
	answer := root.Full([]int64{2, 1, 2, 2}, 0.25, double)
	n := schedule(t, sched.LinearNoise, 10)
	d := DiffusionSampler{Noise: n, Prediction: PredictX0, Denoiser: func(x, t *torch.Tensor) *torch.Tensor { return answer }}
	err := root.Scoped(func(s *torch.Scope) error {
		require.Equal(t, 0.25, denoised(t, d, s.Randn(nil, []int64{2, 1, 2, 2}, double), nil).Mean().Float64())
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 0.25, answer.Mean().Float64())
}

func TestDiffusionSamplerRefuses(t *testing.T) {
	s := scope(t)
	n := schedule(t, sched.LinearNoise, 10)
	good := DiffusionSampler{Denoiser: gaussian(n, PredictV, 0, 1), Noise: n, Prediction: PredictV}
	require.NoError(t, good.Validate())
	require.Equal(t, 10, good.Resolve().Steps)
	for want, change := range map[string]func(d *DiffusionSampler){
		"diffusion sampler: got no denoiser or no noise schedule vs both": func(d *DiffusionSampler) { d.Denoiser = nil },
		`got the sampling method "heun" vs ddim or ddpm`:                  func(d *DiffusionSampler) { d.Method = "heun" },
		"got eta 2 vs 0 to 1":                                    func(d *DiffusionSampler) { d.Eta = 2 },
		"got chunks of -1 images vs 1 or more":                   func(d *DiffusionSampler) { d.Chunk = -1 },
		`got the prediction "" vs eps, v or x0`:                  func(d *DiffusionSampler) { d.Prediction = "" },
		`got the variance "x" vs fixed-small or fixed-large`:     func(d *DiffusionSampler) { d.Variance = "x" },
		"got 11 sampling steps vs 1 to the schedule's 10":        func(d *DiffusionSampler) { d.Steps = 11 },
		`got the time grid "x" vs linspace, leading or trailing`: func(d *DiffusionSampler) { d.Grid = "x" },
	} {
		d := good
		change(&d)
		require.EqualError(t, d.Validate(), "trainers: "+want)
		_, err := d.Sample(t.Context(), s.Randn(nil, []int64{1, 1, 2, 2}), nil)
		require.ErrorContains(t, err, want)
	}
	d := good
	d.Noise = nil
	require.ErrorContains(t, d.Validate(), "no noise schedule")
	for _, shape := range [][]int64{{1, 2, 2}, {0, 1, 2, 2}} {
		require.ErrorContains(t, torch.Try(func() { denoised(t, good, s.Randn(nil, shape), nil) }), "vs noise [N C H W]")
	}
	sealed := s.Child()
	x := sealed.Randn(nil, []int64{1, 1, 2, 2})
	sealed.Seal()
	require.ErrorIs(t, torch.Try(func() { denoised(t, good, x, nil) }), torch.ErrSealed)
}

// A signal ends sampling between two steps.
func TestDiffusionSamplerStops(t *testing.T) {
	s := scope(t)
	n := schedule(t, sched.LinearNoise, 10)
	ctx, cancel := context.WithCancel(t.Context())
	calls, net := 0, gaussian(n, PredictV, 0, 1)
	d := DiffusionSampler{Noise: n, Prediction: PredictV, Steps: 10, Denoiser: func(x, at *torch.Tensor) *torch.Tensor {
		if calls++; calls == 3 {
			cancel()
		}
		return net(x, at)
	}}
	live := s.Len()
	start := s.Randn(nil, []int64{2, 1, 2, 2}, double)
	_, err := d.Sample(ctx, start, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 3, calls)
	require.Equal(t, live+1, s.Len(), "something was left in the scope")
}

// denoised is what a sampler makes of noise.
func denoised(t *testing.T, d DiffusionSampler, start *torch.Tensor, noise *torch.Generator) *torch.Tensor {
	t.Helper()
	x, err := d.Sample(t.Context(), start, noise)
	require.NoError(t, err)
	return x
}
