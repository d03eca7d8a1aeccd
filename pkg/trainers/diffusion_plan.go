package trainers

import (
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// diffusionPlan is what the timesteps of a batch decide. All of it depends on numbers that the host has, and goes to the
// device in one piece, before the network is called.
type diffusionPlan struct {
	timesteps *torch.Tensor // [N]
	levels    NoiseLevels
	weights   *torch.Tensor    // [N], of the loss; nil for 1
	quarters  [4]*torch.Tensor // [N], 1/k for the k images in this quarter of the timesteps, else 0; nil for none

	scored        *torch.Tensor // int64 [k], the images that the TIGAS term scores; nil when it is absent
	scoredWeights *torch.Tensor // [k]
}

// quarters are the names of the mean squared errors by timestep, as improved-diffusion logs them.
var quarters = [4]string{"mse_q0", "mse_q1", "mse_q2", "mse_q3"}

// plan makes the plan of a step.
func (d *Diffusion) plan(st *Step, timesteps []int) *diffusionPlan {
	n := len(timesteps)
	// Rows of one matrix.
	const at, signal, noise, weight, index, share, quarter = 0, 1, 2, 3, 4, 5, 6
	rows := make([]float32, (quarter+4)*n)
	row := func(r int) []float32 { return rows[r*n : (r+1)*n] }
	var in [4]float32
	for _, t := range timesteps {
		in[4*t/d.o.Timesteps]++
	}
	due, k := d.o.Term.Due(st.Progress) != 0, 0
	for i, t := range timesteps {
		bar := d.noise.AlphaBar(t)
		row(at)[i], row(signal)[i], row(noise)[i] = float32(t), float32(math.Sqrt(bar)), float32(math.Sqrt(1-bar))
		row(weight)[i] = float32(d.o.weight(d.noise, t))
		q := 4 * t / d.o.Timesteps
		row(quarter + q)[i] = 1 / in[q]
		if due && t < d.limit {
			row(index)[k], row(share)[k] = float32(i), float32(bar/float64(n))
			k++
		}
	}
	m := st.Scope.FromFloat32s(rows, quarter+4, int64(n)).ToDevice(d.device).Unbind(0)
	p := &diffusionPlan{timesteps: m[at], levels: NoiseLevels{m[signal].Reshape(-1, 1, 1, 1), m[noise].Reshape(-1, 1, 1, 1)}}
	if d.o.LossWeight != UniformWeight {
		p.weights = m[weight]
	}
	for q := range p.quarters {
		if in[q] > 0 {
			p.quarters[q] = m[quarter+q]
		}
	}
	if k > 0 {
		p.scored = m[index].Narrow(0, 0, int64(k)).To(torch.Int64)
		p.scoredWeights = m[share].Narrow(0, 0, int64(k))
	}
	return p
}

// reportQuarters logs the error without weights for each quarter of the timesteps: the first is about detail, the last about
// what there is at all.
func (p *diffusionPlan) reportQuarters(st *Step, out, target *torch.Tensor) {
	torch.NoGrad(func() {
		each := out.Sub(target).Square().Flatten(1).MeanDim([]int64{1}, false)
		for q, share := range p.quarters {
			if share != nil {
				st.Report(quarters[q], each.Mul(share).Sum())
			}
		}
	})
}
