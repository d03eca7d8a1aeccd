package tigas

import (
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Real pictures keep their score when they are blurred a little or compressed; a generator that has found a weakness of the
// detector draws a fine pattern into its images that does not survive this. [Blur] and [Compress] are for looking at images,
// not for training: rounding has no gradient.

// Blur is images [N, C, H, W] after a binomial filter of 3 x 3, (1 2 1)/4 each way, mirrored at the border: what a viewer
// hardly sees. H and W are 2 at least.
func Blur(images *torch.Tensor) *torch.Tensor {
	s, c := images.Scope(), images.Size(1)
	k := s.FromFloat32s([]float32{1, 2, 1, 2, 4, 2, 1, 2, 1}, 1, 1, 3, 3).DivScalar(16).ToDevice(images.Device())
	x := images.ReflectionPad2d([]int64{1, 1, 1, 1})
	return x.Conv2d(k.Expand(c, 1, 3, 3), nil, torch.ConvOptions{Groups: c})
}

// jpegLuminance are the steps of quantisation at quality 50, from the JPEG standard (ITU-T T.81, table K.1).
var jpegLuminance = [64]float64{
	16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
	14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
	18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
	49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
}

// Compress is images [N, C, H, W] in [0, 1] with what JPEG loses at a quality of 1 to 100: the cosine transform of each 8 x 8
// block is rounded to the steps of the standard's table for luminance, in every channel by itself. It is not JPEG: colours
// keep their resolution. A border that is no whole block is continued by its last pixels.
func Compress(images *torch.Tensor, quality int) *torch.Tensor {
	s, sh := images.Scope(), images.Shape()
	n, h, w := sh[0]*sh[1], sh[2], sh[3]
	down, right := (8-h%8)%8, (8-w%8)%8
	x := images.MulScalar(255).SubScalar(128)
	if down+right > 0 {
		x = torch.Call("aten::replication_pad2d", x, []int64{0, right, 0, down})
	}
	rows, columns := (h+down)/8, (w+right)/8
	basis := cosines(s).ToDevice(images.Device())
	steps := s.FromFloat32s(jpegSteps(quality), 64).ToDevice(images.Device())
	blocks := x.Reshape(n, rows, 8, columns, 8).Permute(0, 1, 3, 2, 4).Reshape(-1, 64)
	kept := blocks.MatMul(basis.Transpose(0, 1)).Div(steps).Round().Mul(steps).MatMul(basis)
	x = kept.Reshape(n, rows, columns, 8, 8).Permute(0, 1, 3, 2, 4).Reshape(sh[0], sh[1], h+down, w+right)
	return x.Narrow(2, 0, h).Narrow(3, 0, w).AddScalar(128).DivScalar(255).Clamp(0, 1)
}

// jpegSteps are the steps at a quality, as libjpeg scales them.
func jpegSteps(quality int) []float32 {
	scale := 200 - 2*float64(quality)
	if quality < 50 {
		scale = 5000 / float64(max(1, quality))
	}
	steps := make([]float32, 64)
	for i, v := range jpegLuminance {
		steps[i] = float32(min(255, max(1, math.Floor((v*scale+50)/100))))
	}
	return steps
}

// cosines is the orthonormal matrix [64, 64] of the two-dimensional cosine transform of 8 x 8 blocks (DCT-II): a row for each
// frequency, in the order of the table.
func cosines(s *torch.Scope) *torch.Tensor {
	one := func(u, x int) float64 {
		c := math.Cos(float64(2*x+1)*float64(u)*math.Pi/16) / 2
		if u == 0 {
			c /= math.Sqrt2
		}
		return c
	}
	m := make([]float32, 0, 64*64)
	for v := range 8 {
		for u := range 8 {
			for y := range 8 {
				for x := range 8 {
					m = append(m, float32(one(v, y)*one(u, x)))
				}
			}
		}
	}
	return s.FromFloat32s(m, 64, 64)
}
