// Command gotorch times one DCGAN step that is written with this module, and with gotorch where that is built in. See run.sh.
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

// As in dcgan.py.
const size, latent, width, batch = 32, 64, 16, 8

// ways make the step; end is called after the last one.
var ways = map[string]func(root *torch.Scope) (step, end func()){"ours": ours}

func main() {
	if len(os.Args) != 3 || ways[os.Args[1]] == nil {
		fail(fmt.Errorf("usage: gotorch WAY STEPS, and the ways are %s", slices.Sorted(maps.Keys(ways))))
	}
	steps, err := strconv.Atoi(os.Args[2])
	fail(err)
	fail(torch.SetNumThreads(1)) // so that neighbours on the machine matter less
	runtime.LockOSThread()
	root := torch.NewScope()
	defer root.Close()
	step, end := ways[os.Args[1]](root)
	defer end()
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

func ours(root *torch.Scope) (step, end func()) {
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
	}, func() {}
}
