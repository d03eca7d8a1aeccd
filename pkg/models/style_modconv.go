package models

import (
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

const demodulationEps = 1e-8

// Modulation multiplies a weight's input channels by a style, demodulation divides its output channels by the norm of
// what results (section 2.2 of the paper). Both are written as scales of the feature maps on either side of a convolution
// with the one weight that all images share: as a convolution is linear, that is the same, and it is not the convolution
// with as many groups as images that the paper's appendix B describes, which CPUs are slow at.

// modulated convolves x [N, in, H, W], its channels scaled by the style [N, in], with weight [out, in, 3, 3]. With a
// resampler the result has twice the size: a transposed convolution of stride 2 gives 2H + 1, the filter 2H.
func modulated(x, weight, style *torch.Tensor, up *resampler) *torch.Tensor {
	x = x.Mul(style.Unsqueeze(2).Unsqueeze(3).To(x.DType()))
	if up == nil {
		return x.Conv2d(weight, nil, torch.ConvOptions{Padding: 1})
	}
	// The transpose correlates with the weight turned round: that is how the published weights are meant.
	w := x.Scope().Use(weight).Transpose(0, 1)
	return up.blur4(x.ConvTranspose2d(w, nil, torch.ConvOptions{Stride: 2}), 1)
}

// demodulation returns [N, out]: 1 / sqrt(sum over inputs and positions of (weight * style)² + eps).
func demodulation(weight, style *torch.Tensor) *torch.Tensor {
	squares := style.Scope().Use(weight).Square().SumDim([]int64{2, 3}, false)
	return style.Square().MatMul(squares.Transpose(0, 1)).AddScalar(demodulationEps).Rsqrt()
}

// styleConv is a layer of the synthesis: modulated convolution 3 x 3, noise, bias, activation.
type styleConv struct {
	Weight        *torch.Tensor `torch:"weight"`             // [out, in, 3, 3]
	NoiseStrength *torch.Tensor `torch:"noise_strength"`     // a number
	Bias          *torch.Tensor `torch:"bias"`               // [out]
	NoiseConst    *torch.Tensor `torch:"noise_const,buffer"` // [R, R]
	Affine        *styleLinear  // from w to the style [in]
	up            *resampler    // nil: the layer keeps the size
}

func newStyleConv(b nn.Builder, c StyleConfig, in, out, resolution int64, up *resampler) *styleConv {
	l := &styleConv{
		Weight: b.Param(out, in, 3, 3), NoiseStrength: b.Param([]int64{}...), Bias: b.Param(out),
		NoiseConst: b.Buffer(0, resolution, resolution),
		Affine:     newStyleLinear(b, int64(c.StyleDim), in, 1, 1), up: up,
	}
	b.Normal(l.Weight, 0, 1)
	b.Normal(l.NoiseConst, 0, 1)
	return l
}

// forward maps x [N, in, H, W] and w [N, StyleDim] to [N, out, R, R].
func (l *styleConv) forward(x, w *torch.Tensor, noise StyleNoise) *torch.Tensor {
	var style, scale *torch.Tensor
	precise(w, func() {
		style = l.Affine.times(w, 1)
		scale = demodulation(l.Weight, style).MulScalar(styleGain)
	})
	y := modulated(x, l.Weight, style, l.up)
	s, t := y.Scope(), y.DType()
	// Noise and bias first, which is less to write in the backward pass than one after the other.
	shift := s.Use(l.Bias).MulScalar(styleGain).Reshape(-1, 1, 1).To(t)
	if n := noise.draw(y, l.NoiseConst); n != nil {
		shift = n.To(t).Mul(s.Use(l.NoiseStrength).MulScalar(styleGain).To(t)).Add(shift)
	}
	return y.Mul(scale.Unsqueeze(2).Unsqueeze(3).To(t)).Add(shift).LeakyReLU(styleSlope)
}

// styleRGB is a modulated convolution 1 x 1 to colours, without demodulation and activation.
type styleRGB struct {
	Weight *torch.Tensor `torch:"weight"` // [3, in, 1, 1]
	Bias   *torch.Tensor `torch:"bias"`   // [3]
	Affine *styleLinear
}

func newStyleRGB(b nn.Builder, c StyleConfig, in int64) *styleRGB {
	l := &styleRGB{
		Weight: b.Param(3, in, 1, 1), Bias: b.Param(3), Affine: newStyleLinear(b, int64(c.StyleDim), in, 1, 1),
	}
	b.Normal(l.Weight, 0, 1)
	return l
}

// forward maps x [N, in, H, W] and w [N, StyleDim] to [N, 3, H, W], float32 for colours are summed over all sizes. Weights of each
// image's own are small here, and matrices [3, in] by [in, H W] spare a scaled copy of x.
func (l *styleRGB) forward(x, w *torch.Tensor) *torch.Tensor {
	sh := x.Shape()
	s := x.Scope()
	var style *torch.Tensor
	precise(w, func() { style = l.Affine.times(w, 1/math.Sqrt(float64(sh[1]))) })
	weights := s.Use(l.Weight).Reshape(1, 3, sh[1]).Mul(style.Unsqueeze(1))
	y := weights.MatMul(x.Flatten(2)).To(w.DType()).Add(s.Use(l.Bias).Reshape(3, 1))
	return y.Reshape(-1, 3, sh[2], sh[3])
}
