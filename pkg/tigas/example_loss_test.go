package tigas_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// The three forms of the loss, for a detector whose score is the sigmoid of 10 (mean - 1/2) and dark images, whose score is
// nearly 0. The linear form has hardly a gradient there; the others have one.
func ExampleForm() {
	s := torch.NewScope()
	defer s.Close()
	m, err := jit.Define(s, nil, nil, `
def logit(self, x: Tensor) -> Tensor:
    return 10. * (x.mean([1, 2, 3]) - 0.5)
def forward(self, x: Tensor) -> Tensor:
    return torch.sigmoid(self.logit(x))
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := m.Bytes()
	if err != nil {
		fmt.Println(err)
		return
	}
	det, err := tigas.OpenBytes(s, file, "dark", tigas.OpenOptions{Logit: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	images := s.Zeros([]int64{1, 3, 8, 8}).RequiresGrad(true)
	for _, form := range []tigas.Form{tigas.Linear, tigas.Log, tigas.Logit} {
		loss, score := det.Loss(images, tigas.LossOptions{Form: form})
		g := torch.Grad(loss, []*torch.Tensor{images}, torch.GradOptions{})[0].Sum()
		fmt.Printf("%-6s  loss %.3f  score %.4f  gradient %.3f\n", form, loss.Float64(), score.Float64(), g.Float64())
	}
	// Output:
	// linear  loss 0.993  score 0.0067  gradient -0.066
	// log     loss 5.007  score 0.0067  gradient -9.932
	// logit   loss 5.007  score 0.0067  gradient -9.933
}

func ExampleParseForm() {
	for _, name := range []string{"log", "square"} {
		form, err := tigas.ParseForm(name)
		fmt.Println(form, err)
	}
	// Output:
	// log <nil>
	// linear tigas: got the form "square" vs linear, log or logit
}

// A generator that ends in a tanh makes images in [-1, 1]; the detector takes [0, 1].
func ExampleRange() {
	s := torch.NewScope()
	defer s.Close()
	x := s.FromFloat32s([]float32{-1, 0, 1})
	fmt.Println(tigas.Symmetric, tigas.Symmetric.ToUnit(x).Float32s())
	fmt.Println(tigas.Unit, tigas.Unit.ToUnit(x).Float32s())
	// Output:
	// [-1, 1] [0 0.5 1]
	// [0, 1] [-1 0 1]
}

// The loss at several scales: the detector sees the whole and the details, and runs once for each. Check tells before
// training whether it can score images of that size at all of them.
func ExampleLossOptions() {
	s := torch.NewScope()
	defer s.Close()
	det, err := tigas.Embedded(s, tigas.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	o := tigas.LossOptions{Range: tigas.Symmetric, Form: tigas.Log, Scales: []float64{1, 0.5}}
	fmt.Println(o.Validate(det), o.Check(det, 64, 64))
	loss, score := det.Loss(s.Zeros([]int64{2, 3, 64, 64}), o)
	fmt.Println(loss.Shape(), score.Shape(), det.Calls())

	o.Scales = []float64{1, -2}
	fmt.Println(o.Validate(det))
	// Output:
	// <nil> <nil>
	// [] [] 2
	// tigas: got the scale -2 vs a factor in (0, 4]
}

// A weight for each image in place of the mean over the batch: 1/N for all is Loss, 0 leaves an image out.
func ExampleDetector_WeightedLoss() {
	s := torch.NewScope()
	defer s.Close()
	det, err := tigas.Embedded(s, tigas.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	images := s.Rand(nil, []int64{2, 3, 32, 32}).RequiresGrad(true)
	mean, _ := det.Loss(images, tigas.LossOptions{})
	half, _ := det.WeightedLoss(images, s.FromFloat32s([]float32{0.5, 0.5}), tigas.LossOptions{})
	fmt.Printf("%.4f\n", mean.Sub(half).Abs().Float64())

	first, _ := det.WeightedLoss(images, s.FromFloat32s([]float32{1, 0}), tigas.LossOptions{})
	g := torch.Grad(first, []*torch.Tensor{images}, torch.GradOptions{})[0]
	fmt.Println(g.Select(0, 0).Norm().Float64() > 0, g.Select(0, 1).Norm().Float64() > 0)
	// Output:
	// 0.0000
	// true false
}

// Slight changes before the detector, another one for each batch: what it says must not hang on single pixels. The state
// belongs into a snapshot: the same changes follow.
func ExampleAugment() {
	s := torch.NewScope()
	defer s.Close()
	x := s.Rand(nil, []int64{1, 3, 32, 32})
	a := tigas.DefaultAugment(1)
	a.Apply(x)
	state, err := a.MarshalBinary()
	if err != nil {
		fmt.Println(err)
		return
	}
	next := a.Apply(x)
	b := tigas.DefaultAugment(2)
	if err := b.UnmarshalBinary(state); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(b.Apply(x).Sub(next).Abs().Max().Float64())

	det, err := tigas.Embedded(s, tigas.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	x.RequiresGrad(true)
	loss, _ := det.Loss(x, tigas.LossOptions{Augment: &tigas.Augment{Flip: true, Shift: 4}}) // no zoom and no noise
	fmt.Println(torch.Grad(loss, []*torch.Tensor{x}, torch.GradOptions{})[0].Norm().Float64() > 0)
	// Output:
	// 0
	// true
}

// What a viewer hardly sees, and what takes away the fine patterns by which a generator fools a detector.
func ExampleBlur() {
	s := torch.NewScope()
	defer s.Close()
	x := s.Zeros([]int64{1, 1, 5, 5})
	x.Select(2, 2).Select(2, 2).Fill_(16) // a dot
	y := tigas.Blur(x)
	for row := range int64(5) {
		fmt.Println(y.Select(2, row).Float32s())
	}
	// Output:
	// [0 0 0 0 0]
	// [0 1 2 1 0]
	// [0 2 4 2 0]
	// [0 1 2 1 0]
	// [0 0 0 0 0]
}

// The loss of JPEG: a checkerboard of single pixels, too faint for the steps of its quality, is gone; the grey stays.
func ExampleCompress() {
	s := torch.NewScope()
	defer s.Close()
	pix := make([]float32, 16*16)
	for i := range pix {
		pix[i] = 124.0 / 255
		if (i+i/16)%2 == 0 {
			pix[i] = 132.0 / 255
		}
	}
	x := s.FromFloat32s(pix, 1, 1, 16, 16)
	for _, y := range []*torch.Tensor{x, tigas.Compress(x, 95), tigas.Compress(x, 50)} {
		fmt.Printf("mean %.2f, deviation %.2f\n", y.Mean().Float64(), y.Std(false).Float64())
	}
	// Output:
	// mean 0.50, deviation 0.02
	// mean 0.50, deviation 0.02
	// mean 0.50, deviation 0.00
}
