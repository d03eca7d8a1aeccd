package models

import (
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// resampler is the separable filter [1 3 3 1], normalised, with which StyleGAN2 blurs whatever changes its size. Pixels
// outside of an image are zeros. It has no trained tensors.
type resampler struct {
	one  *torch.Tensor // [1, 1, 4, 4], sum 1
	four *torch.Tensor // sum 4, for images with zeros between their pixels
}

func newResampler(b nn.Builder) *resampler {
	f := []float64{1, 3, 3, 1}
	k := make([]float64, 0, 16)
	for _, y := range f {
		for _, x := range f {
			k = append(k, y*x/64)
		}
	}
	r := &resampler{one: b.Buffer(0, 1, 1, 4, 4), four: b.Buffer(0, 1, 1, 4, 4)}
	s := b.Scope.Child()
	defer s.Close()
	t := s.FromFloat64s(k, 1, 1, 4, 4)
	r.one.Copy_(t)
	r.four.Copy_(t.MulScalar(4))
	return r
}

// FixedTensors are tensors of a network that are neither trained nor saved, by name: one that is written for use elsewhere needs
// them beside its state dict.
type FixedTensors interface {
	FixedTensors() map[string]*torch.Tensor
}

func (r *resampler) fixed() map[string]*torch.Tensor {
	return map[string]*torch.Tensor{"resample_filter": r.one, "resample_filter_up": r.four}
}

// blur4 filters to [N, C, H + 2 pad - 3, W + 2 pad - 3], pad 0 to 2; the filter's sum is 4.
func (r *resampler) blur4(x *torch.Tensor, pad int64) *torch.Tensor {
	if pools(x) {
		return pooled(x, pad, 1, summed)
	}
	return filtered(x, r.four, torch.ConvOptions{Padding: pad}, (*torch.Tensor).Conv2d)
}

// blur is blur4 with a filter of sum 1.
func (r *resampler) blur(x *torch.Tensor, pad int64) *torch.Tensor {
	if pools(x) {
		return pooled(x, pad, 1, averaged)
	}
	return filtered(x, r.one, torch.ConvOptions{Padding: pad}, (*torch.Tensor).Conv2d)
}

// half returns [N, C, H/2, W/2]: each pixel is the mean of 4 x 4, with weights, around the middle of the 2 x 2 that it
// stands for.
func (r *resampler) half(x *torch.Tensor) *torch.Tensor {
	if pools(x) {
		return pooled(x, 1, 2, averaged)
	}
	return filtered(x, r.one, torch.ConvOptions{Padding: 1, Stride: 2}, (*torch.Tensor).Conv2d)
}

// double returns [N, C, 2H, 2W]: the transpose of half, times 4. Away from the border it is bilinear interpolation.
func (r *resampler) double(x *torch.Tensor) *torch.Tensor {
	if pools(x) {
		// Zeros between the pixels and the first of three pools make copies of each.
		x = torch.Call("aten::upsample_nearest2d", x, []int64{2 * x.Size(2), 2 * x.Size(3)}, nil, nil)
		return pool(pool(x, 1, 1, averaged), 0, 1, averaged)
	}
	return filtered(x, r.four, torch.ConvOptions{Padding: 1, Stride: 2}, (*torch.Tensor).ConvTranspose2d)
}

// conv is a convolution or its transpose.
type conv = func(x, w, b *torch.Tensor, o torch.ConvOptions) *torch.Tensor

// filtered applies one kernel [1, 1, 4, 4] to every channel. On a CPU a convolution with a group per channel is the
// fastest of depthwise, separable, pooled, sliced and matrix forms, forwards and backwards.
func filtered(x, kernel *torch.Tensor, o torch.ConvOptions, f conv) *torch.Tensor {
	o.Groups = x.Size(1)
	return f(x, x.Scope().Use(kernel).Expand(o.Groups, 1, 4, 4), nil, o)
}

// pools tells whether filters are pools: where the second derivative of a convolution with a group per channel, which R1 and
// the path length take, is a launch for each group. On an H200 it takes 640 ms for [16, 128, 128, 128], a thousand times the
// first one; written with channels as images it takes more.
var pools = func(x *torch.Tensor) bool { return x.Device().IsCUDA() }

// What a pool makes of its four pixels, as a divisor.
const (
	averaged = 4
	summed   = 1
)

// pooled filters as blur does, with a stride: [1 3 3 1] is [1 1] three times, so it is three pools of 2 x 2, whose derivatives are
// pools again. Zeros around the image belong to the first ones: what a pool without them drops at the border is then what it
// would be in an image with zeros all around.
func pooled(x *torch.Tensor, pad, stride int64, divisor int) *torch.Tensor {
	x = pool(x, min(pad, 1), 1, divisor)
	x = pool(x, max(pad-1, 0), 1, averaged)
	return pool(x, 0, stride, averaged)
}

// pool sums 2 x 2 pixels and divides, with zeros around the image.
func pool(x *torch.Tensor, pad, stride int64, divisor int) *torch.Tensor {
	const ceil, countZeros = false, true
	return torch.Call("aten::avg_pool2d", x, []int64{2, 2}, []int64{stride, stride}, []int64{pad, pad}, ceil, countZeros, int64(divisor))
}
