package tigas

import (
	"sync"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// limitsCut tells whether clamp of this libtorch has no gradient at its limits: that is so from 2.14 on. Before, it had that of
// the inside.
var limitsCut = sync.OnceValue(func() bool {
	s := torch.NewScope()
	defer s.Close()
	var cut bool
	torch.EnableGrad(func() {
		x := s.Ones([]int64{1}).RequiresGrad(true)
		cut = torch.Grad(x.Clamp(-1, 1).Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0].Float64() == 0
	})
	return cut
})

// offLimits are the images with pixels of exactly 0 or 1 moved inside by less than anything that matters, where clamp cuts their
// gradient. Such pixels are those of saturated generators, and of diffusion's clipped images, which are to get one. What lies
// outside stays there.
func offLimits(images *torch.Tensor) *torch.Tensor {
	if !images.IsGradRequired() || !limitsCut() {
		return images
	}
	const step = 1.0 / (1 << 24) // the smallest that float32 has below 1
	var moved *torch.Tensor
	torch.NoGrad(func() {
		x := images.Detach()
		moved = x.EqScalar(0).To(torch.Float32).Sub(x.EqScalar(1).To(torch.Float32)).MulScalar(step)
	})
	return images.Add(moved)
}
