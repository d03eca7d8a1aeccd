package trainers

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/sched"
)

func schedule(t *testing.T, kind string, steps int) *sched.Noise {
	t.Helper()
	n, err := sched.NewNoise(kind, steps)
	require.NoError(t, err)
	return n
}

// The step of the linear schedule from 500 to 499, computed in NumPy from the paper's equation 7.
func TestDDPMGolden(t *testing.T) {
	n := schedule(t, sched.LinearNoise, 1000)
	small, large := DDPM(n, 500, 499, FixedSmall), DDPM(n, 500, 499, FixedLarge)
	require.InEpsilon(t, 0.01005133578, small.Sigma*small.Sigma, 1e-9)
	require.InEpsilon(t, 0.003058057076, small.X0, 1e-9)
	require.InEpsilon(t, 0.9941043508, small.XT, 1e-9)
	require.InEpsilon(t, n.Beta(500), large.Sigma*large.Sigma, 1e-9)
	require.Equal(t, small.X0, large.X0)
	for _, v := range []Variance{FixedSmall, FixedLarge} {
		c := DDPM(n, 0, -1, v)
		require.InDeltaSlice(t, []float64{1, 0, 0}, []float64{c.X0, c.XT, c.Sigma}, 1e-12)
	}
}

// x_t = 0.3, predicted noise -0.7, from AlphaBar 0.5 to 0.8: equations 12 and 16 of Song et al. 2020, by hand.
func TestDDIMGolden(t *testing.T) {
	for eta, want := range map[float64][2]float64{
		0: {0, 0.6925228361}, 0.5: {0.1936491673, 0.7233933317}, 1: {0.3872983346, 0.8490475945},
	} {
		c := ddim(0.5, 0.8, eta)
		require.InDelta(t, want[0], c.Sigma, 1e-10)
		require.InDelta(t, want[1], 1.1242640687*c.X0-0.7*c.Noise, 1e-9)
	}
}

// For a known image the marginal of x_s must again be sqrt(a_s) x0 + sqrt(1-a_s) noise, for any step: what defines both.
func TestStepsKeepTheMarginal(t *testing.T) {
	for _, kind := range []string{sched.LinearNoise, sched.CosineNoise, sched.SigmoidNoise} {
		n := schedule(t, kind, 1000)
		for _, step := range [][2]int{{999, 998}, {999, 0}, {999, -1}, {500, 480}, {1, 0}, {0, -1}, {20, 3}} {
			at, as := n.AlphaBar(step[0]), n.AlphaBar(step[1])
			c := DDPM(n, step[0], step[1], FixedSmall)
			require.InDelta(t, math.Sqrt(as), c.X0+c.XT*math.Sqrt(at), 1e-12, "%s %v", kind, step)
			require.InDelta(t, 1-as, c.XT*c.XT*(1-at)+c.Sigma*c.Sigma, 1e-12, "%s %v", kind, step)
			for _, eta := range []float64{0, 0.3, 1} {
				d := DDIM(n, step[0], step[1], eta)
				require.InDelta(t, math.Sqrt(as), d.X0, 1e-12)
				require.InDelta(t, 1-as, d.Noise*d.Noise+d.Sigma*d.Sigma, 1e-12, "%s %v", kind, step)
			}
			require.InDelta(t, c.Sigma, DDIM(n, step[0], step[1], 1).Sigma, 1e-12)
		}
	}
}

// Whatever the network says, image and noise make up x_t again; with clip the image is in range.
func TestDenoise(t *testing.T) {
	s := scope(t)
	n := schedule(t, sched.CosineNoise, 1000)
	for _, at := range []int{0, 300, 999} {
		signal, noise := levelsOf(n, at)
		out, xt := s.Randn(nil, []int64{2, 3, 4, 4}, double), s.Randn(nil, []int64{2, 3, 4, 4}, double)
		for _, p := range predictions {
			for _, clip := range []bool{false, true} {
				d := p.Denoise(n, at, out, xt, clip)
				require.InDeltaSlice(t, torch.Slice[float64](xt),
					torch.Slice[float64](d.X0.MulScalar(signal).Add(d.Noise.MulScalar(noise))), 1e-9, "%s %d", p, at)
				if clip {
					require.LessOrEqual(t, d.X0.Abs().Max().Float64(), 1.0)
					continue
				}
				l := levels(t, s, at)
				l.Signal.Fill_(signal)
				l.Noise.Fill_(noise)
				// Divisions by 5e-5 at the last step, of sums of numbers up to 4.
				x0 := torch.Slice[float64](p.X0(out, xt, l))
				require.InDeltaSlice(t, x0, torch.Slice[float64](d.X0), 1e-9)
				require.InDeltaSlice(t, torch.Slice[float64](p.NoiseOf(out, xt, l)), torch.Slice[float64](d.Noise), 1e-9)
			}
		}
	}
}

