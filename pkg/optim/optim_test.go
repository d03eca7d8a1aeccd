package optim_test

import (
	"errors"
	"maps"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

// all are the optimisers with every kind of state.
func all(s *torch.Scope, p []*torch.Tensor) map[string]optim.Optimizer {
	return map[string]optim.Optimizer{
		"Adam":    optim.NewAdam(s, p, optim.AdamOptions{AMSGrad: true, WeightDecay: 0.1}),
		"AdamW":   optim.NewAdamW(s, p, optim.DefaultAdamOptions()),
		"RMSprop": optim.NewRMSprop(s, p, optim.RMSpropOptions{Momentum: 0.5, Centered: true, WeightDecay: 0.1}),
		"SGD":     optim.NewSGD(s, p, optim.SGDOptions{Momentum: 0.9, Nesterov: true, WeightDecay: 0.1}),
	}
}

// A step leaves no tensor behind, whatever the optimiser, and no result lands in a sealed scope.
func TestStepsKeepMemoryFlat(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	p := params(s.Child())
	for name, opt := range all(s, p) {
		grads := []*torch.Tensor{numbers(s, 0, 1), nil, numbers(s, 2, 1)}
		opt.Step(grads)
		tensors, bytes, own := torch.LiveTensors(), torch.LiveBytes(), s.Len()
		for range 50 {
			opt.Step(grads)
			for range opt.State() {
			}
		}
		require.Equal(t, tensors, torch.LiveTensors(), name)
		require.Equal(t, bytes, torch.LiveBytes(), name)
		require.Equal(t, own, s.Len(), name)
	}
}

func TestNilGradientsDoNotAdvance(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	p := params(s.Child())
	before := p[1].Float32s()
	for name, opt := range all(s, p) {
		opt.Step([]*torch.Tensor{numbers(s, 0, 1), nil, numbers(s, 2, 1)})
		opt.Step([]*torch.Tensor{nil, nil, nil})
		state := maps.Collect(opt.State())
		for key, want := range map[string]float64{"0.step": 1, "1.step": 0, "2.step": 1} {
			require.Equal(t, want, state[key].Float64(), name+" "+key)
		}
	}
	require.Equal(t, before, p[1].Float32s())
}

func TestStepRefusesForeignGradients(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	p := params(s.Child())
	for name, opt := range all(s, p) {
		before := p[0].Float32s()
		err := torch.Try(func() { opt.Step(nil) })
		require.EqualError(t, err, "torch: "+name+".Step: got 0 gradient(s) vs 3 parameter(s)")
		err = torch.Try(func() { opt.Step([]*torch.Tensor{numbers(s, 0, 1), nil, numbers(s, 1, 1)}) })
		require.EqualError(t, err, "torch: "+name+".Step: gradient 2: got shape [4] vs []")
		require.Equal(t, before, p[0].Float32s())
		require.Zero(t, maps.Collect(opt.State())["0.step"].Float64())
	}
	for _, f := range []func(){
		func() { optim.NewAdam(s, p, optim.AdamOptions{LR: -1}) },
		func() { optim.NewAdam(s, p, optim.AdamOptions{Beta1: 1}) },
		func() { optim.NewAdamW(s, p, optim.AdamOptions{Beta2: math.NaN()}) },
		func() { optim.NewRMSprop(s, p, optim.RMSpropOptions{Alpha: 2}) },
		func() { optim.NewSGD(s, p, optim.SGDOptions{Nesterov: true}) },
	} {
		require.Error(t, torch.Try(f))
	}
}

// State saved and loaded continues as if nothing had happened, to the bit.
func TestStateRoundTrip(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	grads := func(step int) []*torch.Tensor {
		g := []*torch.Tensor{numbers(s, 0, step), numbers(s, 1, step), numbers(s, 2, step)}
		if step%2 == 0 {
			g[1] = nil
		}
		return g
	}
	p, q := params(s.Child()), params(s.Child())
	others := all(s, q)
	for name, opt := range all(s, p) {
		for step := range 5 {
			opt.Step(grads(step))
		}
		torch.NoGrad(func() {
			for i := range p {
				q[i].Copy_(p[i])
			}
		})
		dict := map[string]*torch.Tensor{}
		for key, x := range opt.State() {
			dict[key] = s.Use(x).To(torch.Float64) // another type: loading converts
		}
		require.NoError(t, others[name].LoadState(dict), name)
		for step := 5; step < 9; step++ {
			opt.Step(grads(step))
			others[name].Step(grads(step))
		}
		for i := range p {
			require.Equal(t, p[i].Float32s(), q[i].Float32s(), name)
		}

		dict["7.step"] = s.Scalar(1)
		delete(dict, "0.step")
		delete(dict, "2.step")
		for key := range dict {
			if key[:2] == "1." && key != "1.step" {
				dict[key] = s.Ones([]int64{5})
			}
		}
		var bad *optim.StateError
		require.True(t, errors.As(others[name].LoadState(dict), &bad), name)
		require.Equal(t, []string{"7.step"}, bad.Unexpected)
		require.NotEmpty(t, bad.Misshapen)
		if name != "SGD" {
			require.Equal(t, []string{"0.step", "2.step"}, bad.Missing)
		}
	}
}

func TestClipGradNormLeavesNonFiniteAlone(t *testing.T) {
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
		s := torch.NewScope()
		grads := []*torch.Tensor{s.FromFloat32s([]float32{3, 4}), s.FromFloat32s([]float32{bad})}
		norm, err := optim.ClipGradNorm(grads, 1)
		var e *optim.NonFiniteError
		require.True(t, errors.As(err, &e))
		require.False(t, norm <= math.MaxFloat64)
		require.Equal(t, []float32{3, 4}, grads[0].Float32s())
		live := torch.LiveTensors()
		n := optim.ClipGradNormTensor(s, grads, 1)
		require.Equal(t, live+1, torch.LiveTensors())
		require.False(t, n.IsFinite().Bool())
		require.Equal(t, []float32{3, 4}, grads[0].Float32s())
		s.Close()
	}
	norm, err := optim.ClipGradNorm([]*torch.Tensor{nil}, 1)
	require.NoError(t, err)
	require.Zero(t, norm)

	s := torch.NewScope()
	defer s.Close()
	g := []*torch.Tensor{s.FromFloat32s([]float32{30, 40})}
	norm, err = optim.ClipGradNorm(g, 0)
	require.NoError(t, err)
	require.Equal(t, 50.0, norm)
	require.Equal(t, []float32{30, 40}, g[0].Float32s(), "0 means no limit")
}

func TestGradsCollectsBackward(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	p := params(s.Child())
	torch.Backward(s.Use(p[0]).Square().Sum(), torch.GradOptions{})
	g := optim.Grads(s, p)
	require.Nil(t, g[1])
	require.Equal(t, s.Use(p[0]).MulScalar(2).Float32s(), g[0].Float32s())
	torch.ZeroGrad(p...)
	require.Nil(t, optim.Grads(s, p)[0])
}
