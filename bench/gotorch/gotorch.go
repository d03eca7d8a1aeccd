//go:build gotorch

package main

import (
	gt "github.com/wangkuiyi/gotorch"
	gnn "github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"

	"github.com/tigas-train/tigas-train/cgo/torch"
	bridge "github.com/tigas-train/tigas-train/pkg/gotorch"
)

func init() {
	ways["step"] = func(*torch.Scope) (step, end func()) { // as docs/gotorch.md says
		one := theirs()
		return func() { bridge.Step(one) }, func() {}
	}
	ways["gc"] = func(*torch.Scope) (step, end func()) { // as gotorch's own documents say
		one := theirs()
		return func() { gt.GC(); one() }, gt.FinishGC
	}
}

func theirs() func() {
	relu := gnn.Functional(func(x gt.Tensor) gt.Tensor { return F.Relu(x, true) })
	leaky := gnn.Functional(func(x gt.Tensor) gt.Tensor { return F.LeakyRelu(x, 0.2, true) })
	norm := func(n int64) gnn.IModule { return gnn.BatchNorm2d(n, 1e-5, 0.1, true, true) }
	up := func(in, out, stride, pad int64) gnn.IModule {
		return gnn.ConvTranspose2d(in, out, 4, stride, pad, 0, 1, false, 1, "zeros")
	}
	down := func(in, out, stride, pad int64) gnn.IModule {
		return gnn.Conv2d(in, out, 4, stride, pad, 1, 1, false, "zeros")
	}
	g := gnn.Sequential(up(latent, 4*width, 1, 0), norm(4*width), relu, up(4*width, 2*width, 2, 1), norm(2*width), relu,
		up(2*width, width, 2, 1), norm(width), relu, up(width, 3, 2, 1), gnn.Functional(gt.Tanh))
	d := gnn.Sequential(down(3, width, 2, 1), leaky, down(width, 2*width, 2, 1), norm(2*width), leaky,
		down(2*width, 4*width, 2, 1), norm(4*width), leaky, down(4*width, 1, 1, 0), gnn.Functional(gt.Sigmoid))
	real := gt.RandN([]int64{batch, 3, size, size}, false)
	one, zero := gt.Full([]int64{batch}, 1, false), gt.Full([]int64{batch}, 0, false)
	optG, optD := gt.Adam(2e-4, 0.5, 0.999, 0), gt.Adam(2e-4, 0.5, 0.999, 0)
	optG.AddParameters(g.Parameters())
	optD.AddParameters(d.Parameters())
	judged := func(x, as gt.Tensor) gt.Tensor {
		return F.BinaryCrossEntropy(d.Forward(x).(gt.Tensor).View(-1), as, gt.Tensor{}, "mean")
	}
	return func() {
		optD.ZeroGrad()
		fake := g.Forward(gt.RandN([]int64{batch, latent, 1, 1}, false)).(gt.Tensor)
		lossD := gt.Add(judged(real, one), judged(fake.Detach(), zero), 1)
		lossD.Backward()
		optD.Step()
		optG.ZeroGrad()
		lossG := judged(fake, one)
		lossG.Backward()
		optG.Step()
	}
}
