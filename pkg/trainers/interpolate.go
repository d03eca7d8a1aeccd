package trainers

import (
	"fmt"
	"slices"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// straight is the sine of the angle below which an arc is taken as straight. From there on acos in float64 gives an angle to
// six digits and better; a chord lies inside its arc by an eighth of the angle squared at most, 1e-11 of the length.
const straight = 1e-5

// Slerp goes from a (t = 0) to b (t = 1) along the great circle, for each sample by itself (White 2016, arXiv 1609.04468):
//
//	n (sin((1-t)θ) a/|a| + sin(tθ) b/|b|) / sin θ,   n = (1-t)|a| + t|b|,   θ the angle between a and b
//
// The norm n is between those of a and b. The paper's formula, without the division by |a| and |b|, gives that for equal
// norms only; for those it is this one. Gaussian latents lie near a sphere, and the short ones on the straight line between
// two are none that a generator was trained with.
//
// a and b are [N, ...] of one shape and floating-point type, which the result has too; norms and angles are over all
// dimensions but the first. The result is a itself at t = 0 and b at t = 1. Where the angle is below 1e-5
// or one of the two is 0, the way is straight. So it is, and goes by 0, where they are opposite to within 1e-5: no great
// circle is the shortest there. Slerp is not for gradients, which are NaN in those cases. It panics with *[torch.Error] for
// other shapes and types, and for t outside of [0, 1].
func Slerp(a, b *torch.Tensor, t float64) *torch.Tensor {
	const op = "trainers.Slerp"
	shape := a.Shape()
	if len(shape) < 2 || !slices.Equal(shape, b.Shape()) || !a.DType().IsFloat() || a.DType() != b.DType() {
		panic(&torch.Error{Op: op, Msg: fmt.Sprintf("got %v and %v vs one shape [N ...] and one floating-point type", a, b)})
	}
	if !(t >= 0 && t <= 1) {
		panic(&torch.Error{Op: op, Msg: fmt.Sprintf("got t = %v vs a number from 0 to 1", t)})
	}
	// In float32 angles near 0 and 180 degrees would be lost.
	x, y := a.Flatten(1).To(torch.Float64), b.Flatten(1).To(torch.Float64)
	row := []int64{1}
	nx, ny := x.Square().SumDim(row, true).Sqrt(), y.Square().SumDim(row, true).Sqrt()
	n, product := nx.Lerp(ny, t), nx.Mul(ny)
	angle := torch.Call("aten::acos", x.Mul(y).SumDim(row, true).Div(product).Clamp(-1, 1))
	sin := angle.Sin()
	weight := func(t float64) *torch.Tensor {
		return torch.Where(sin.LtScalar(straight), sin.OnesLike().MulScalar(t), angle.MulScalar(t).Sin().Div(sin))
	}
	arc := x.Mul(weight(1 - t).Mul(n.Div(nx))).Add(y.Mul(weight(t).Mul(n.Div(ny))))
	// Without a direction the quotients are NaN; where drops them.
	return torch.Where(product.EqScalar(0), x.Lerp(y, t), arc).To(a.DType()).Reshape(shape...)
}

// LatentWalk is a closed walk through all keys in order and from the last back to the first, with [Slerp] between them.
// Frame i is at i/frames of the loop, each piece taking as long as the others; frame number `frames` would be the first
// again, so that an animation goes round without a jump. Where i len(keys)/frames is whole, the frame is that key itself.
//
// keys is [K, ...] of a floating-point type, such as latents [K, D] or one sample's style for each key; the result is
// [frames, ...] in the scope of keys. One key gives a picture that stands still; with fewer frames than keys, some keys are
// passed by. LatentWalk panics with *[torch.Error] for no key, fewer than two dimensions, and frames below 1.
func LatentWalk(keys *torch.Tensor, frames int) *torch.Tensor {
	return walk("trainers.LatentWalk", keys, frames, Slerp)
}

// StyleWalk is [LatentWalk] in straight lines, for the styles [K, L, D] of a StyleGAN, which do not lie on a sphere.
func StyleWalk(keys *torch.Tensor, frames int) *torch.Tensor {
	return walk("trainers.StyleWalk", keys, frames, (*torch.Tensor).Lerp)
}

func walk(op string, keys *torch.Tensor, frames int, between func(a, b *torch.Tensor, t float64) *torch.Tensor) *torch.Tensor {
	if keys.Dim() < 2 || keys.Size(0) < 1 || frames < 1 {
		panic(&torch.Error{Op: op, Msg: fmt.Sprintf("got %d frames through %v vs 1 or more through [K ...]", frames, keys)})
	}
	s := keys.Scope().Child()
	defer s.Close()
	k := int(keys.Size(0))
	key := func(i int) *torch.Tensor { return s.Use(keys).Narrow(0, int64(i%k), 1) }
	out := make([]*torch.Tensor, frames)
	for i := range out {
		from, t := i*k/frames, float64(i*k%frames)/float64(frames)
		out[i] = between(key(from), key(from+1), t)
	}
	return torch.Cat(out, 0).MoveTo(keys.Scope())
}
