package trainers

import (
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// R1Penalty keeps a discriminator's gradient small on real images (Mescheder et al. 2018, arXiv 1801.04406):
//
//	gamma/2 * mean over i of the sum of squares of the gradient of critic at x_i
//
// real is [N, ...] and is taken without its history. The result can be differentiated with respect to the discriminator's
// parameters. With lazy regularisation on every k-th step it is multiplied by k, and Adam is corrected ([LazyAdam]). On
// generated images it is R2.
func R1Penalty(critic func(x *torch.Tensor) *torch.Tensor, real *torch.Tensor, gamma float64) *torch.Tensor {
	x := real.Detach().RequiresGrad(true)
	return slope(critic, x).Square().Sum().MulScalar(gamma / 2 / float64(x.Size(0)))
}

// R1Gamma is StyleGAN2-ADA's rule for gamma: 0.0002 * resolution² / batch.
func R1Gamma(resolution, batch int) float64 {
	return 0.0002 * float64(resolution) * float64(resolution) / float64(batch)
}

// LazyAdam corrects Adam for a term that is added on every k-th step in an update of its own (Karras et al. 2019, arXiv
// 1912.04958, appendix B): there are k + 1 updates where there were k, so the learning rate is multiplied by c = k/(k+1)
// and the betas are raised to the power of c.
func LazyAdam(k int, lr, beta1, beta2 float64) (float64, float64, float64) {
	c := float64(k) / float64(k+1)
	return lr * c, math.Pow(beta1, c), math.Pow(beta2, c)
}

// PathLengthDecay is how fast the running mean of path lengths follows, StyleGAN2's value.
const PathLengthDecay = 0.01

// PathLengthPenalty makes steps of one length in the space of styles change images by one amount (Karras et al. 2019,
// section 3.2):
//
//	mean over i of (l_i - a)²,   l_i = sqrt(mean over layers of the sum of squares of J_i),
//	J_i = gradient of the sum of images * noise / sqrt(H W) with respect to styles
//
// images [N, C, H, W] were made of styles [N, L, D], which require gradients; noise is standard normal, of the images'
// shape. mean is the running mean of lengths before this step, 0 at the start; the new one, a = mean + 0.01 (mean of l -
// mean), is in the penalty with its gradient and is returned without: it belongs into a snapshot. The penalty's usual
// weight is 2, on every 4th step, for half of a batch.
func PathLengthPenalty(images, styles, noise *torch.Tensor, mean *torch.Tensor) (penalty, newMean *torch.Tensor) {
	if sh := styles.Shape(); len(sh) != 3 {
		panic(&torch.Error{Op: "trainers.PathLengthPenalty", Msg: fmt.Sprintf("got styles %v vs [N L D]", sh)})
	}
	pixels := float64(images.Size(2) * images.Size(3))
	along := images.Mul(noise).Sum().DivScalar(math.Sqrt(pixels))
	j := torch.Grad(along, []*torch.Tensor{styles}, torch.GradOptions{CreateGraph: true})[0]
	// 1e-8: the derivative of the root is infinite at 0.
	length := j.Square().SumDim([]int64{2}, false).MeanDim([]int64{1}, false).AddScalar(1e-8).Sqrt()
	a := mean.Lerp(length.Mean(), PathLengthDecay)
	return length.Sub(a).Square().Mean(), a.Detach()
}
