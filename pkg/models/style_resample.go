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

// blur4 filters to [N, C, H + 2 pad - 3, W + 2 pad - 3]; the filter's sum is 4.
func (r *resampler) blur4(x *torch.Tensor, pad int64) *torch.Tensor {
	return filtered(x, r.four, torch.ConvOptions{Padding: pad}, (*torch.Tensor).Conv2d)
}

// blur is blur4 with a filter of sum 1.
func (r *resampler) blur(x *torch.Tensor, pad int64) *torch.Tensor {
	return filtered(x, r.one, torch.ConvOptions{Padding: pad}, (*torch.Tensor).Conv2d)
}

// half returns [N, C, H/2, W/2]: each pixel is the mean of 4 x 4, with weights, around the middle of the 2 x 2 that it
// stands for.
func (r *resampler) half(x *torch.Tensor) *torch.Tensor {
	return filtered(x, r.one, torch.ConvOptions{Padding: 1, Stride: 2}, (*torch.Tensor).Conv2d)
}

// double returns [N, C, 2H, 2W]: the transpose of half, times 4. Away from the border it is bilinear interpolation.
func (r *resampler) double(x *torch.Tensor) *torch.Tensor {
	return filtered(x, r.four, torch.ConvOptions{Padding: 1, Stride: 2}, (*torch.Tensor).ConvTranspose2d)
}

// conv is a convolution or its transpose.
type conv = func(x, w, b *torch.Tensor, o torch.ConvOptions) *torch.Tensor

// filtered applies one kernel [1, 1, 4, 4] to every channel. On a CPU a convolution with a group per channel is the
// fastest of depthwise, separable, pooled, sliced and matrix forms, forwards and backwards. Its second derivative works
// group by group, which costs a GPU hundreds of launches, so there channels become images.
func filtered(x, kernel *torch.Tensor, o torch.ConvOptions, f conv) *torch.Tensor {
	if x.Device().IsCUDA() {
		return byImages(x, kernel, o, f)
	}
	return byGroups(x, kernel, o, f)
}

func byGroups(x, kernel *torch.Tensor, o torch.ConvOptions, f conv) *torch.Tensor {
	o.Groups = x.Size(1)
	return f(x, x.Scope().Use(kernel).Expand(o.Groups, 1, 4, 4), nil, o)
}

func byImages(x, kernel *torch.Tensor, o torch.ConvOptions, f conv) *torch.Tensor {
	c := x.Size(1)
	y := f(x.Reshape(-1, 1, x.Size(2), x.Size(3)), kernel, nil, o)
	return y.Reshape(-1, c, y.Size(2), y.Size(3))
}
