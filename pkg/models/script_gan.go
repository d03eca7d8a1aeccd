package models

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// ScriptOptions say what is known of networks in TorchScript. Zero values are found out by trying.
type ScriptOptions struct {
	Resolution int  // height and width of the images
	Latent     int  // length of the latent vector
	Unit       bool // images are in [0, 1] for the network, as after a sigmoid, and not in [-1, 1]
	Batch      int  // images at once, for a critic that takes no other number, such as that of StyleGAN2; 0: any number
}

// toImages brings what a network makes into [-1, 1].
func (o ScriptOptions) toImages(x *torch.Tensor) *torch.Tensor {
	if o.Unit {
		return x.MulScalar(2).AddScalar(-1)
	}
	return x
}

// fromImages brings images in [-1, 1] into the network's range.
func (o ScriptOptions) fromImages(x *torch.Tensor) *torch.Tensor {
	if o.Unit {
		return x.AddScalar(1).MulScalar(0.5)
	}
	return x
}

// ScriptGenerator is a [Generator] in TorchScript: forward(z) takes latents [N, L], or [N, L, 1, 1] as PyTorch's DCGAN example
// has them, and returns images [N, 3, R, R].
type ScriptGenerator struct {
	*Script
	o    ScriptOptions
	maps bool // latents are [N, L, 1, 1]
}

// NewScriptGenerator makes a generator of f in b's scope, and tries it. It returns an error that says what does not fit.
func NewScriptGenerator(b nn.Builder, f ScriptFile, o ScriptOptions) (*ScriptGenerator, error) {
	s, err := NewScript(b, f)
	if err != nil {
		return nil, err
	}
	g := &ScriptGenerator{Script: s, o: o}
	if err := g.findLatent(b.Device); err != nil {
		return nil, fmt.Errorf("models: %s: %w", f.Path, err)
	}
	err = s.try(func(c *Script, work *torch.Scope, n int64) []*torch.Tensor {
		z := work.Randn(nil, g.shape(n), torch.Options{Device: b.Device})
		out := c.run("forward", z)
		if _, err := imageSize(out, n, g.o.Resolution); err != nil {
			panic(&torch.Error{Op: "Script", Msg: err.Error()})
		}
		return []*torch.Tensor{first(out, "sample")}
	}, tryEvaluating, tryTraining)
	if err != nil {
		return nil, fmt.Errorf("models: %s: %w", f.Path, err)
	}
	return g, nil
}

// shape is that of n latents.
func (g *ScriptGenerator) shape(n int64) []int64 {
	if g.maps {
		return []int64{n, int64(g.o.Latent), 1, 1}
	}
	return []int64{n, int64(g.o.Latent)}
}

// findLatent tries latents of all likely lengths, or of the one that is known, and takes the first that makes images.
func (g *ScriptGenerator) findLatent(d torch.Device) error {
	lengths := []int64{int64(g.o.Latent)}
	if g.o.Latent == 0 {
		lengths = g.likely()
	}
	var first, wrong error
	err := torch.Scoped(func(all *torch.Scope) error {
		c, err := g.copy(all)
		if err != nil {
			return err
		}
		c.SetTraining(false)
		for _, n := range lengths {
			for _, maps := range []bool{false, true} {
				shape := []int64{tryEvaluating, n}
				if maps {
					shape = append(shape, 1, 1)
				}
				var size int
				err := all.Scoped(func(work *torch.Scope) (err error) {
					torch.NoGrad(func() {
						out := c.module.MustCall("forward", work.Randn(nil, shape, torch.Options{Device: d}))
						if size, err = imageSize(out, tryEvaluating, g.o.Resolution); err != nil && wrong == nil {
							wrong = fmt.Errorf("latents %v: %w", shape, err)
						}
					})
					return err
				})
				if err == nil {
					g.o.Latent, g.o.Resolution, g.maps = int(n), size, maps
					return nil
				}
				first = cmp.Or(first, fmt.Errorf("latents %v: %w", shape, err))
			}
		}
		return first
	})
	switch {
	case err == nil:
		return nil
	case wrong != nil: // it took them
		return wrong
	case g.o.Latent == 0 && first != nil:
		return fmt.Errorf("no length of its latents among %v makes images: give the right one (--latent); the first error: %w", lengths, first)
	}
	return err
}

// likely are the sizes of the first parameters, which are those of a first layer, and usual lengths of latents.
func (g *ScriptGenerator) likely() (l []int64) {
	for _, p := range g.parts[:min(len(g.parts), 4)] {
		if s := p.tensor.Shape(); len(s) >= 2 {
			l = append(l, s[1], s[0]) // of a linear layer, of a transposed convolution
		}
	}
	l = append(l, 128, 100, 512, 64, 256)
	var once []int64
	for _, n := range l {
		if n >= 1 && n <= 1<<16 && !slices.Contains(once, n) {
			once = append(once, n)
		}
	}
	return once
}

// imageSize is the height and width of n images [n, 3, R, R], which are to have the resolution if it is not 0.
func imageSize(out any, n int64, resolution int) (int, error) {
	ts, err := tensors(out, "sample")
	if err != nil {
		return 0, err
	}
	sh := ts[0].Shape()
	want := "R R"
	if resolution != 0 {
		want = fmt.Sprintf("%d %d", resolution, resolution)
	}
	if len(sh) != 4 || sh[0] != n || sh[1] != 3 || sh[2] != sh[3] || resolution != 0 && int(sh[2]) != resolution || ts[0].DType() != torch.Float32 {
		return 0, fmt.Errorf("got a result %v vs images float32 [%d 3 %s]", ts[0], n, want)
	}
	return int(sh[2]), nil
}

