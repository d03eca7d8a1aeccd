package trainers

import (
	"context"
	"fmt"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// Sampler draws pictures from a model. Its latents are standard normal numbers.
type Sampler interface {
	// LatentShape is the shape of one latent.
	LatentShape() []int64
	// Sample returns images [N, 3, H, W] in [-1, 1] for latents [N, ...], in their scope, as the model is meant to be used:
	// in evaluation mode, with averaged weights where there are any, without recording gradients. A model that takes long
	// returns ctx's error when it ends.
	Sample(ctx context.Context, latents *torch.Tensor) (*torch.Tensor, error)
}

// DrawLatents draws n latents for m, in s on a device. g is a generator of the CPU, so that a seed gives the same latents
// on every device; one after the other, so that the first ones are the same for every n.
func DrawLatents(s *torch.Scope, m Sampler, g *torch.Generator, n int, d torch.Device) *torch.Tensor {
	return s.Randn(g, append([]int64{int64(n)}, m.LatentShape()...)).ToDevice(d)
}

// inParts is f of some rows of x after the other, at most part at once, so that a large grid needs the memory of a batch. What
// is computed on the way is freed. It returns f's error, or ctx's when that ends between two parts.
func inParts(ctx context.Context, x *torch.Tensor, part int,
	f func(ctx context.Context, x *torch.Tensor) (*torch.Tensor, error)) (*torch.Tensor, error) {
	out := torch.ScopeOf("trainers.inParts", x)
	all := out.Child()
	defer all.Close()
	var parts []*torch.Tensor
	for at := int64(0); at < x.Size(0); at += int64(part) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s := all.Child()
		y, err := f(ctx, s.Use(x).Narrow(0, at, min(int64(part), x.Size(0)-at)))
		if err != nil {
			return nil, err
		}
		parts = append(parts, all.Adopt(y))
		s.Close()
	}
	return out.Adopt(torch.Cat(parts, 0)), nil
}

// Reconstructor is a model that maps images to latents and back.
type Reconstructor interface {
	// Reconstruct returns what becomes of images [N, 3, R, R] in [-1, 1], without recording gradients and without noise.
	Reconstruct(images *torch.Tensor) *torch.Tensor
}

// generatorSampler draws from a [models.Generator] that is in evaluation mode.
type generatorSampler struct {
	net    models.Generator
	latent int
}

func (g generatorSampler) LatentShape() []int64 { return []int64{int64(g.latent)} }

func (g generatorSampler) Sample(_ context.Context, latents *torch.Tensor) (images *torch.Tensor, err error) {
	torch.NoGrad(func() { images = g.net.Forward(latents) })
	return images, nil
}

// LoadGAN builds the generator of a GAN run in a sealed child of root and fills it from a snapshot's tensors: the averaged
// weights G_ema.*, or G.* where there are none. It returns an error when they do not fit.
func LoadGAN(root *torch.Scope, o GANOptions, tensors map[string]*torch.Tensor, d torch.Device) (Sampler, error) {
	net, err := load(root, d, tensors, o.generator, "G_ema.", "G.")
	return generatorSampler{net, o.Latent}, err
}

// load builds a network in a sealed child of root, puts it into evaluation mode, and fills it from the tensors under the first
// of the prefixes that has any.
func load[T any](root *torch.Scope, d torch.Device, tensors map[string]*torch.Tensor, build func(nn.Builder) (T, error),
	prefixes ...string) (net T, err error) {
	b := nn.Builder{Scope: root.Child(), Device: d}
	if net, err = build(b); err != nil {
		return net, err
	}
	b.Scope.Seal()
	nn.Train(net, false)
	for _, p := range prefixes {
		if weights := under(tensors, p); len(weights) > 0 {
			return net, nn.Load(net, weights, false)
		}
	}
	return net, fmt.Errorf("trainers: the snapshot has no tensors named %s*", strings.Join(prefixes, "* or "))
}

// under returns the tensors whose names begin with prefix, without it.
func under(tensors map[string]*torch.Tensor, prefix string) map[string]*torch.Tensor {
	out := map[string]*torch.Tensor{}
	for name, t := range tensors {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			out[rest] = t
		}
	}
	return out
}

// named yields the tensors of networks, each under its own prefix; nil networks are left out.
func named(nets ...namedNet) func(yield func(string, *torch.Tensor) bool) {
	return func(yield func(string, *torch.Tensor) bool) {
		for _, net := range nets {
			if net.m == nil {
				continue
			}
			for name, t := range nn.StateDict(net.m) {
				if !yield(net.name+"."+name, t) {
					return
				}
			}
		}
	}
}

type namedNet struct {
	name string
	m    any
}

// evaluating runs f with a network in evaluation mode, without recording gradients.
func evaluating(net any, f func()) {
	nn.Train(net, false)
	defer nn.Train(net, true)
	torch.NoGrad(f)
}
