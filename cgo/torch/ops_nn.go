package torch

// MatMul is the matrix product, with PyTorch's rules for other numbers of dimensions.
func (t *Tensor) MatMul(o *Tensor) *Tensor { return opMatmul.call1(t, o) }

// Linear returns t Wᵀ + b for t [..., in] and w [out, in]; b [out] may be nil.
func (t *Tensor) Linear(w, b *Tensor) *Tensor { return opLinear.call1(t, w, b) }

// ConvOptions are the settings of a two-dimensional convolution. The zero value is PyTorch's default: stride 1, no
// padding, dilation 1, one group.
type ConvOptions struct {
	Stride        int64 // 0 means 1
	Padding       int64 // zeros on each side
	OutputPadding int64 // ConvTranspose2d only
	Dilation      int64 // 0 means 1
	Groups        int64 // 0 means 1
}

func orOne(v int64) int64 {
	if v == 0 {
		return 1
	}
	return v
}

// Conv2d correlates t [N, in, H, W] with w [out, in/groups, kh, kw]; b [out] may be nil.
func (t *Tensor) Conv2d(w, b *Tensor, o ConvOptions) *Tensor {
	return opConv2d.call1(t, w, b, orOne(o.Stride), o.Padding, orOne(o.Dilation), orOne(o.Groups))
}

// ConvTranspose2d is the transpose of [Tensor.Conv2d] for t [N, in, H, W] and w [in, out/groups, kh, kw]; the result has
// size (H-1)*stride - 2*padding + dilation*(kh-1) + outputPadding + 1.
func (t *Tensor) ConvTranspose2d(w, b *Tensor, o ConvOptions) *Tensor {
	return opConvT2d.call1(t, w, b, orOne(o.Stride), o.Padding, o.OutputPadding, orOne(o.Groups), orOne(o.Dilation))
}

// BatchNorm normalises over all dimensions but the second. With training it uses the batch's statistics and moves
// runningMean and runningVar (unbiased) towards them by momentum; otherwise it uses those. All four may be nil.
func (t *Tensor) BatchNorm(w, b, runningMean, runningVar *Tensor, training bool, momentum, eps float64) *Tensor {
	return opBatchNorm.call1(t, w, b, runningMean, runningVar, training, momentum, eps, true)
}

// LayerNorm normalises over the last len(shape) dimensions, whose sizes shape gives; w and b of that shape may be nil.
func (t *Tensor) LayerNorm(shape []int64, w, b *Tensor, eps float64) *Tensor {
	return opLayerNorm.call1(t, shape, w, b, eps)
}

// GroupNorm normalises over groups of channels (dimension 1) and all positions; w and b [C] may be nil.
func (t *Tensor) GroupNorm(groups int64, w, b *Tensor, eps float64) *Tensor {
	return opGroupNorm.call1(t, groups, w, b, eps)
}

// Dropout zeroes elements with probability p and scales the others by 1/(1-p); without training it returns t.
func (t *Tensor) Dropout(p float64, training bool) *Tensor { return opDropout.call1(t, p, training) }

// AvgPool2d averages k x k windows at distance k.
func (t *Tensor) AvgPool2d(k int64) *Tensor { return opAvgPool2d.call1(t, k) }

// MaxPool2d takes the largest element of k x k windows at distance k.
func (t *Tensor) MaxPool2d(k int64) *Tensor { return opMaxPool2d.call1(t, k) }

// UpsampleNearest2d resizes t [N, C, H, W] to h x w by copying the nearest pixel.
func (t *Tensor) UpsampleNearest2d(h, w int64) *Tensor {
	return opUpNearest.call1(t, []int64{h, w})
}

// Resize resizes t [N, C, H, W] to h x w by bilinear interpolation with pixel centres at halves (align_corners=False).
// With antialias, shrinking averages over all pixels, so that each of them gets a gradient; without, it samples.
func (t *Tensor) Resize(h, w int64, antialias bool) *Tensor {
	if antialias {
		return opUpBilinearAA.call1(t, []int64{h, w}, false)
	}
	return opUpBilinear.call1(t, []int64{h, w}, false)
}

// Reductions of element-wise losses, as libtorch numbers them.
const (
	reduceMean = 1
)

// MSE is the mean of (t - target)² over all elements, a scalar.
func (t *Tensor) MSE(target *Tensor) *Tensor { return opMSE.call1(t, target, reduceMean) }

// L1 is the mean of |t - target| over all elements, a scalar.
func (t *Tensor) L1(target *Tensor) *Tensor { return opL1.call1(t, target, reduceMean) }

// SmoothL1 is the mean of 0.5 d²/beta where |d| < beta and |d| - 0.5 beta elsewhere, d = t - target.
func (t *Tensor) SmoothL1(target *Tensor, beta float64) *Tensor {
	return opSmoothL1.call1(t, target, reduceMean, beta)
}

// BCEWithLogits is the mean binary cross-entropy of logits t against targets in [0, 1], without overflow.
func (t *Tensor) BCEWithLogits(target *Tensor) *Tensor {
	return opBCEWithLogits.call1(t, target, nil, nil, reduceMean)
}

var (
	opMatmul        = op("aten::matmul")
	opLinear        = op("aten::linear")
	opConv2d        = op("aten::conv2d")
	opConvT2d       = op("aten::conv_transpose2d.input")
	opBatchNorm     = op("aten::batch_norm")
	opLayerNorm     = op("aten::layer_norm")
	opGroupNorm     = op("aten::group_norm")
	opDropout       = op("aten::dropout")
	opAvgPool2d     = op("aten::avg_pool2d")
	opMaxPool2d     = op("aten::max_pool2d")
	opUpNearest     = op("aten::upsample_nearest2d")
	opUpBilinear    = op("aten::upsample_bilinear2d")
	opUpBilinearAA  = op("aten::_upsample_bilinear2d_aa")
	opMSE           = op("aten::mse_loss")
	opL1            = op("aten::l1_loss")
	opSmoothL1      = op("aten::smooth_l1_loss")
	opBCEWithLogits = op("aten::binary_cross_entropy_with_logits")
)
