package nn_test

import (
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

func names(seq iter.Seq2[string, *torch.Tensor]) []string {
	l := []string{}
	for name := range seq {
		l = append(l, name)
	}
	return l
}

type base struct {
	Gain *torch.Tensor `torch:"gain"`
}

type family struct{ parts map[string]any }

func (f family) Children() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, name := range []string{"block2", "b7", "alpha", "mean"} {
			if p, ok := f.parts[name]; ok && !yield(name, p) {
				return
			}
		}
	}
}

type loop struct {
	W    *torch.Tensor `torch:"w"`
	Back *loop
}

type backless struct {
	W    *torch.Tensor `torch:"w"`
	Back *backless     `torch:"-"`
}

func TestNames(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	b := nn.Builder{Scope: s}
	linear := func() *nn.Linear { return nn.NewLinear(b, 1, 1) }
	shared := linear()
	tensor := func() *torch.Tensor { return b.Param(1) }
	for _, c := range []struct {
		what    string
		m       any
		params  []string
		buffers []string
	}{
		{"nil", nil, []string{}, []string{}},
		{"typed nil", (*nn.Linear)(nil), []string{}, []string{}},
		{"function", nn.ReLU, []string{}, []string{}},
		{"without bias", nn.NewLinear(b, 1, 1, nn.LinearOptions{NoBias: true}), []string{"weight"}, []string{}},
		{
			"sequential counts layers without tensors",
			nn.Sequential{nn.ReLU, linear(), nn.Flatten, nn.NewBatchNorm2d(b, 1)},
			[]string{"1.weight", "1.bias", "3.weight", "3.bias"},
			[]string{"3.running_mean", "3.running_var", "3.num_batches_tracked"},
		},
		{
			"nested sequentials",
			struct{ Main nn.Sequential }{nn.Sequential{nn.Sequential{linear()}, nil, linear()}},
			[]string{"main.0.0.weight", "main.0.0.bias", "main.2.weight", "main.2.bias"},
			[]string{},
		},
		{
			"embedded fields are the outer module's",
			&struct {
				Sub *nn.Linear
				base
				*nn.GroupNorm
			}{linear(), base{tensor()}, nn.NewGroupNorm(b, 1, 1)},
			[]string{"gain", "weight", "bias", "sub.weight", "sub.bias"},
			[]string{},
		},
		{
			"embedded with a tag is a part",
			&struct {
				nn.Layer `torch:"net"`
			}{linear()},
			[]string{"net.weight", "net.bias"},
			[]string{},
		},
		{
			"part by value, lists of tensors, skipped fields",
			&struct {
				Part     base
				List     []*torch.Tensor `torch:"list"`
				Means    []*torch.Tensor `torch:"means,buffer"`
				Untagged *torch.Tensor
				Ignored  *torch.Tensor `torch:"-"`
				Out      nn.Layer      `torch:"-"`
				hidden   *torch.Tensor
				Width    int
				Call     func()
			}{Part: base{tensor()}, List: []*torch.Tensor{tensor(), tensor()}, Means: []*torch.Tensor{tensor()},
				Untagged: tensor(), Ignored: tensor(), Out: linear(), hidden: tensor()},
			[]string{"part.gain", "list.0", "list.1"},
			[]string{"means.0"},
		},
		{
			"shared module", nn.Sequential{shared, shared}, []string{"0.weight", "0.bias"}, []string{},
		},
		{
			"parent",
			struct{ G family }{family{map[string]any{
				"block2": linear(), "alpha": tensor(), "mean": nn.Buffer{Tensor: tensor()}, "b7": (*nn.Linear)(nil),
			}}},
			[]string{"g.block2.weight", "g.block2.bias", "g.alpha"},
			[]string{"g.mean"},
		},
		{"field that is not walked", func() any { l := &backless{W: tensor()}; l.Back = l; return l }(), []string{"w"}, []string{}},
	} {
		t.Run(c.what, func(t *testing.T) {
			require.Equal(t, c.params, names(nn.Params(c.m)))
			require.Equal(t, c.buffers, names(nn.Buffers(c.m)))
		})
	}
	require.Equal(t, []string{"0.weight", "0.bias", "1.weight", "1.bias"}, names(nn.StateDict(nn.Sequential{shared, shared})))
	for range nn.StateDict(newNet(b)) {
		break // stopping early is allowed
	}
	l := &loop{W: tensor()}
	l.Back = l
	require.PanicsWithValue(t, "nn: back: the module contains itself: tag the field that points back with `torch:\"-\"`",
		func() { nn.ParamList(l) })
}

func TestTrainReachesEveryLayer(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	b := nn.Builder{Scope: s}
	n := newNet(b)
	byValue := &struct{ Drop nn.Dropout }{nn.Dropout{P: 0.5}}
	inParent := family{map[string]any{"b7": nn.NewBatchNorm2d(b, 1)}}
	for _, on := range []bool{false, true} {
		nn.Train(n, on)
		require.Equal(t, on, n.Layer1[0].(*block).Norm.Training)
		require.Equal(t, on, n.Layer1[2].(*block).Norm.Training)
		nn.Train(byValue, on)
		require.Equal(t, on, byValue.Drop.Training)
		nn.Train(inParent, on)
		require.Equal(t, on, inParent.parts["b7"].(*nn.BatchNorm2d).Training)
	}
	x := s.Ones([]int64{100, 100})
	y := nn.NewDropout(0.25).Forward(x)
	require.InDelta(t, 1, y.Mean().Float64(), 0.05) // 10,000 draws: three deviations are 0.017
	require.InDelta(t, 1/0.75, y.Max().Float64(), 1e-6)
}

func TestCountAndFreeze(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	b := nn.Builder{Scope: s.Child()}
	l := nn.Sequential{nn.NewConv2d(b, 3, 8, 3, nn.Conv2dOptions{}), nn.NewBatchNorm2d(b, 8)}
	b.Scope.Seal()
	require.EqualValues(t, 8*3*9+8+16, nn.CountParams(l))
	nn.RequireGrad(l, false)
	require.False(t, l.Forward(s.Randn(nil, []int64{2, 3, 4, 4})).IsGradRequired())
	nn.RequireGrad(l, true)
	require.True(t, l.Forward(s.Randn(nil, []int64{2, 3, 4, 4})).IsGradRequired())
	require.EqualValues(t, 2, l[1].(*nn.BatchNorm2d).NumBatches.Int64())
}
