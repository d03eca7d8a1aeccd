package tigas

import (
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
)

// halved is m's network in o.DType, folded and laid out for a GPU, in work, or nil: for float32 on a CPU, where results are to be
// those of the network as it is written to the last bits, and for a module that is not of package network.
func halved(work *torch.Scope, m *jit.Module, o OpenOptions) (*jit.Module, error) {
	if o.DType == torch.Float32 && !o.Device.IsCUDA() {
		return nil, nil
	}
	params, err := m.Parameters(work)
	if err != nil {
		return nil, unprefix(err)
	}
	buffers, err := m.Buffers(work)
	if err != nil {
		return nil, unprefix(err)
	}
	a, tensors, ok := network.Recognise(append(params, buffers...))
	if !ok {
		return nil, nil
	}
	// Tensors do not say what is computed with them: a copy in float32 must give the same.
	ok, err = equals(m, a, tensors, o)
	if !ok || err != nil {
		return nil, err
	}
	half, err := network.NewFolded(work, a, tensors, o.DType)
	if err != nil {
		return nil, err
	}
	err = torch.Scoped(func(w *torch.Scope) (err error) {
		torch.NoGrad(func() { _, err = half.Forward(probes(w, o)[0].image) })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot compute in %s on %s: %w", o.DType, o.Device, unprefix(err))
	}
	return half, nil
}

// alike is how far scores and values before the sigmoid of two forms of a network may lie apart, these relative to 1 + |z|:
// far above what rounding does, on a GPU that rounds factors to 10 bits too, and far below what another formula does.
const alike = 0.02

// equals tells whether m computes what the network of package network does with the same tensors.
func equals(m *jit.Module, a network.Arch, tensors map[string]*torch.Tensor, o OpenOptions) (same bool, err error) {
	if logitOf(m, "") == "" {
		return false, nil
	}
	err = torch.Scoped(func(w *torch.Scope) (err error) {
		exact, err := network.NewFolded(w, a, tensors, torch.Float32)
		if err != nil {
			return err
		}
		images := oneOfEach(probes(w, o))
		var scores, logits [2][]float32
		for i, net := range []*jit.Module{m, exact} {
			torch.NoGrad(func() {
				if scores[i], err = scoresOf(net, images); err != nil {
					return
				}
				out, cannot := net.Call("logit", images)
				if z, ok := out.(*torch.Tensor); cannot == nil && ok {
					logits[i] = z.Reshape(-1).Float32s()
				}
			})
			if err != nil {
				return unprefix(err)
			}
		}
		same = within(scores, func(float64) float64 { return alike }) &&
			within(logits, func(z float64) float64 { return alike * (1 + math.Abs(z)) })
		return nil
	})
	return same, err
}

// within tells whether two lists are one for each of the probes and lie no further apart than allowed.
func within(l [2][]float32, allowed func(float64) float64) bool {
	if len(l[0]) == 0 || len(l[0]) != len(l[1]) {
		return false
	}
	for i, v := range l[0] {
		if !(math.Abs(float64(l[1][i])-float64(v)) <= allowed(float64(v))) { // NaN is not
			return false
		}
	}
	return true
}

// scoresOf are the scores of images, whatever form the module returns them in.
func scoresOf(m *jit.Module, images *torch.Tensor) ([]float32, error) {
	out, err := m.Forward(images)
	if err != nil {
		return nil, err
	}
	if dict, ok := out.(map[string]any); ok {
		out = dict["score"]
	}
	t, ok := out.(*torch.Tensor)
	if !ok {
		return nil, nil
	}
	return t.Reshape(-1).Float32s(), nil
}

// scoreError is the largest difference between the scores of d and those of m, in float32, for the probes.
func (d *Detector) scoreError(m *jit.Module, o OpenOptions) (most float64, err error) {
	defer d.calls.Store(0)
	err = torch.Scoped(func(w *torch.Scope) (err error) {
		images := oneOfEach(probes(w, o))
		torch.NoGrad(func() {
			var want []float32
			if want, err = scoresOf(m, images); err != nil {
				err = unprefix(err)
				return
			}
			got := d.Score(images).Float32s()
			for i, v := range got { // as many: equals has seen to it
				most = max(most, math.Abs(float64(v)-float64(want[i])))
			}
		})
		return err
	})
	return most, err
}

// scaled is f(x), whose gradients are S times as large inside of f. In float16 they would vanish otherwise: the mean over a
// stage divides them by its number of pixels, and 6e-8 is the smallest number. S is the number of pixels of x, so that what
// reaches the stages' outputs is of the order of what comes in, whatever the size of x.
func scaled(f func(*torch.Tensor) *torch.Tensor, x *torch.Tensor) *torch.Tensor {
	s := float64(x.Size(2) * x.Size(3))
	return withGradient(f(withGradient(x, 1/s)), s)
}

// withGradient is x, with a gradient that is multiplied by factor on its way back. What is not finite becomes NaN.
func withGradient(x *torch.Tensor, factor float64) *torch.Tensor {
	if !x.IsGradRequired() {
		return x
	}
	fixed := x.Detach()
	return fixed.Add(x.Sub(fixed).MulScalar(factor))
}
