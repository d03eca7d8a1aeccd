//go:build gotorch

// Command gotorch-dcgan trains a DCGAN that is written with github.com/wangkuiyi/gotorch, with the TIGAS term in its loss.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"runtime"

	gt "github.com/wangkuiyi/gotorch"
	gnn "github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	bridge "github.com/tigas-train/tigas-train/pkg/gotorch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

const size, latent = 32, 64 // of the pictures in pixels, and of the noise

// gan is the networks and optimisers, all of them gotorch's, and the detector.
type gan struct {
	root       *torch.Scope
	g, d       *gnn.SequentialModule
	optG, optD gt.Optimizer
	detector   *tigas.Detector
	weight     float64 // of the TIGAS term
}

func newGAN(root *torch.Scope, width int64, detector *tigas.Detector, weight float64) *gan {
	m := &gan{root: root, detector: detector, weight: weight,
		optG: gt.Adam(2e-4, 0.5, 0.999, 0), optD: gt.Adam(2e-4, 0.5, 0.999, 0)}
	relu := gnn.Functional(func(x gt.Tensor) gt.Tensor { return F.Relu(x, true) })
	leaky := gnn.Functional(func(x gt.Tensor) gt.Tensor { return F.LeakyRelu(x, 0.2, true) })
	norm := func(n int64) gnn.IModule { return gnn.BatchNorm2d(n, 1e-5, 0.1, true, true) }
	up := func(in, out, stride, pad int64) gnn.IModule {
		return gnn.ConvTranspose2d(in, out, 4, stride, pad, 0, 1, false, 1, "zeros")
	}
	down := func(in, out, stride, pad int64) gnn.IModule {
		return gnn.Conv2d(in, out, 4, stride, pad, 1, 1, false, "zeros")
	}
	m.g = gnn.Sequential(up(latent, 4*width, 1, 0), norm(4*width), relu, up(4*width, 2*width, 2, 1), norm(2*width), relu,
		up(2*width, width, 2, 1), norm(width), relu, up(width, 3, 2, 1), gnn.Functional(gt.Tanh))
	m.d = gnn.Sequential(down(3, width, 2, 1), leaky, down(width, 2*width, 2, 1), norm(2*width), leaky,
		down(2*width, 4*width, 2, 1), norm(4*width), leaky, down(4*width, 1, 1, 0), gnn.Functional(gt.Sigmoid))
	for _, net := range []bridge.Module{m.g, m.d} {
		for _, p := range nn.Params(bridge.Wrap(root, net)) { // in an order, which net.Parameters has not
			if len(p.Shape()) == 4 {
				torch.NoGrad(func() { p.Normal_(0, 0.02, nil) })
			}
		}
	}
	m.optG.AddParameters(m.g.Parameters())
	m.optD.AddParameters(m.d.Parameters())
	return m
}

// judged is the discriminator's loss when the images should be taken for real (1) or generated (0).
func (m *gan) judged(images gt.Tensor, as float32) gt.Tensor {
	p := m.d.Forward(images).(gt.Tensor).View(-1)
	return F.BinaryCrossEntropy(p, gt.Full(p.Shape(), as, false), gt.Tensor{}, "mean")
}

// generatorLoss is the one place where both libraries meet: gotorch's loss and ours, of gotorch's images. score is the mean
// that the detector gives them.
func (m *gan) generatorLoss(s *torch.Scope, fake gt.Tensor) (loss, score *torch.Tensor) {
	adversarial := bridge.From(s, m.judged(fake, 1))
	term, score := m.detector.Loss(bridge.From(s, fake), tigas.LossOptions{Range: tigas.Symmetric})
	return adversarial.Add(term.MulScalar(m.weight)), score
}

// step makes one update of each network. Its tensors are lost when it returns, and freed by the next [bridge.Step].
func (m *gan) step(b *data.Batch) (lossD, lossG, score float64) {
	s := m.root.Child()
	defer s.Close()
	n := int64(b.N)
	real := torch.FromSlice(s, b.Pixels, n, 3, size, size).To(torch.Float32).DivScalar(127.5).AddScalar(-1)
	fake := m.g.Forward(gt.RandN([]int64{n, latent, 1, 1}, false)).(gt.Tensor)
	m.optD.ZeroGrad()
	loss := gt.Add(m.judged(bridge.To(real), 1), m.judged(fake.Detach(), 0), 1)
	bridge.Backward(loss)
	m.optD.Step()
	m.optG.ZeroGrad()
	total, mean := m.generatorLoss(s, fake)
	torch.Backward(total, torch.GradOptions{})
	m.optG.Step()
	return bridge.From(s, loss).Float64(), total.Float64(), mean.Float64()
}

// train makes steps and reports each. An error is one of the data, or what gotorch or libtorch said.
func (m *gan) train(batch, steps int, report func(step int, lossD, lossG, score float64)) error {
	o := data.LoaderOptions{Batch: batch, Transform: data.Transform{Resolution: size}}
	loader, err := data.NewLoader(data.NewDemo(size, false), o)
	if err != nil {
		return err
	}
	step := 0
	for b, err := range loader.Batches(context.Background()) {
		if err != nil || step == steps {
			return err
		}
		step++
		var d, g, score float64
		bridge.Step(func() { err = bridge.Try(func() { d, g, score = m.step(b) }) })
		if err != nil {
			return err
		}
		report(step, d, g, score)
	}
	return nil
}

// samples are the pixels of n generated pictures, [n, 3, size, size].
func (m *gan) samples(n int64) []byte {
	s := m.root.Child()
	defer s.Close()
	x := bridge.Wrap(s, m.g).Forward(s.Randn(nil, []int64{n, latent, 1, 1}))
	return x.AddScalar(1).MulScalar(127.5).To(torch.Uint8).RawBytes()
}

func main() {
	steps, weight := flag.Int("steps", 1000, "steps"), flag.Float64("weight", 0.1, "weight of the TIGAS term")
	out := flag.String("out", "gotorch-dcgan.png", "pictures after training")
	flag.Parse()
	must(torch.SetNumThreads(runtime.NumCPU())) // gotorch sets half of them
	root := torch.NewScope()
	defer root.Close()
	detector, err := tigas.Embedded(root, tigas.OpenOptions{})
	must(err)
	m := newGAN(root, 32, detector, *weight)
	must(m.train(16, *steps, func(step int, d, g, score float64) {
		if step%50 == 0 {
			fmt.Printf("step %5d  D %.3f  G %.3f  score %.3f\n", step, d, g, score)
		}
	}))
	must(monitor.WriteGrid(*out, m.samples(64), 64, size, size, 8))
}

func must(err error) {
	if err != nil {
		log.Fatal("gotorch-dcgan: ", err)
	}
}