// lucidrains' torch.linspace(-1, T-1, S+1).int() and diffusers' grids, computed with PyTorch 1.13 and NumPy 1.24.
func TestTimeGrids(t *testing.T) {
	for _, c := range []struct {
		grid         TimeGrid
		total, steps int
		want         []int
	}{
		{GridLinspace, 1000, 4, []int{999, 749, 499, 249, -1}},
		{GridLinspace, 1000, 7, []int{999, 856, 713, 570, 427, 284, 141, -1}},
		{GridLinspace, 10, 4, []int{9, 6, 4, 1, -1}},
		{GridLinspace, 7, 5, []int{6, 4, 3, 1, 0, -1}},
		{GridLeading, 1000, 4, []int{750, 500, 250, 0, -1}},
		{GridLeading, 1000, 7, []int{852, 710, 568, 426, 284, 142, 0, -1}},
		{GridLeading, 7, 5, []int{4, 3, 2, 1, 0, -1}},
		{GridTrailing, 1000, 4, []int{999, 749, 499, 249, -1}},
		{GridTrailing, 1000, 7, []int{999, 856, 713, 570, 428, 285, 142, -1}},
		{GridTrailing, 10, 4, []int{9, 7, 4, 1, -1}},
		{GridTrailing, 7, 5, []int{6, 5, 3, 2, 0, -1}},
	} {
		got, err := c.grid.Times(c.total, c.steps)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "%s %d of %d", c.grid, c.steps, c.total)
	}
	for _, g := range []TimeGrid{GridLinspace, GridLeading, GridTrailing} {
		parsed, err := ParseTimeGrid(string(g))
		require.NoError(t, err)
		require.Equal(t, g, parsed)
		for total := 1; total < 40; total++ {
			for steps := 1; steps <= total; steps++ {
				times, err := g.Times(total, steps)
				require.NoError(t, err)
				require.Len(t, times, steps+1)
				require.Less(t, times[0], total)
				for i, at := range times[1:] {
					require.Less(t, at, times[i])
				}
				if steps == total || g != GridLeading {
					require.Equal(t, total-1, times[0], "begins with the noisiest")
				}
			}
		}
		for _, steps := range []int{0, -1, 11} {
			_, err := g.Times(10, steps)
			require.EqualError(t, err, fmt.Sprintf("trainers: got %d sampling steps vs 1 to the schedule's 10", steps))
		}
	}
	_, err := TimeGrid("karras").Times(10, 5)
	require.EqualError(t, err, `trainers: got the time grid "karras" vs linspace, leading or trailing`)
}

func TestStepsRefuse(t *testing.T) {
	n := schedule(t, sched.LinearNoise, 10)
	for _, step := range [][2]int{{10, 3}, {3, 3}, {3, 4}, {3, -2}, {-1, -1}} {
		want := fmt.Sprintf("got a step from %d to %d vs one down, from at most 9 to at least -1", step[0], step[1])
		require.EqualError(t, torch.Try(func() { DDIM(n, step[0], step[1], 0) }), "torch: DDIM: "+want)
		require.EqualError(t, torch.Try(func() { DDPM(n, step[0], step[1], FixedSmall) }), "torch: DDPM: "+want)
	}
	for _, eta := range []float64{-0.1, 1.1, math.NaN()} {
		require.ErrorContains(t, torch.Try(func() { DDIM(n, 3, 2, eta) }), "vs 0 to 1")
	}
	s := scope(t)
	x := s.Randn(nil, []int64{1, 1, 2, 2}, double)
	require.ErrorContains(t, torch.Try(func() { DDIMStep(n, 3, 2, 1, Denoised{x, x}, nil) }), "got no noise vs some of deviation")
	require.ErrorContains(t, torch.Try(func() { DDPMStep(n, 3, 2, FixedSmall, x, x, nil) }), "got no noise vs some of deviation")
	require.NoError(t, torch.Try(func() { DDIMStep(n, 3, 2, 0, Denoised{x, x}, nil); DDPMStep(n, 3, -1, FixedLarge, x, x, nil) }))
	_, err := ParseVariance("learned")
	require.EqualError(t, err, `trainers: got the variance "learned" vs fixed-small or fixed-large`)
}

// levelsOf are the shares of image and noise at step t, in float64.
func levelsOf(n *sched.Noise, t int) (signal, noise float64) {
	bar := n.AlphaBar(t)
	return math.Sqrt(bar), math.Sqrt(1 - bar)
}
