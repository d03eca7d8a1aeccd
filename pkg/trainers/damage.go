package trainers

import (
	"math"
	"math/rand/v2"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Damage spoils images the way generators do: checkerboard patterns of transposed convolutions, blur, noise, and few
// levels of colour. A detector trained on such copies of real images beside generated ones looks for more than the marks
// of one generator.
type Damage int

// The kinds of damage.
const (
	Checkerboard Damage = iota
	Blur
	Noise
	Quantise
	damages
)

// Damaged returns images [N, 3, H, W] in [0, 1] with one kind of damage of random strength, in their scope. Random numbers
// come from rng and g.
func Damaged(x *torch.Tensor, kind Damage, rng *rand.Rand, g *torch.Generator) *torch.Tensor {
	n, h, w := x.Size(0), x.Size(2), x.Size(3)
	s := x.Scope()
	strength := rng.Float64()
	switch kind {
	case Checkerboard:
		period := int64(2 << rng.IntN(2)) // 2 or 4 pixels
		sign := func(size int64) *torch.Tensor {
			return s.Arange(0, size).To(torch.Float32).DivScalar(float64(period) / 2).Floor().MulScalar(math.Pi).Cos()
		}
		pattern := sign(h).Reshape(1, 1, h, 1).Mul(sign(w).Reshape(1, 1, 1, w))
		tint := s.Randn(g, []int64{n, 3, 1, 1})
		return x.Add(pattern.Mul(tint).MulScalar(0.03+0.1*strength)).Clamp(0, 1)
	case Blur:
		f := 0.35 + 0.4*strength
		small := x.Resize(max(2, int64(float64(h)*f)), max(2, int64(float64(w)*f)), true)
		return small.Resize(h, w, false)
	case Noise:
		size := []int64{n, 3, h, w}
		if rng.IntN(2) == 1 { // blotches instead of grain
			size = []int64{n, 3, h / 4, w / 4}
		}
		noise := s.Randn(g, size)
		if size[2] != h {
			noise = noise.Resize(h, w, false)
		}
		return x.Add(noise.MulScalar(0.03+0.15*strength)).Clamp(0, 1)
	default:
		levels := float64(3 + rng.IntN(5))
		return x.MulScalar(levels).Round().DivScalar(levels)
	}
}

// RandomDamage is Damaged with a kind chosen by rng.
func RandomDamage(x *torch.Tensor, rng *rand.Rand, g *torch.Generator) *torch.Tensor {
	return Damaged(x, Damage(rng.IntN(int(damages))), rng, g)
}