// Forward maps latents [N, L] to images [N, 3, R, R] in [-1, 1]. It panics with *[torch.Error] when the network fails.
func (g *ScriptGenerator) Forward(z *torch.Tensor) *torch.Tensor {
	if g.maps {
		z = z.Unsqueeze(2).Unsqueeze(3)
	}
	return g.o.toImages(first(g.module.MustCall("forward", z), "sample"))
}

// first is the first tensor of a result, which has been tried.
func first(out any, name string) *torch.Tensor {
	ts, err := tensors(out, name)
	if err != nil {
		panic(&torch.Error{Op: "Script", Msg: err.Error()})
	}
	return ts[0]
}

// LatentDim implements [Sized].
func (g *ScriptGenerator) LatentDim() int64 { return int64(g.o.Latent) }

// Resolution implements [Sized].
func (g *ScriptGenerator) Resolution() int64 { return int64(g.o.Resolution) }

// Advice is what is odd about the network, "" for nothing.
func (g *ScriptGenerator) Advice(b nn.Builder) (advice string) {
	work := b.Scope.Child()
	defer work.Close()
	nn.Train(g, false)
	defer nn.Train(g, true)
	torch.NoGrad(func() {
		x := g.o.fromImages(g.Forward(work.Randn(nil, []int64{4, int64(g.o.Latent)}, torch.Options{Device: b.Device})))
		low, high := x.Min().Float64(), x.Max().Float64()
		switch {
		case !g.o.Unit && low >= 0 && high <= 1:
			advice = fmt.Sprintf("the pictures of %s reach from %.2g to %.2g: if they are meant to be in [0, 1], as after a sigmoid, give --net-range unit", g, low, high)
		case g.o.Unit && (low < -0.01 || high > 1.01):
			advice = fmt.Sprintf("the pictures of %s reach from %.2g to %.2g, and --net-range unit is for [0, 1]", g, low, high)
		}
	})
	return cmp.Or(advice, g.stateful("forward"))
}

// ScriptCritic is a [Critic] in TorchScript: forward(x) takes images [N, 3, R, R] and returns a number for each, [N],
// [N, 1] or [N, 1, 1, 1], or one for each patch, [N, 1, H, W], of which losses take the mean.
type ScriptCritic struct {
	*Script
	o ScriptOptions
}

// NewScriptCritic makes a critic of f in b's scope, and tries it on images of o.Resolution, which must be given. It returns an
// error that says what does not fit.
func NewScriptCritic(b nn.Builder, f ScriptFile, o ScriptOptions) (*ScriptCritic, error) {
	s, err := NewScript(b, f)
	if err != nil {
		return nil, err
	}
	size := int64(o.Resolution)
	try := func(c *Script, work *torch.Scope, n int64) []*torch.Tensor {
		x := work.Rand(nil, []int64{n, 3, size, size}, torch.Options{Device: b.Device}).MulScalar(2).AddScalar(-1).Detach()
		ts, err := tensors(c.run("forward", o.fromImages(x)), "logits")
		if err == nil {
			sh := ts[0].Shape()
			if len(sh) == 0 || sh[0] != n || len(sh) > 1 && sh[1] != 1 || ts[0].DType() != torch.Float32 {
				err = fmt.Errorf("got a result %v vs numbers float32 [%[2]d], [%[2]d 1], [%[2]d 1 1 1] or of patches [%[2]d 1 H W], for images [%[2]d 3 %[3]d %[3]d]", ts[0], n, size)
			}
		}
		if err != nil {
			panic(&torch.Error{Op: "Script", Msg: err.Error()})
		}
		// What the generator learns from.
		x = x.Clone().RequiresGrad(true)
		if y := first(c.module.MustCall("forward", o.fromImages(x)), "logits").Sum(); !y.IsGradRequired() ||
			torch.Grad(y, []*torch.Tensor{x}, torch.GradOptions{AllowUnused: true})[0] == nil {
			panic(&torch.Error{Op: "Script", Msg: "its result does not depend on the images"})
		}
		return ts
	}
	err = s.try(try, tryEvaluating, tryTraining)
	if n := int64(o.Batch); err != nil && n > 0 && s.try(try, n, n) == nil {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("models: %s: %w", f.Path, err)
	}
	return &ScriptCritic{s, o}, nil
}

// Forward maps images [N, 3, R, R] in [-1, 1] to numbers [N], for P patches [N P] one after the other. It panics with *[torch.Error] when the network
// fails.
func (c *ScriptCritic) Forward(x *torch.Tensor) *torch.Tensor {
	return first(c.module.MustCall("forward", c.o.fromImages(x)), "logits").Reshape(-1)
}

// Advice is what is odd about the network, "" for nothing.
func (c *ScriptCritic) Advice(b nn.Builder) (advice string) {
	if !c.Uses("forward", "aten::sigmoid") {
		return c.stateful("forward")
	}
	work := b.Scope.Child()
	defer work.Close()
	nn.Train(c, false)
	defer nn.Train(c, true)
	torch.NoGrad(func() {
		size := int64(c.o.Resolution)
		y := c.Forward(work.Randn(nil, []int64{int64(max(8, c.o.Batch)), 3, size, size}, torch.Options{Device: b.Device}).MulScalar(10))
		if y.Min().Float64() >= 0 && y.Max().Float64() <= 1 {
			advice = fmt.Sprintf("%s seems to end with a sigmoid: losses here want logits, so take it away", c)
		}
	})
	return cmp.Or(advice, c.stateful("forward"))
}

var (
	_ Generator = (*ScriptGenerator)(nil)
	_ Sized     = (*ScriptGenerator)(nil)
	_ Critic    = (*ScriptCritic)(nil)
)
