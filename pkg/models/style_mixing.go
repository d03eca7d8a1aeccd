package models

import (
	"fmt"
	"slices"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// RandomCuts draws n layers at which [MixStyles] changes from one style to the other, as int64 [n] in s on device d: with
// probability p uniform in 1..layers-1, otherwise layers, which mixes nothing. The paper's p is 0.9. One number mixes a
// batch at one layer, as StyleGAN2-ADA does; as many as there are images give each its own. gen belongs to d; nil is
// libtorch's default generator. Nothing waits for the device.
func RandomCuts(s *torch.Scope, gen *torch.Generator, n, layers int64, p float64, d torch.Device) *torch.Tensor {
	if n < 1 || layers < 2 || !(p >= 0 && p <= 1) {
		panic(&torch.Error{Op: "RandomCuts",
			Msg: fmt.Sprintf("got n %d, layers %d, p %v vs n >= 1, layers >= 2, p from 0 to 1", n, layers, p)})
	}
	// Float64: its uniform numbers are too fine to round up to layers.
	o := torch.Options{DType: torch.Float64, Device: d}
	cut := s.Rand(gen, []int64{n}, o).MulScalar(float64(layers - 1)).Floor().AddScalar(1).To(torch.Int64)
	none := s.Full([]int64{n}, float64(layers), torch.Options{DType: torch.Int64, Device: d})
	return torch.Where(s.Rand(gen, []int64{n}, o).LtScalar(p), cut, none)
}

// MixStyles is style mixing (Karras et al. 2018, arXiv 1812.04948, section 3.1): of two batches of styles [N, L, D] it
// takes the layers below cut from the first and the others from the second. cut is int64 [1] or [N], on the same device.
// It panics on other shapes.
func MixStyles(first, second, cut *torch.Tensor) *torch.Tensor {
	sh := first.Shape()
	if len(sh) != 3 || !slices.Equal(second.Shape(), sh) {
		panic(styleError("MixStyles", second, "[N L D] in both, got %v first", first))
	}
	if cut.Dim() != 1 || cut.Size(0) != 1 && cut.Size(0) != sh[0] {
		panic(styleError("MixStyles", cut, "a cut [1] or [%d]", sh[0]))
	}
	layer := first.Scope().Arange(0, sh[1], torch.Options{Device: first.Device()})
	return torch.Where(layer.Lt(cut.Unsqueeze(1)).Unsqueeze(2), first, second)
}
