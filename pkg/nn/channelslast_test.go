package nn_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// The weights of convolutions change their layout and nothing else: not what they are, nor what is computed and saved.
func TestChannelsLast(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	b := nn.Builder{Scope: s.Child()}
	net := nn.Sequential{nn.NewConv2d(b, 3, 8, 3, nn.Conv2dOptions{Padding: 1}), nn.NewBatchNorm2d(b, 8), nn.ReLU,
		nn.NewConvTranspose2d(b, 8, 4, 4, nn.Conv2dOptions{Stride: 2, Padding: 1})}
	b.Scope.Seal()
	x := s.Randn(nil, []int64{2, 3, 6, 6})
	before := s.Use(net.Forward(x))
	conv := net[0].(*nn.Conv2d).Weight
	bytes := conv.RawBytes()
	live := torch.LiveTensors()
	var none *nn.Conv2d
	nn.ChannelsLast(net, nil, none)
	require.Equal(t, live, torch.LiveTensors())
	require.Equal(t, []int64{27, 1, 9, 3}, conv.Strides())
	require.True(t, conv.IsGradRequired())
	require.Equal(t, bytes, conv.RawBytes())
	y := net.Forward(x)
	require.InDelta(t, 0, y.Sub(before).Abs().Max().Float64(), 1e-5, "sums in another order")
	g := torch.Grad(y.Square().Sum(), []*torch.Tensor{conv}, torch.GradOptions{})[0]
	require.Equal(t, conv.Shape(), g.Shape())
}
