package trainers

import (
	"context"
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
)

// DetectorOptions are the settings of [TrainDetector].
type DetectorOptions struct {
	Steps  int     // updates
	LR     float64 // peak learning rate of AdamW, from which it falls to zero along half a cosine; 0: 2e-3
	Warmup int     // updates over which it rises from zero; 0: 50
	// ClassWeight is the weight of the cross-entropy of the second head, which says generated or real in two logits. 0: it is
	// not trained.
	ClassWeight float64
	// Batch returns images [N, 3, H, W] in [0, 1] and their targets [N], in s: 1 for real, 0 for generated, or between.
	Batch func(s *torch.Scope) (images, targets *torch.Tensor, err error)
	// OnStep is called after each update. An error ends the training and is returned as it is. It may be nil.
	OnStep func(DetectorStep) error
}

// DetectorStep is what one update of [TrainDetector] came to.
type DetectorStep struct {
	Step    int     // number of the update, from 0
	Loss    float64 // binary cross-entropy of the score
	Class   float64 // cross-entropy of the second head, before its weight
	LR      float64
	Skipped error // why the update was left out: its gradient was not finite; nil if it was made
}

// detectorDecay and detectorClip are upstream's.
const (
	detectorDecay = 1e-4
	detectorClip  = 1.0
)

// TrainDetector trains a detector to tell real images from generated ones:
//
//	L = BCE(logit, t) + ClassWeight CE(logits, t)
//
// with the cross-entropy of the classes against (1 - t, t). Weights of convolutions and linear layers decay by 1e-4 and
// gradients are clipped at norm 1, as the reference trainer means it. An update whose gradient is not finite is left out; after more than 50 in a row it returns
// an error that wraps [ErrDiverged]. When ctx ends, the update in progress is made and the error wraps [ErrInterrupted].
func TrainDetector(ctx context.Context, net *network.Net, o DetectorOptions) error {
	if o.LR == 0 {
		o.LR = 2e-3
	}
	if o.Warmup == 0 {
		o.Warmup = 50
	}
	root := torch.NewScope()
	defer root.Close()
	opt := newDetectorOptimizer(root, net, o)
	skipped := 0
	for step := range o.Steps {
		if ctx.Err() != nil {
			return fmt.Errorf("%w at step %d of the detector", ErrInterrupted, step)
		}
		st := DetectorStep{Step: step, LR: o.rate(step)}
		opt.setLR(st.LR)
		err := root.Scoped(func(s *torch.Scope) error {
			images, targets, err := o.Batch(s)
			if err != nil {
				return err
			}
			loss := o.loss(net, images, targets, &st)
			grads := torch.Grad(loss, opt.params, torch.GradOptions{AllowUnused: true})
			if _, st.Skipped = optim.ClipGradNorm(grads, detectorClip); st.Skipped == nil {
				opt.step(grads)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if skipped++; st.Skipped == nil {
			skipped = 0
		}
		if skipped > maxSkips {
			return fmt.Errorf("%w: detector, step %d: %w, %d times in a row: lower the learning rate", ErrDiverged, step,
				st.Skipped, skipped)
		}
		if o.OnStep != nil {
			if err := o.OnStep(st); err != nil {
				return err
			}
		}
	}
	return nil
}

// loss is L, and puts its parts into st.
func (o DetectorOptions) loss(net *network.Net, images, targets *torch.Tensor, st *DetectorStep) *torch.Tensor {
	if o.ClassWeight == 0 {
		loss := net.Logit(images).Reshape(-1).BCEWithLogits(targets)
		st.Loss = loss.Float64()
		return loss
	}
	logit, logits := net.Heads(images)
	loss := logit.Reshape(-1).BCEWithLogits(targets)
	both := torch.Stack([]*torch.Tensor{targets.Neg().AddScalar(1), targets}, 1)
	class := logits.LogSoftmax(1).Mul(both).SumDim([]int64{1}, false).Mean().Neg()
	st.Loss, st.Class = loss.Float64(), class.Float64()
	return loss.Add(class.MulScalar(o.ClassWeight))
}

// rate is the learning rate of an update.
func (o DetectorOptions) rate(step int) float64 {
	warm := min(1, float64(step+1)/float64(o.Warmup))
	return o.LR * warm * (1 + math.Cos(math.Pi*float64(step)/float64(o.Steps))) / 2
}

// detectorOptimizer is AdamW with two groups of parameters: those that decay, and the others.
type detectorOptimizer struct {
	params []*torch.Tensor // all
	groups []detectorGroup
}

type detectorGroup struct {
	opt   optim.Optimizer
	index []int // into params
}

func newDetectorOptimizer(s *torch.Scope, net *network.Net, o DetectorOptions) *detectorOptimizer {
	d := &detectorOptimizer{}
	var decays, rest detectorGroup
	for i, p := range net.Params {
		d.params = append(d.params, p.Tensor)
		// Biases and the weights of norms have one dimension, everything else has more.
		if p.Tensor.Dim() > 1 {
			decays.index = append(decays.index, i)
		} else {
			rest.index = append(rest.index, i)
		}
	}
	for _, g := range []struct {
		detectorGroup
		decay float64
	}{{decays, detectorDecay}, {rest, 0}} {
		if len(g.index) > 0 {
			g.opt = optim.NewAdamW(s, pick(d.params, g.index), optim.AdamOptions{LR: o.LR, Beta1: 0.9, WeightDecay: g.decay})
			d.groups = append(d.groups, g.detectorGroup)
		}
	}
	return d
}

func (d *detectorOptimizer) setLR(lr float64) {
	for _, g := range d.groups {
		g.opt.SetLR(lr)
	}
}

func (d *detectorOptimizer) step(grads []*torch.Tensor) {
	for _, g := range d.groups {
		g.opt.Step(pick(grads, g.index))
	}
}

func pick(l []*torch.Tensor, index []int) []*torch.Tensor {
	out := make([]*torch.Tensor, len(index))
	for k, i := range index {
		out[k] = l[i]
	}
	return out
}
