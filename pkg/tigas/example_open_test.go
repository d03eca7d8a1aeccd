package tigas_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// Any TorchScript network from images to scores is a detector. This one is written here: its score says how bright an image
// is. The method "logit" is what the form [tigas.Logit] of the loss needs, and may be missing.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "detector")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "brightness.pt")
	err = torch.Scoped(func(s *torch.Scope) error {
		m, err := jit.Define(s, []jit.Named{{Name: "slope", Tensor: s.Scalar(4)}}, nil, `
def logit(self, x: Tensor) -> Tensor:
    return self.slope * (x.mean([1, 2, 3]) - 0.5)
def forward(self, x: Tensor) -> Tensor:
    return torch.sigmoid(self.logit(x))
`)
		if err != nil {
			return err
		}
		if err = m.Save(path); err != nil {
			return err
		}
		det, err := tigas.Open(s, path, tigas.OpenOptions{Height: 32, Logit: true})
		if err != nil {
			return err
		}
		fmt.Println(filepath.Base(det.Name), det.Output, det.HasLogit(), det.Device(), det.ImageSize)
		images := s.FromFloat32s([]float32{0, 0.5, 1}, 3, 1, 1, 1).Expand(3, 3, 32, 32) // black, grey, white
		fmt.Printf("%.3f\n", det.Score(images).Float32s())
		return nil
	})
	fmt.Println(err)
	// Output:
	// brightness.pt tensor true cpu 256
	// [0.119 0.500 0.881]
	// <nil>
}

// What cannot be a loss is refused when it is opened, not after the first epoch. The error says why.
func ExampleOpenBytes() {
	err := torch.Scoped(func(s *torch.Scope) error {
		for _, body := range []string{
			"x.mean([2, 3])", // one number for each channel
			"torch.sigmoid(x.detach().mean([1, 2, 3]))",     // no gradient
			"torch.sigmoid(x.mean([1, 2, 3])).mean() + 2.5", // one number for all images
		} {
			m, err := jit.Define(s, nil, nil, "def forward(self, x: Tensor) -> Tensor:\n    return "+body+"\n")
			if err != nil {
				return err
			}
			file, err := m.Bytes()
			if err != nil {
				return err
			}
			_, err = tigas.OpenBytes(s, file, "mine", tigas.OpenOptions{})
			fmt.Println(err)
		}
		_, err := tigas.OpenBytes(s, []byte("<html>"), "download", tigas.OpenOptions{})
		fmt.Println(err != nil)
		return nil
	})
	fmt.Println(err)
	// Output:
	// tigas: detector mine: returns a tensor [2 3] for 2 images: want one score for each, [2] or [2, 1]
	// tigas: detector mine: its score has no gradient with respect to the image: it was exported under no_grad or computes something that cannot be differentiated
	// tigas: detector mine: returns a tensor [] for 2 images: want one score for each, [2] or [2, 1]
	// true
	// <nil>
}

// The detector that is part of the program knows the demo pictures: they look real to it, and noise does not.
func ExampleEmbedded() {
	err := torch.Scoped(func(s *torch.Scope) error {
		det, err := tigas.Embedded(s, tigas.OpenOptions{})
		if err != nil {
			return err
		}
		pictures, err := data.LoadImages(context.Background(), data.Range(data.NewDemo(32, false), 0, 16), 32, 0)
		if err != nil {
			return err
		}
		real := torch.FromSlice(s, pictures.Pixels, 16, 3, 32, 32).To(torch.Float32).DivScalar(255)
		noise := s.Rand(nil, real.Shape())
		r, f := det.Score(real).Mean().Float64(), det.Score(noise).Mean().Float64()
		fmt.Println(r > 0.5, f < 0.5)
		return nil
	})
	fmt.Println(err)
	// Output:
	// true true
	// <nil>
}

// The detector in bfloat16, for GPUs: images and scores stay float32. A network of somebody else's would stay in float32, which
// DType says.
func ExampleOpenOptions() {
	err := torch.Scoped(func(s *torch.Scope) error {
		det, err := tigas.Embedded(s, tigas.OpenOptions{DType: torch.BFloat16})
		if err != nil {
			return err
		}
		images := s.Rand(nil, []int64{2, 3, 32, 32})
		fmt.Println(det.DType, det.Score(images).DType(), det.ScoreError < 0.01)
		return nil
	})
	fmt.Println(err)
	// Output:
	// bfloat16 float32 true
	// <nil>
}

// A detector is frozen: whatever is trained through it, its parameters stay as they are, and it says how often it ran.
func ExampleDetector() {
	s := torch.NewScope()
	defer s.Close()
	det, err := tigas.Embedded(s, tigas.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	before, err := det.ParamsSHA256()
	if err != nil {
		fmt.Println(err)
		return
	}
	images := s.Full([]int64{2, 3, 32, 32}, 0.5).RequiresGrad(true)
	for range 3 {
		loss, _ := det.Loss(images, tigas.LossOptions{})
		g := torch.Grad(loss, []*torch.Tensor{images}, torch.GradOptions{})[0]
		torch.NoGrad(func() { images.Sub_(g) })
	}
	after, err := det.ParamsSHA256()
	fmt.Println(det.Name, len(det.SHA256), det.Calls(), before == after, err)
	// Output: embedded 64 3 true <nil>
}

// Scores [N] of images [N, 3, H, W] in [0, 1]. Outside of that range the network clamps, and there is no gradient: images
// in [-1, 1] must be converted, see [tigas.Range].
func ExampleDetector_Score() {
	s := torch.NewScope()
	defer s.Close()
	det, err := tigas.Embedded(s, tigas.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, value := range []float64{0.5, -0.5} {
		images := s.Full([]int64{4, 3, 32, 32}, value).RequiresGrad(true)
		scores := det.Score(images)
		g := torch.Grad(scores.Sum(), []*torch.Tensor{images}, torch.GradOptions{})[0]
		fmt.Println(scores.Shape(), g.Norm().Float64() > 0)
	}
	fmt.Println(torch.Try(func() { det.Score(s.Ones([]int64{4, 1, 32, 32})) }))
	// Output:
	// [4] true
	// [4] false
	// torch: tigas.Score: got images [4 1 32 32] vs [N 3 H W]
}
