package customtraining

import (
	"context"
	"image"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// Tensors are the ways of pixels into a tensor, and one of them back.
func Tensors(s *torch.Scope, planes, rgb []byte, values []float32, img image.Image, n, h, w int64) (l []*torch.Tensor, out *image.NRGBA) {
	// block: pixels
	a := torch.FromSlice(s, planes, n, 3, h, w).To(torch.Float32).DivScalar(127.5).SubScalar(1)   // bytes, plane by plane, to [-1, 1]
	b := torch.FromSlice(s, rgb, n, h, w, 3).Permute(0, 3, 1, 2).To(torch.Float32).DivScalar(255) // RGBRGB..., to [0, 1]
	c := s.FromFloat32s(values, n, 3, h, w)                                                       // copied as they are
	d := s.FromImage(img).Unsqueeze(0).To(torch.Float32).DivScalar(255)                           // an image.Image, [1, 3, H, W]
	out = tigas.Symmetric.ToUnit(a).Select(0, 0).ToImage()                                        // the first one of a, to be saved
	// end
	return []*torch.Tensor{a, b, c, d}, out
}

// Load calls use with batches of a folder's pictures, until it returns false.
func Load(root *torch.Scope, path string, use func(x *torch.Tensor) bool) error {
	// block: loader
	pictures, err := data.Open(path, 64) // a folder, a .zip, CIFAR-10, MNIST, or "demo"
	if err != nil {
		return err
	}
	loader, err := data.NewLoader(pictures, data.LoaderOptions{
		Batch: 16, Seed: 1, Transform: data.Transform{Resolution: 64, Crop: data.CropCenter, Mirror: true}})
	if err != nil {
		return err
	}
	for batch, err := range loader.Batches(context.Background()) { // without end: leave the loop when you have enough
		if err != nil {
			return err
		}
		more := false
		err = root.Scoped(func(s *torch.Scope) error {
			n, r := int64(batch.N), int64(batch.R)
			x := torch.FromSlice(s, batch.Pixels, n, 3, r, r).To(torch.Float32).DivScalar(127.5).SubScalar(1)
			more = use(x)
			return nil
		})
		if err != nil || !more {
			return err
		}
	}
	// end
	return nil
}
