package sched_test

import (
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/pkg/sched"
)

// The hard switch of a recipe, `0.1 if epoch > 10 else 0.0`: epoch 10 still has the first value.
func ExampleSwitch() {
	w, err := sched.NewSwitch(0, 0.1, sched.Span{N: 10, Unit: sched.Epoch})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, epoch := range []float64{0, 10, 10.9, 11, 50} {
		fmt.Print(w.At(sched.Progress{Epoch: epoch}), " ")
	}
	fmt.Println()
	// Output: 0 0 0 0.1 0.1
}

func ExampleConstant() {
	w, err := sched.NewConstant(2e-4)
	fmt.Println(w.At(sched.Progress{}), w.At(sched.Progress{Step: 1e6}), err)
	_, err = sched.NewConstant(math.NaN())
	fmt.Println(err)
	// Output:
	// 0.0002 0.0002 <nil>
	// sched: constant: value must be finite: got NaN
}

// Half a cosine wave, slow at both ends.
func ExampleCosine() {
	w, err := sched.NewCosine(1, 0, sched.Span{N: 100, Unit: sched.Step})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, step := range []int64{0, 25, 50, 75, 100, 1000} {
		fmt.Printf("%.3f ", w.At(sched.Progress{Step: step}))
	}
	fmt.Println()
	// Output: 1.000 0.854 0.500 0.146 0.000 0.000
}

// A learning rate that falls to zero in a straight line.
func ExampleLinearDecay() {
	w, err := sched.NewLinearDecay(2e-4, sched.Span{N: 100, Unit: sched.Step})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, step := range []int64{0, 25, 50, 75, 100, 1000} {
		fmt.Printf("%.1e ", w.At(sched.Progress{Step: step}))
	}
	fmt.Println()
	// Output: 2.0e-04 1.5e-04 1.0e-04 5.0e-05 0.0e+00 0.0e+00
}

// The usual learning rate of a transformer: a warm-up, then half a cosine. The second piece counts from its own beginning.
func ExampleChain() {
	up, err := sched.NewLinear(0, 1, sched.Span{N: 50, Unit: sched.Step})
	if err != nil {
		fmt.Println(err)
		return
	}
	down, err := sched.NewCosine(1, 0, sched.Span{N: 50, Unit: sched.Step})
	if err != nil {
		fmt.Println(err)
		return
	}
	lr, err := sched.NewChain(up, sched.Span{N: 50, Unit: sched.Step}, down)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, step := range []int64{0, 25, 50, 75, 100, 1000} {
		fmt.Printf("%.2f ", lr.At(sched.Progress{Step: step}))
	}
	fmt.Println()
	// Output: 0.00 0.50 1.00 0.50 0.00 0.00
}

// Zero until a moment; the inner schedule counts from there.
func ExampleDelayedStart() {
	inner, err := sched.NewLinear(0.1, 0.2, sched.Span{N: 50, Unit: sched.Step})
	if err != nil {
		fmt.Println(err)
		return
	}
	w, err := sched.NewDelayedStart(sched.Span{N: 50, Unit: sched.Step}, inner)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, step := range []int64{0, 49, 50, 75, 100, 1000} {
		fmt.Printf("%.2f ", w.At(sched.Progress{Step: step}))
	}
	fmt.Println()
	// Output: 0.00 0.00 0.10 0.15 0.20 0.20
}

// What command lines have as --tigas-warmup and --tigas-start.
func ExampleNewWarmup() {
	w, err := sched.NewWarmup(0.1, sched.Span{N: 4, Unit: sched.Epoch}, sched.Span{N: 2, Unit: sched.Epoch})
	if err != nil {
		fmt.Println(err)
		return
	}
	for epoch := range 8 {
		fmt.Printf("%.3f ", w.At(sched.Progress{Epoch: float64(epoch)}))
	}
	fmt.Println()
	// Output: 0.000 0.000 0.000 0.025 0.050 0.075 0.100 0.100
}
