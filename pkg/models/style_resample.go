package models

import (
	"sync"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// resampler is the separable filter [1 3 3 1], normalised, with which StyleGAN2 blurs whatever changes its size. Pixels
// outside of an image are zeros. It has no trained tensors.
type resampler struct {
	one  *torch.Tensor // [1, 1, 4, 4], sum 1
	four *torch.Tensor // sum 4, for images with zeros between their pixels

	scope    *torch.Scope // of the network
	lock     sync.Mutex   // guards matrices
	matrices map[bandedOn]*torch.Tensor
}

func newResampler(b nn.Builder) *resampler {
	f := []float64{1, 3, 3, 1}
	k := make([]float64, 0, 16)
	for _, y := range f {
		for _, x := range f {
			k = append(k, y*x/64)
		}
	}
	r := &resampler{one: b.Buffer(0, 1, 1, 4, 4), four: b.Buffer(0, 1, 1, 4, 4), scope: b.Scope}
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

// blur4 filters to [N, C, H + 2 pad - 3, W + 2 pad - 3], the filter's sum is 4.
func (r *resampler) blur4(x *torch.Tensor, pad int64) *torch.Tensor {
	if products(x) {
		return r.multiplied(x, func(n int64) banded { return banded{n, n + 2*pad - 3, pad, 1, 2} })
	}
	return filtered(x, r.four, torch.ConvOptions{Padding: pad}, (*torch.Tensor).Conv2d)
}

// blur is blur4 with a filter of sum 1.
func (r *resampler) blur(x *torch.Tensor, pad int64) *torch.Tensor {
	if products(x) {
		return r.multiplied(x, func(n int64) banded { return banded{n, n + 2*pad - 3, pad, 1, 1} })
	}
	return filtered(x, r.one, torch.ConvOptions{Padding: pad}, (*torch.Tensor).Conv2d)
}

// half returns [N, C, H/2, W/2]: each pixel is the mean of 4 x 4, with weights, around the middle of the 2 x 2 that it
// stands for.
func (r *resampler) half(x *torch.Tensor) *torch.Tensor {
	if products(x) {
		return r.multiplied(x, func(n int64) banded { return banded{n, (n-2)/2 + 1, 1, 2, 1} })
	}
	return filtered(x, r.one, torch.ConvOptions{Padding: 1, Stride: 2}, (*torch.Tensor).Conv2d)
}

// double returns [N, C, 2H, 2W]: the transpose of half, times 4. Away from the border it is bilinear interpolation.
func (r *resampler) double(x *torch.Tensor) *torch.Tensor {
	if products(x) {
		return r.multiplied(x, func(n int64) banded { return banded{n, 2 * n, 2, 0, 2} })
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

// products tells whether filters are products with matrices: where the second derivative of a convolution with a group per
// channel, which R1 and the path length take, is a launch for each group. On an H200 it takes 640 ms for [16, 128, 128, 128], a
// thousand times the first one. The derivatives of a product with a constant are products again, and matrix units are so fast
// that zeros in a matrix do not matter: reading and writing the images is what takes the time.
var products = func(x *torch.Tensor) bool { return x.Device().IsCUDA() }

// banded is one of the filters along one dimension.
type banded struct {
	in, out int64 // lengths
	pad     int64 // zeros in front
	step    int64 // of the result in the input; 0: the input has a zero behind each pixel
	gain    float64
}

// rows are the filter as a matrix [out, in].
func (f banded) rows() []float64 {
	m := make([]float64, f.out*f.in)
	for o := range f.out {
		for k, v := range []float64{1, 3, 3, 1} {
			at := o*f.step + int64(k) - f.pad
			if f.step == 0 {
				if at = o + int64(k) - f.pad; at%2 != 0 {
					continue
				}
				at /= 2
			}
			if at >= 0 && at < f.in {
				m[o*f.in+at] += v / 8 * f.gain
			}
		}
	}
	return m
}

// matrix is the filter on a device, made when it is first wanted.
func (r *resampler) matrix(f banded, x *torch.Tensor) *torch.Tensor {
	r.lock.Lock()
	defer r.lock.Unlock()
	key := bandedOn{f, x.Device()}
	if m := r.matrices[key]; m != nil {
		return m
	}
	s := r.scope.Child()
	var m *torch.Tensor
	torch.NoGrad(func() {
		m = s.FromFloat64s(f.rows(), f.out, f.in)
		if t := r.one.DType(); t != torch.Float64 {
			m = m.To(t)
		}
		m = m.ToDevice(x.Device())
	})
	if r.matrices == nil {
		r.matrices = map[bandedOn]*torch.Tensor{}
	}
	r.matrices[key] = m
	s.Seal()
	return m
}

type bandedOn struct {
	banded
	d torch.Device
}

// multiplied filters x [N, C, H, W] along both dimensions, in whichever layout it is.
func (r *resampler) multiplied(x *torch.Tensor, along func(n int64) banded) *torch.Tensor {
	sh := x.Shape()
	down, across := along(sh[2]), along(sh[3])
	mh, mw := x.Scope().Use(r.matrix(down, x)), x.Scope().Use(r.matrix(across, x))
	c := sh[1]
	// -1 is the batch: other sizes of a traced network are those of the trace.
	if st := x.Strides(); st[1] == 1 && c > 1 { // channels last: [H', H] times [H, W C], then [W', W] times [W, C]
		y := x.Permute(0, 2, 3, 1).Reshape(-1, sh[2], sh[3]*c)
		y = mh.MatMul(y).Reshape(-1, sh[3], c)
		return mw.MatMul(y).Reshape(-1, down.out, across.out, c).Permute(0, 3, 1, 2)
	}
	y := x.Reshape(-1, sh[3]).MatMul(mw.Transpose(0, 1)).Reshape(-1, sh[2], across.out)
	return mh.MatMul(y).Reshape(-1, c, down.out, across.out)
}
