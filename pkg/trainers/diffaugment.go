package trainers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// DiffAugmentPolicy is a list of augmentations that a discriminator sees all its images through, real and generated, in
// this order: DiffAugment (Zhao et al. 2020, arXiv 2006.10738), for training with few pictures. Names are
//
//	color        brightness +-0.5, saturation times 0..2, contrast times 0.5..1.5, in units of the range [-1, 1]
//	translation  by up to an eighth of each side, zeros (grey) where nothing is left
//	cutout       a square of half of each side, with its middle anywhere in the image, becomes zeros
//
// with the amounts of the authors' code. An empty policy changes nothing.
type DiffAugmentPolicy []string

// diffAugments are the augmentations by name.
var diffAugments = []struct {
	name  string
	apply func(x *torch.Tensor, g *torch.Generator) *torch.Tensor
}{{"color", colorAugment}, {"translation", translate}, {"cutout", cutout}}

// ParseDiffAugment reads names with commas between them, such as "color,translation,cutout"; "" is the empty policy. It
// returns an error for an unknown name and for one that occurs twice.
func ParseDiffAugment(s string) (DiffAugmentPolicy, error) {
	var p DiffAugmentPolicy
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	for name := range strings.SplitSeq(s, ",") {
		p = append(p, strings.TrimSpace(name))
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return p, nil
}

// Validate returns an error for an unknown name and for one that occurs twice.
func (p DiffAugmentPolicy) Validate() error {
	for i, name := range p {
		if diffAugment(name) == nil {
			var known []string
			for _, a := range diffAugments {
				known = append(known, a.name)
			}
			return fmt.Errorf("trainers: diffaugment: got %q vs %s", name, strings.Join(known, ", "))
		}
		if slices.Contains(p[:i], name) {
			return fmt.Errorf("trainers: diffaugment: got %q twice vs once", name)
		}
	}
	return nil
}

// String is what [ParseDiffAugment] reads.
func (p DiffAugmentPolicy) String() string { return strings.Join(p, ",") }

// Apply augments images [N, C, H, W] in [-1, 1], H and W 8 or more, each in its own way; the result may leave the range.
// Random numbers come from gen, which belongs to the images' device; nil is libtorch's default generator. The images'
// values have no influence on them. It is differentiable, also twice, and never waits for the device. It panics on other
// shapes and on an unknown name.
//
// All three of a step's uses take it: the discriminator's real and generated images, and the generator's.
func (p DiffAugmentPolicy) Apply(images *torch.Tensor, gen *torch.Generator) *torch.Tensor {
	if err := p.Validate(); err != nil {
		panic(&torch.Error{Op: "DiffAugmentPolicy.Apply", Msg: strings.TrimPrefix(err.Error(), "trainers: diffaugment: ")})
	}
	if images.Dim() != 4 || images.Size(2) < 8 || images.Size(3) < 8 || !images.DType().IsFloat() {
		panic(&torch.Error{Op: "DiffAugmentPolicy.Apply", Msg: "got " + images.String() + " vs floats [N C H W], H and W >= 8"})
	}
	for _, name := range p {
		images = diffAugment(name)(images, gen)
	}
	return images
}

// diffAugment is the augmentation of a name, nil if there is none.
func diffAugment(name string) func(x *torch.Tensor, g *torch.Generator) *torch.Tensor {
	for _, a := range diffAugments {
		if a.name == name {
			return a.apply
		}
	}
	return nil
}

// colorAugment changes brightness, then saturation about the mean of each pixel's channels, then contrast about the mean
// of each image.
func colorAugment(x *torch.Tensor, g *torch.Generator) *torch.Tensor {
	o := torch.Options{DType: x.DType(), Device: x.Device()}
	draw := func() *torch.Tensor { return x.Scope().Rand(g, []int64{x.Size(0), 1, 1, 1}, o) }
	x = x.Add(draw().SubScalar(0.5))
	mean := x.MeanDim([]int64{1}, true)
	x = mean.LerpTensor(x, draw().MulScalar(2))
	mean = x.MeanDim([]int64{1, 2, 3}, true)
	return mean.LerpTensor(x, draw().AddScalar(0.5))
}

// drawInts draws an integer from [low, high) for each of x's images, int64 [N, 1].
func drawInts(x *torch.Tensor, g *torch.Generator, low, high int64) *torch.Tensor {
	return x.Scope().Call("aten::randint.low_generator", low, high, []int64{x.Size(0), 1}, g, torch.Int64, nil, x.Device())
}

// translate moves each image by whole pixels.
func translate(x *torch.Tensor, g *torch.Generator) *torch.Tensor {
	sh := x.Shape()
	// Where each row and column of the result comes from, [N, H] and [N, W], and which of them exist.
	source := func(size int64) (from, exists *torch.Tensor) {
		by := (size + 4) / 8 // an eighth, rounded
		from = drawInts(x, g, -by, by+1).Add(x.Scope().Arange(0, size, torch.Options{Device: x.Device()}))
		exists = from.GeScalar(0).Mul(from.LtScalar(float64(size)))
		return torch.Call("aten::clamp", from, int64(0), size-1), exists
	}
	rows, inY := source(sh[2])
	columns, inX := source(sh[3])
	// Call: the methods' scalars are floats and would make floats of the indices.
	at := torch.Call("aten::mul.Scalar", rows, sh[3]).Unsqueeze(2).Add(columns.Unsqueeze(1)).Reshape(sh[0], 1, sh[2]*sh[3])
	exists := inY.Unsqueeze(2).Mul(inX.Unsqueeze(1)).Unsqueeze(1).To(x.DType())
	moved := x.Flatten(2).Gather(2, at.Expand(sh[0], sh[1], sh[2]*sh[3]))
	return moved.Reshape(sh...).Mul(exists)
}

// cutout sets a rectangle of each image to zero.
func cutout(x *torch.Tensor, g *torch.Generator) *torch.Tensor {
	// Which rows and columns it covers, [N, H] and [N, W]; part of it may lie outside.
	covered := func(size int64) *torch.Tensor {
		length := (size + 1) / 2 // half, rounded
		start := drawInts(x, g, -(length / 2), size+1-length%2-length/2)
		i := x.Scope().Arange(0, size, torch.Options{Device: x.Device()}).Sub(start)
		return i.GeScalar(0).Mul(i.LtScalar(float64(length)))
	}
	hole := covered(x.Size(2)).Unsqueeze(2).Mul(covered(x.Size(3)).Unsqueeze(1)).Unsqueeze(1)
	return x.Mul(hole.LogicalNot().To(x.DType()))
}
