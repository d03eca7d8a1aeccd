package customtraining

import (
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

// block: module

// Block is a residual block whose branch has a strength that is learnt.
type Block struct {
	Conv1, Conv2 *nn.Conv2d
	Gain         *torch.Tensor `torch:"gain"` // a parameter of its own
}

// NewBlock makes the block for c channels.
func NewBlock(b nn.Builder, c int64) *Block {
	same := nn.Conv2dOptions{Padding: 1}
	return &Block{Conv1: nn.NewConv2d(b, c, c, 3, same), Conv2: nn.NewConv2d(b, c, c, 3, same), Gain: b.Param(1)}
}

// Forward maps [N, c, H, W] to the same shape.
func (l *Block) Forward(x *torch.Tensor) *torch.Tensor {
	y := l.Conv2.Forward(l.Conv1.Forward(x).SiLU())
	return x.Add(y.Mul(l.Gain)) // operators of package torch
}

// end

// Build makes a network with such blocks.
func Build(root *torch.Scope, device torch.Device, seed int64) (nn.Sequential, []*torch.Tensor, optim.Optimizer, error) {
	// block: build
	gen, err := root.NewGenerator(torch.CPU, seed) // initial weights; nil in its place is libtorch's default generator
	if err != nil {
		return nil, nil, nil, err
	}
	b := nn.Builder{Scope: root.Child(), Generator: gen, Device: device}
	net := nn.Sequential{
		nn.NewConv2d(b, 3, 16, 3, nn.Conv2dOptions{Padding: 1}), NewBlock(b, 16),
		nn.NewConv2d(b, 16, 3, 1, nn.Conv2dOptions{}), nn.Tanh,
	}
	b.Scope.Seal()
	params := nn.ParamList(net)
	optimizer := optim.NewAdam(root, params, optim.AdamOptions{LR: 2e-4, Beta1: 0.5})
	// end
	return net, params, optimizer, nil
}

// Plain is a network without nn: tensors and a function.
func Plain(root *torch.Scope) (params []*torch.Tensor, forward func(x *torch.Tensor) *torch.Tensor) {
	// block: plain
	weights := root.Child()
	w := weights.Randn(nil, []int64{3, 3, 3, 3}).MulScalar(0.1).RequiresGrad(true)
	b := weights.Zeros([]int64{3}).RequiresGrad(true)
	weights.Seal()
	forward = func(x *torch.Tensor) *torch.Tensor {
		return x.Conv2d(w, b, torch.ConvOptions{Padding: 1}).Tanh()
	}
	params = []*torch.Tensor{w, b}
	// end
	return params, forward
}
