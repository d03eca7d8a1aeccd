package models

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// Denoiser is what a diffusion model is trained as: it maps noisy images [N, 3, R, R] and their timesteps, int64 [N], to a
// prediction [N, 3, R, R].
type Denoiser interface {
	Forward(images, timesteps *torch.Tensor) *torch.Tensor
}

// ScriptDenoiser is a [Denoiser] in TorchScript: forward(x, t) takes timesteps int64 [N], or float32, and returns a tensor, a
// tuple that begins with it, or a dict with "sample".
type ScriptDenoiser struct {
	*Script
	float bool // timesteps are float32
}

// NewScriptDenoiser makes a denoiser of f in b's scope, and tries it on images of a resolution, at the first and the last of the
// timesteps. It returns an error that says what does not fit.
func NewScriptDenoiser(b nn.Builder, f ScriptFile, resolution, timesteps int) (*ScriptDenoiser, error) {
	s, err := NewScript(b, f)
	if err != nil {
		return nil, err
	}
	size := int64(resolution)
	tried := func(float bool) error {
		return s.try(func(c *Script, work *torch.Scope, n int64) []*torch.Tensor {
			x := work.Randn(nil, []int64{n, 3, size, size}, torch.Options{Device: b.Device})
			t := torch.FromSlice(work, []int64{0, int64(timesteps - 1), 1}[:n], n).ToDevice(b.Device)
			if float {
				t = t.To(torch.Float32)
			}
			out := c.run("forward", x, t)
			if _, err := imageSize(out, n, resolution); err != nil {
				panic(&torch.Error{Op: "Script", Msg: err.Error()})
			}
			return []*torch.Tensor{first(out, "sample")}
		}, tryEvaluating, tryTraining)
	}
	d := &ScriptDenoiser{Script: s}
	if err = tried(false); err != nil && tried(true) == nil {
		d.float, err = true, nil
	}
	if err != nil {
		return nil, fmt.Errorf("models: %s: %w", f.Path, err)
	}
	return d, nil
}

// Forward implements [Denoiser], for timesteps that are whole numbers of any type. It panics with *[torch.Error] when the network fails.
func (d *ScriptDenoiser) Forward(images, timesteps *torch.Tensor) *torch.Tensor {
	timesteps = timesteps.To(torch.Int64)
	if d.float {
		timesteps = timesteps.To(torch.Float32)
	}
	return first(d.module.MustCall("forward", images, timesteps), "sample")
}

// Advice is what is odd about the network, "" for nothing.
func (d *ScriptDenoiser) Advice() string { return d.stateful("forward") }

var (
	_ Denoiser = (*ScriptDenoiser)(nil)
	_ Denoiser = (*UNet)(nil)
)
