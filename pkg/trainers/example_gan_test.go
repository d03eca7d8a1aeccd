package trainers_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// The settings of the command line, and what is filled in by the loss: WGAN-GP trains the critic five times with Adam at
// 1e-4, the hinge loss once at 2e-4.
func ExampleGANOptions() {
	o := trainers.DefaultGANOptions()
	for _, loss := range []trainers.GANLoss{trainers.WGANGP, trainers.Hinge} {
		o.Loss = loss
		r := o.Resolve()
		fmt.Println(r.Loss, r.CriticSteps, r.GenLR, r.Beta1, r.Beta2, r.Validate())
	}
	o = o.Resolve()
	o.Latent = -1
	fmt.Println(o.Validate())
	// Output:
	// wgan-gp 5 0.0001 0 0.9 <nil>
	// hinge 1 0.0002 0.5 0.999 <nil>
	// trainers: --latent: got -1 vs a number from 1 to 65536
}

// A GAN with the TIGAS term in its generator's loss, ready for [trainers.Run]. It is a sampler too.
func ExampleNewGAN() {
	root := torch.NewScope()
	defer root.Close()
	det, err := tigas.Embedded(root, tigas.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	o := trainers.DefaultGANOptions()
	o.Latent, o.GenWidth, o.CriticWidth = 16, 4, 4 // of a size for an example
	o.Term = tigas.Term{Detector: det, Weight: sched.Constant{Value: 0.1}}
	gan, err := trainers.NewGAN(root, nil, o, torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(gan.Objective(), gan.Options().CriticSteps, strings.HasPrefix(gan.Summary(), "dcgan"))
	for _, opt := range gan.Optimizers() { // a NamedOptimizer each
		fmt.Println(opt.Name, opt.LR())
	}
	fmt.Println(gan.TIGAS().Detector.Name, gan.TIGAS().Options.Range) // images of all families lie in [-1, 1]

	z := trainers.DrawLatents(root, gan, nil, 4, torch.CPU)
	images, err := gan.Sample(context.Background(), z) // of the averaged generator
	fmt.Println(z.Shape(), images.Shape(), gan.SampleRaw(z).Shape(), err)
	// Output:
	// wgan-gp 5 true
	// G 0.0001
	// D 0.0001
	// embedded [-1, 1]
	// [4 16] [4 3 32 32] [4 3 32 32] <nil>
}

// The weights of a snapshot make a generator. Of the tensors only those named G_ema.* or G.* are looked at.
func ExampleLoadGAN() {
	root := torch.NewScope()
	defer root.Close()
	o := trainers.DefaultGANOptions()
	o.Latent, o.GenWidth, o.CriticWidth = 16, 4, 4
	gan, err := trainers.NewGAN(root, nil, o, torch.CPU)
	if err != nil {
		fmt.Println(err)
		return
	}
	tensors := map[string]*torch.Tensor{} // or those of checkpoint.Load
	for name, t := range gan.Tensors() {
		tensors[name] = t
	}
	var m trainers.Sampler
	if m, err = trainers.LoadGAN(root, o, tensors, torch.CPU); err != nil {
		fmt.Println(err)
		return
	}
	g, err := root.NewGenerator(torch.CPU, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	z := trainers.DrawLatents(root, m, g, 4, torch.CPU)
	a, err := m.Sample(context.Background(), z)
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := gan.Sample(context.Background(), z)
	fmt.Printf("%.3f %v\n", a.Sub(b).Abs().Max().Float64(), err) // the same pictures
	_, err = trainers.LoadGAN(root, o, nil, torch.CPU)
	fmt.Println(err)
	// Output:
	// 0.000 <nil>
	// trainers: the snapshot has no tensors named G_ema.* or G.*
}

// What the recipe's table says of a weight, for people who ask for another one; nothing to say for 0.1 after a warm-up.
func ExampleWeightAdvice() {
	w, err := sched.NewWarmup(0.1, sched.Span{N: 10, Unit: sched.Epoch}, sched.Span{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q\n", trainers.WeightAdvice(0.1, trainers.StartsFull(w, 0.1)))
	for _, advice := range []string{
		trainers.WeightAdvice(0.1, trainers.StartsFull(sched.Constant{Value: 0.1}, 0.1)),
		trainers.VAEWeightAdvice(1, true),
		trainers.DiffusionWeightAdvice(0.5, 200, 200),
	} {
		what, _, _ := strings.Cut(advice, ":")
		fmt.Println(what)
	}
	// Output:
	// ""
	// --tigas-weight 0.1 from the first step
	// --tigas-weight 1 is large
	// --tigas-weight 0.5 is large
}
