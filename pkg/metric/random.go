package metric

import (
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// RandomFeatures is a fixed convolutional network whose weights come from a constant seed: three stages of 3 x 3
// convolutions (32, 64, 128 channels, stride 2 after the first, leaky ReLU), the mean and the standard deviation of
// every channel over the image, and a 6 x 6 thumbnail. It is never trained.
type RandomFeatures struct {
	weights []*torch.Tensor
}

// FeatureWidth is the length of a feature vector: 2 * (32 + 64 + 128) pooled values and 3 * 6 * 6 of the thumbnail.
const FeatureWidth = 2*(32+64+128) + 3*6*6

// NewRandomFeatures makes the network in s, on the CPU.
func NewRandomFeatures(s *torch.Scope) (*RandomFeatures, error) {
	g, err := s.NewGenerator(torch.CPU, 20240229)
	if err != nil {
		return nil, err
	}
	f := &RandomFeatures{}
	in := int64(3)
	for _, out := range []int64{32, 64, 128} {
		// He initialisation keeps the scale of the activations through the stages.
		w := s.Randn(g, []int64{out, in, 3, 3}).MulScalar(math.Sqrt(2 / float64(9*in)))
		f.weights = append(f.weights, w)
		in = out
	}
	return f, nil
}

// Of returns the features [N, FeatureWidth] of images [N, 3, H, W] in [-1, 1], in the images' scope.
func (f *RandomFeatures) Of(images *torch.Tensor) (out *torch.Tensor) {
	torch.NoGrad(func() {
		x := images.ToDevice(torch.CPU).To(torch.Float32)
		parts := []*torch.Tensor{x.Resize(6, 6, true).Flatten(1)}
		for i, w := range f.weights {
			stride := int64(2)
			if i == 0 {
				stride = 1
			}
			x = x.Conv2d(w, nil, torch.ConvOptions{Stride: stride, Padding: 1}).LeakyReLU(0.2)
			parts = append(parts, x.MeanDim([]int64{2, 3}, false),
				x.VarDim([]int64{2, 3}, false, false).AddScalar(1e-8).Sqrt())
		}
		out = torch.Cat(parts, 1)
	})
	return out
}
