package trainers

import (
	"context"
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
)

// DetectorOptions are the settings of [TrainDetector].
type DetectorOptions struct {
	Steps int     // updates
	LR    float64 // peak learning rate of AdamW; it falls to zero in a straight line; 0: 2e-3
	// Batch returns images [N, 3, H, W] in [0, 1] and their targets [N], in s: 1 for real, 0 for generated, or between.
	Batch  func(s *torch.Scope) (images, targets *torch.Tensor, err error)
	OnStep func(step int, loss float64) // may be nil; called every 20 steps
}

// TrainDetector trains a detector to tell real images from generated ones by the binary cross-entropy of its logit against
// the targets. Weights decay by 1e-4 and gradients are clipped at norm 1, as the reference trainer has it.
func TrainDetector(ctx context.Context, net *network.Net, o DetectorOptions) error {
	if o.LR == 0 {
		o.LR = 2e-3
	}
	params := make([]*torch.Tensor, len(net.Params))
	for i, p := range net.Params {
		params[i] = p.Tensor
	}
	root := torch.NewScope()
	defer root.Close()
	opt := optim.NewAdamW(root, params, optim.AdamOptions{LR: o.LR, Beta1: 0.9, WeightDecay: 1e-4})
	for step := range o.Steps {
		if ctx.Err() != nil {
			return fmt.Errorf("%w at step %d of the detector", ErrInterrupted, step)
		}
		warm := min(1, float64(step+1)/50)
		opt.SetLR(o.LR * warm * (1 - float64(step)/float64(o.Steps)))
		err := root.Scoped(func(s *torch.Scope) error {
			images, targets, err := o.Batch(s)
			if err != nil {
				return err
			}
			loss := net.Logit(images).Reshape(-1).BCEWithLogits(targets)
			grads := torch.Grad(loss, params, torch.GradOptions{})
			if _, err = optim.ClipGradNorm(grads, 1); err != nil {
				return fmt.Errorf("%w: detector, step %d: %w", ErrDiverged, step, err)
			}
			opt.Step(grads)
			if o.OnStep != nil && step%20 == 0 {
				o.OnStep(step, loss.Float64())
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
