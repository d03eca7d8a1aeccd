package trainers_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// Bytes of a picture become [-1, 1] for generators, and bytes again; detectors take [0, 1].
func ExampleNormalize() {
	s := torch.NewScope()
	defer s.Close()
	pix := []byte{0, 51, 255}
	x := trainers.Normalize(torch.FromSlice(s, pix, 1, 3, 1, 1))
	fmt.Println(x.Float32s(), trainers.Pixels(x))
	fmt.Println(trainers.UnitImages(s, pix, 1, torch.CPU).Float32s())
	// Output:
	// [-1 -0.6 1] [0 51 255]
	// [0 0.2 1]
}

// The middle of two latents on the great circle through them is as long as they are; that of the straight line is shorter,
// and no latent that a generator was trained with.
func ExampleSlerp() {
	s := torch.NewScope()
	defer s.Close()
	a, b := s.FromFloat32s([]float32{2, 0}, 1, 2), s.FromFloat32s([]float32{0, 2}, 1, 2)
	middle := trainers.Slerp(a, b, 0.5)
	fmt.Printf("%.3f %.3f %.3f\n", middle.Float32s(), middle.Norm().Float64(), a.Lerp(b, 0.5).Norm().Float64())
	// Output: [1.414 1.414] 2.000 1.414
}

// A closed walk through two latents in four frames: there and back again, on the sphere that they lie on. The last frame is
// not the first, so that an animation goes round without a stop.
func ExampleLatentWalk() {
	s := torch.NewScope()
	defer s.Close()
	keys := s.FromFloat32s([]float32{1, 0, 0, 1}, 2, 2)
	for _, frame := range trainers.LatentWalk(keys, 4).Unbind(0) {
		fmt.Printf("%.2f %.2f\n", frame.Float32s(), frame.Norm().Float64())
	}
	// Output:
	// [1.00 0.00] 1.00
	// [0.71 0.71] 1.00
	// [0.00 1.00] 1.00
	// [0.71 0.71] 1.00
}

// The styles of a StyleGAN do not lie on a sphere: straight lines.
func ExampleStyleWalk() {
	s := torch.NewScope()
	defer s.Close()
	keys := s.FromFloat32s([]float32{0, 4}, 2, 1, 1)
	fmt.Println(trainers.StyleWalk(keys, 4).Float32s())
	// Output: [0 2 4 2]
}

// Augmentations that a discriminator sees all its images through, for training with few pictures. Gradients flow through
// them to the generator.
func ExampleDiffAugmentPolicy() {
	s := torch.NewScope()
	defer s.Close()
	p, err := trainers.ParseDiffAugment("translation, cutout")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p, p.Validate(), trainers.DiffAugmentPolicy{"blur"}.Validate())
	images := s.Ones([]int64{4, 3, 16, 16}).RequiresGrad(true)
	y := p.Apply(images, nil)
	g := torch.Grad(y.Sum(), []*torch.Tensor{images}, torch.GradOptions{})[0]
	fmt.Println(y.Shape(), y.Min().Float64(), y.Max().Float64(), g.Sum().Float64() == y.Sum().Float64())
	// Output:
	// translation,cutout <nil> trainers: diffaugment: got "blur" vs color, translation, cutout
	// [4 3 16 16] 0 1 true
}

// Real images spoilt the way generators do, as further examples of what is not real. Few levels of colour leave at most 8 of
// them; the kind may be left to chance.
func ExampleDamaged() {
	s := torch.NewScope()
	defer s.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	real := s.Rand(nil, []int64{2, 3, 32, 32})
	y := trainers.Damaged(real, trainers.Quantise, rng, nil)
	levels := map[float32]bool{}
	for _, v := range y.Float32s() {
		levels[v] = true
	}
	fmt.Println(y.Shape(), len(levels) <= 8)
	fmt.Println(trainers.RandomDamage(real, rng, nil).Shape())
	// Output:
	// [2 3 32 32] true
	// [2 3 32 32]
}
