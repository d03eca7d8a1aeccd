package models

import (
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// TimestepEmbedding is the sinusoidal embedding of timesteps [N], integers or not, as float32 [N, dim]: sines and then
// cosines of the timestep times dim/2 frequencies that fall from 1 in equal ratios,
//
//	f_i = 10000^(-i / (dim/2 - freqShift))     0 <= i < dim/2
//
// or cosines first with flipSinToCos. Ho et al. 2020 (after Vaswani et al. 2017) have freqShift 1, with which the last
// frequency is 1/10000; most of diffusers' networks have 0 and flipSinToCos. It is computed in float32, as there, so that
// trained weights find what they were trained on. It panics unless dim is even and positive, and freqShift below dim/2.
func TimestepEmbedding(timesteps *torch.Tensor, dim int64, flipSinToCos bool, freqShift float64) *torch.Tensor {
	if half := dim / 2; dim < 2 || dim%2 != 0 || freqShift >= float64(half) {
		panic(&torch.Error{Op: "TimestepEmbedding", Msg: fmt.Sprintf(
			"got size %d, frequency shift %g vs an even size and a shift below half of it", dim, freqShift)})
	}
	return within(torch.ScopeOf("TimestepEmbedding", timesteps), func(s *torch.Scope) *torch.Tensor {
		// 0, 1, 2, ... from the timesteps: wherever they are, in a traced network too.
		f := torch.Call("aten::cumsum", torch.Call("aten::new_ones", s.Use(timesteps), []int64{dim / 2}, torch.Float32), 0).AddScalar(-1)
		f = f.MulScalar(-math.Log(10000)).DivScalar(float64(dim/2) - freqShift).Exp()
		angle := s.Use(timesteps).To(torch.Float32).Unsqueeze(1).Mul(f)
		if flipSinToCos {
			return torch.Cat([]*torch.Tensor{angle.Cos(), angle.Sin()}, 1)
		}
		return torch.Cat([]*torch.Tensor{angle.Sin(), angle.Cos()}, 1)
	})
}

// unetTime maps timesteps to what the blocks are told: the sinusoidal embedding, and two layers with SiLU between them.
type unetTime struct {
	Linear1 *nn.Linear `torch:"linear_1"`
	Linear2 *nn.Linear `torch:"linear_2"`
	flip    bool
	shift   float64
}

func newUNetTime(b nn.Builder, c UNetConfig) *unetTime {
	n := int64(c.Channels[0])
	return &unetTime{nn.NewLinear(b, n, 4*n), nn.NewLinear(b, 4*n, 4*n), c.FlipSinToCos, c.FreqShift}
}

// forward maps [N] to [N, 4 C] in a type.
func (l *unetTime) forward(timesteps *torch.Tensor, d torch.DType) *torch.Tensor {
	e := TimestepEmbedding(timesteps, l.Linear1.Weight.Size(1), l.flip, l.shift)
	return l.Linear2.Forward(l.Linear1.Forward(e.To(d)).SiLU())
}
