//go:build gotorch

package gotorch_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	gt "github.com/wangkuiyi/gotorch"
	gnn "github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"
	"github.com/wangkuiyi/gotorch/nn/initializer"

	"github.com/tigas-train/tigas-train/cgo/torch"
	bridge "github.com/tigas-train/tigas-train/pkg/gotorch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

var (
	_ models.Generator = (*bridge.Net)(nil)
	_ models.Critic    = (*bridge.Net)(nil)
	_ nn.Parent        = (*bridge.Net)(nil)
	_ nn.Trainable     = (*bridge.Net)(nil)
)

func relu() *gnn.FunctionalModule {
	return gnn.Functional(func(x gt.Tensor) gt.Tensor { return F.Relu(x, false) })
}

// tied holds one parameter twice, and more parts than there are digits.
type tied struct {
	gnn.Module
	W, V   gt.Tensor
	Absent gt.Tensor
	Layers []*gnn.LinearModule
}

func newTied() *tied {
	w := gt.RandN([]int64{2}, true)
	m := &tied{W: w, V: w}
	for range 11 {
		m.Layers = append(m.Layers, gnn.Linear(2, 2, false))
	}
	m.Init(m)
	return m
}

func TestNamesAndOrder(t *testing.T) {
	s := scope(t)
	net := bridge.Wrap(s, gnn.Sequential(gnn.Conv2d(3, 2, 4, 2, 1, 1, 1, false, "zeros"), gnn.BatchNorm2d(2, 1e-5, 0.1, true, true)))
	names := func(seq func(func(string, *torch.Tensor) bool)) (l []string) {
		for name := range seq {
			l = append(l, name)
		}
		return l
	}
	require.Equal(t, []string{"SequentialModule.Modules[0].Weight", "SequentialModule.Modules[1].Bias",
		"SequentialModule.Modules[1].Weight"}, names(nn.Params(net)))
	require.Equal(t, []string{"SequentialModule.Modules[1].RunningMean", "SequentialModule.Modules[1].RunningVar"},
		names(nn.Buffers(net)))
	m := newTied()
	net = bridge.Wrap(s, m)
	require.Equal(t, slices.Sorted(maps.Keys(m.StateDict())), slices.Sorted(slices.Values(names(nn.StateDict(net)))))
	require.Len(t, names(nn.Params(net)), 12, "a parameter under two names is one for an optimiser")
	last := names(nn.Params(net))
	require.Equal(t, "tied.Layers[10].Weight", last[len(last)-2])
	for name, p := range nn.StateDict(net) {
		require.True(t, torch.SameTensor(p, bridge.From(s, m.StateDict()[name])), name)
	}
	err := bridge.Try(func() { bridge.Wrap(s, &tied{}) })
	require.ErrorContains(t, err, "torch: gotorch.Wrap: GoTorch modules requires calling `Init`")
}

// A network of gotorch's, our optimiser: gotorch sees the new weights, and the loss falls.
func TestOurAdamTrainsTheirModule(t *testing.T) {
	initializer.ManualSeed(1)
	root := scope(t)
	m := gnn.Sequential(gnn.Linear(1, 16, true), relu(), gnn.Linear(16, 1, true))
	net := bridge.Wrap(root.Child().Seal(), m)
	params := nn.ParamList(net)
	opt := optim.NewAdam(root, params, optim.AdamOptions{LR: 0.02, Beta1: 0.9})
	x := root.FromFloat32s([]float32{-1, -0.5, 0, 0.5, 1}, 5, 1)
	y := x.Mul(x)
	live := torch.LiveTensors()
	var first, last float64
	for i := range 200 {
		require.NoError(t, root.Scoped(func(s *torch.Scope) error {
			loss := net.Forward(s.Use(x)).MSE(y)
			opt.Step(torch.Grad(loss, params, torch.GradOptions{}))
			if last = loss.Float64(); i == 0 {
				first = last
			}
			return nil
		}))
		require.Equal(t, live, torch.LiveTensors())
	}
	require.Less(t, last, first/20)
	bridge.Step(func() { // the same through gotorch alone
		out := m.Forward(bridge.To(x)).(gt.Tensor)
		s := root.Child()
		defer s.Close()
		require.InDelta(t, last, bridge.From(s, out).MSE(y).Float64(), 0.01) // one update later
	})
}

// The same, the other way around: our network, gotorch's optimiser and backward pass.
func TestTheirAdamTrainsOurModule(t *testing.T) {
	root := scope(t)
	g, err := root.NewGenerator(torch.CPU, 1)
	require.NoError(t, err)
	b := nn.Builder{Scope: root.Child(), Generator: g}
	net := nn.Sequential{nn.NewLinear(b, 1, 16), nn.ReLU, nn.NewLinear(b, 16, 1)}
	b.Scope.Seal()
	x := root.FromFloat32s([]float32{-1, -0.5, 0, 0.5, 1}, 5, 1)
	y := x.Mul(x)
	opt := gt.Adam(0.02, 0.9, 0.999, 0)
	var params []gt.Tensor
	for _, p := range nn.Params(net) {
		params = append(params, bridge.To(p))
	}
	opt.AddParameters(params)
	var first, last float64
	for i := range 200 {
		bridge.Step(func() {
			s := root.Child()
			defer s.Close()
			opt.ZeroGrad()
			loss := net.Forward(s.Use(x)).MSE(y)
			bridge.To(loss).Backward()
			opt.Step()
			if last = loss.Float64(); i == 0 {
				first = last
			}
		})
	}
	require.Less(t, last, first/20)
	torch.ZeroGrad(nn.ParamList(net)...)
}

func TestModesAndTraining(t *testing.T) {
	root := scope(t)
	norm := gnn.BatchNorm2d(2, 1e-5, 0.1, true, true)
	net := bridge.Wrap(root, gnn.Sequential(norm))
	x := root.Randn(nil, []int64{4, 2, 3, 3})
	mean := slices.Collect(maps.Values(maps.Collect(nn.Buffers(net))))
	require.Len(t, mean, 2)
	before := values(norm.RunningMean)
	nn.Train(net, false)
	torch.NoGrad(func() { require.False(t, net.Forward(x).IsGradRequired()) })
	require.Equal(t, before, values(norm.RunningMean), "evaluation mode moves the statistics")
	nn.Train(net, true)
	require.True(t, net.Forward(x).IsGradRequired())
	require.NotEqual(t, before, values(norm.RunningMean))

	err := torch.Try(func() { net.Forward(root.Ones([]int64{4, 3, 3, 3})) })
	require.ErrorContains(t, err, "torch: gotorch.Forward: running_mean should contain 3 elements not 2")
	err = torch.Try(func() { bridge.Wrap(root, newTied()).Forward(x) })
	require.ErrorContains(t, err, "torch: gotorch.Forward: got a *gotorch_test.tied vs a module whose Forward takes and returns one")
}
