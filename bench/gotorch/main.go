//go:build gotorch

// Command gotorch times one DCGAN step that is written with gotorch, and with this module. See run.sh.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	gt "github.com/wangkuiyi/gotorch"
	gnn "github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"

	"github.com/tigas-train/tigas-train/cgo/torch"
	bridge "github.com/tigas-train/tigas-train/pkg/gotorch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

// As in dcgan.py.
const size, latent, width, batch = 32, 64, 16, 8

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: gotorch ours|step|gc STEPS"))
	}
	steps, err := strconv.Atoi(os.Args[2])
	fail(err)
	fail(torch.SetNumThreads(1)) // so that neighbours on the machine matter less
	runtime.LockOSThread()
	root := torch.NewScope()
	defer root.Close()
	var step func()
	switch os.Args[1] {
	case "ours":
		step = ours(root)
	case "step": // gotorch as docs/gotorch.md says
		one := theirs()
		step = func() { bridge.Step(one) }
	case "gc": // gotorch as its own documents say
		one := theirs()
		step = func() { gt.GC(); one() }
		defer gt.FinishGC()
	}
	times := make([]time.Duration, steps)
	var early float64
	for i := range times {
		start := time.Now()
		step()
		times[i] = time.Since(start)
		if i == steps/10 {
			early = residentMB()
		}
	}
	grown := residentMB() - early
	slices.Sort(times)
	fail(json.NewEncoder(os.Stdout).Encode(map[string]float64{"ms": 1e3 * times[steps/2].Seconds(), "grown": grown, "mb": early}))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/gotorch:", err)
		os.Exit(1)
	}
}

func residentMB() float64 {
	b, err := os.ReadFile("/proc/self/statm")
	fail(err)
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	fail(err)
	return float64(pages*os.Getpagesize()) / (1 << 20)
}

func ours(root *torch.Scope) func() {
	b := nn.Builder{Scope: root.Child()}
	o := models.Config{Resolution: size, Latent: latent, Ngf: width, Ndf: width, CriticNorm: "batch"}
	pair, err := models.NewGAN(b, "dcgan", o)
	fail(err)
	real := b.Scope.Randn(nil, []int64{batch, 3, size, size})
	one, zero := b.Scope.Ones([]int64{batch}), b.Scope.Zeros([]int64{batch})
	b.Scope.Seal()
	adam := optim.AdamOptions{LR: 2e-4, Beta1: 0.5}
	paramsG, paramsD := nn.ParamList(pair.Generator), nn.ParamList(pair.Critic)
	optG, optD := optim.NewAdam(root, paramsG, adam), optim.NewAdam(root, paramsD, adam)
	return func() {
		s := root.Child()
		defer s.Close()
		fake := pair.Generator.Forward(s.Randn(nil, []int64{batch, latent}))
		lossD := pair.Critic.Forward(s.Use(real)).BCEWithLogits(one).Add(pair.Critic.Forward(fake.Detach()).BCEWithLogits(zero))
		optD.Step(torch.Grad(lossD, paramsD, torch.GradOptions{}))
		lossG := pair.Critic.Forward(fake).BCEWithLogits(one)
		optG.Step(torch.Grad(lossG, paramsG, torch.GradOptions{}))
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
