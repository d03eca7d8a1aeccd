package optim_test

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

// array is a tensor in optim.json.
type array struct {
	Shape []int64   `json:"shape"`
	Data  []float64 `json:"data"`
}

func (a array) tensor(s *torch.Scope) *torch.Tensor {
	return s.FromFloat64s(a.Data, append([]int64{}, a.Shape...)...).To(torch.Float32)
}

func (a array) equal(t *testing.T, got *torch.Tensor, what string) {
	t.Helper()
	require.Equal(t, append([]int64{}, a.Shape...), got.Shape(), what)
	for i, v := range got.Float32s() {
		// The numbers are up to 2 in size; a hundred steps of float32 leave less than 1e-6.
		require.InDelta(t, a.Data[i], v, 1e-6, "%s, element %d", what, i)
	}
}

type saved struct {
	Step   int              `json:"step"`
	Params []array          `json:"params"`
	State  map[string]array `json:"state"`
}

type runCase struct {
	Name    string `json:"name"`
	Class   string `json:"class"`
	Options struct {
		LR       float64   `json:"lr"`
		Betas    []float64 `json:"betas"`
		Alpha    float64   `json:"alpha"`
		Eps      float64   `json:"eps"`
		Decay    float64   `json:"weight_decay"`
		Momentum float64   `json:"momentum"`
		Damp     float64   `json:"dampening"`
		Nesterov bool      `json:"nesterov"`
		Centered bool      `json:"centered"`
		AMSGrad  bool      `json:"amsgrad"`
	} `json:"options"`
	Saved []saved `json:"saved"`

	capturable bool // of ours
}

func fixtures(t *testing.T) (f struct {
	Runs  []runCase `json:"runs"`
	Clips []struct {
		Max   float64 `json:"max"`
		Norm  float64 `json:"norm"`
		Grads []array `json:"grads"`
	} `json:"clips"`
}) {
	t.Helper()
	data, err := os.ReadFile("testdata/optim.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &f))
	return f
}

var shapes = [][]int64{{2, 3}, {4}, {}}

// numbers is the formula of make_optim.py: gradient i at step t, or the initial value at step 0.
func numbers(s *torch.Scope, i, t int) *torch.Tensor {
	n := 1
	for _, d := range shapes[i] {
		n *= int(d)
	}
	data := make([]float64, n)
	for k := range data {
		data[k] = math.Sin(0.37*float64(t*(k+1))+1.3*float64(i)+0.7*float64(k))*(0.1+0.05*float64(t%7)) + 0.3*float64(i-1)
	}
	return s.FromFloat64s(data, shapes[i]...).To(torch.Float32)
}

func params(s *torch.Scope) []*torch.Tensor {
	var l []*torch.Tensor
	for i := range shapes {
		l = append(l, numbers(s, i, 0).RequiresGrad(true))
	}
	s.Seal()
	return l
}

func (c runCase) optimizer(s *torch.Scope, params []*torch.Tensor) optim.Optimizer {
	o := c.Options
	switch c.Class {
	case "SGD":
		return optim.NewSGD(s, params, optim.SGDOptions{LR: o.LR, Momentum: o.Momentum, Dampening: o.Damp,
			Nesterov: o.Nesterov, WeightDecay: o.Decay})
	case "RMSprop":
		return optim.NewRMSprop(s, params, optim.RMSpropOptions{LR: o.LR, Alpha: o.Alpha, Eps: o.Eps, WeightDecay: o.Decay,
			Momentum: o.Momentum, Centered: o.Centered})
	}
	a := optim.DefaultAdamOptions()
	a.LR, a.WeightDecay, a.AMSGrad, a.Capturable = o.LR, o.Decay, o.AMSGrad, c.capturable
	if o.Betas != nil {
		a.Beta1, a.Beta2 = o.Betas[0], o.Betas[1]
	}
	if o.Eps != 0 {
		a.Eps = o.Eps
	}
	if c.Class == "AdamW" {
		return optim.NewAdamW(s, params, a)
	}
	return optim.NewAdam(s, params, a)
}

// steps makes steps from to to of the script.
func (c runCase) steps(s *torch.Scope, opt optim.Optimizer, from, to int) {
	for t := from; t <= to; t++ {
		s := s.Child()
		grads := make([]*torch.Tensor, len(shapes))
		for i := range grads {
			if i != 1 || t%3 != 0 {
				grads[i] = numbers(s, i, t)
			}
		}
		opt.SetLR(c.Options.LR)
		if t >= 51 {
			opt.SetLR(c.Options.LR / 10)
		}
		opt.Step(grads)
		s.Close()
	}
}

func (c saved) equal(t *testing.T, params []*torch.Tensor, opt optim.Optimizer) {
	t.Helper()
	for i, p := range params {
		c.Params[i].equal(t, p, c.name(i))
	}
	got := maps.Collect(opt.State())
	for name, a := range c.State {
		require.Contains(t, got, name)
		a.equal(t, got[name], name)
	}
	for name := range got {
		if _, ok := opt.(*optim.SGD); ok && strings.HasSuffix(name, ".step") {
			continue // PyTorch does not save it
		}
		require.Contains(t, c.State, name)
	}
}

func (c saved) name(i int) string { return "parameter " + string(rune('0'+i)) }

// Parameters and state are PyTorch's after 1, 10 and 100 steps, with a parameter that is skipped now and then and a
// learning rate that changes; and so they are when PyTorch's state after 10 steps is loaded.
func TestOptimizersMatchPyTorch(t *testing.T) {
	runs := fixtures(t).Runs
	for _, c := range runs {
		if strings.HasPrefix(c.Class, "Adam") {
			c.Name, c.capturable = c.Name+", capturable", true
			runs = append(runs, c)
		}
	}
	for _, c := range runs {
		t.Run(c.Name, func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			p := params(s.Child())
			opt := c.optimizer(s, p)
			require.Equal(t, c.Options.LR, opt.LR())
			done := 0
			for _, want := range c.Saved {
				c.steps(s, opt, done+1, want.Step)
				done = want.Step
				want.equal(t, p, opt)
			}

			at, end := c.Saved[1], c.Saved[2]
			p = params(s.Child())
			torch.NoGrad(func() {
				for i := range p {
					p[i].Copy_(at.Params[i].tensor(s))
				}
			})
			opt = c.optimizer(s, p)
			dict := map[string]*torch.Tensor{}
			for name, a := range at.State {
				dict[name] = a.tensor(s)
			}
			require.NoError(t, opt.LoadState(dict))
			c.steps(s, opt, at.Step+1, end.Step)
			for i := range p {
				end.Params[i].equal(t, p[i], end.name(i)+" after loading")
			}
		})
	}
}

func TestClipGradNormMatchesPyTorch(t *testing.T) {
	for _, c := range fixtures(t).Clips {
		s := torch.NewScope()
		var grads, copies []*torch.Tensor
		for i := range shapes {
			grads = append(grads, numbers(s, i, 5))
			copies = append(copies, numbers(s, i, 5))
		}
		grads, copies = slices.Insert(grads, 1, nil), slices.Insert(copies, 1, nil)
		norm, err := optim.ClipGradNorm(grads, c.Max)
		require.NoError(t, err)
		require.InDelta(t, c.Norm, norm, 1e-6)
		require.InDelta(t, c.Norm, optim.ClipGradNormTensor(s, copies, c.Max).Float64(), 1e-6)
		for i, a := range c.Grads {
			if i > 0 {
				i++
			}
			a.equal(t, grads[i], "gradient")
			a.equal(t, copies[i], "gradient")
		}
		s.Close()
	}
}
