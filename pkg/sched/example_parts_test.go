package sched_test

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/pkg/sched"
)

// Lengths as people write them. A number without a unit is refused: it would be steps to one and epochs to another.
func ExampleParseSpan() {
	for _, text := range []string{"500step", "10 Epochs", "2.5fracepoch", "20kimg", "7"} {
		span, err := sched.ParseSpan(text)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(span, span.N, span.Unit)
	}
	// Output:
	// 500step 500 step
	// 10epoch 10 epoch
	// 2.5fracepoch 2.5 fracepoch
	// 20kimg 20 kimg
	// sched: parse: length has no unit: got "7", want e.g. 7epoch, 7step or 7kimg
}

// One progress in each of the units: 300 steps of 64 images with a data set of 10,000.
func ExampleProgress() {
	p := sched.NewProgress(300, 300*64, 10_000)
	for _, u := range []sched.Unit{sched.Step, sched.Kimg, sched.Epoch, sched.FracEpoch} {
		fmt.Println(u, p.In(u))
	}
	// Output:
	// step 300
	// kimg 19.2
	// epoch 1
	// fracepoch 1.92
}

// On which steps a term applies that costs too much for every step, and by what it is multiplied there.
func ExampleInterval() {
	every, err := sched.NewInterval(4, true)
	if err != nil {
		fmt.Println(err)
		return
	}
	for step := range int64(9) {
		fmt.Print(every.Due(step), " ")
	}
	fmt.Println(every.Gain())
	// Output: true false false false true false false false true 4
}

// Fields may be filled by hand; Validate says what the constructors would have said.
func ExampleLinear_Validate() {
	fmt.Println(sched.Linear{To: 0.1, Over: sched.Span{N: 10, Unit: sched.Epoch}}.Validate())
	for _, s := range []interface{ Validate() error }{
		sched.Linear{To: math.Inf(1)},
		sched.LinearDecay{Value: 1},
		sched.Chain{First: sched.Constant{}},
		sched.Interval{Every: -1},
		sched.Span{N: 1, Unit: sched.Unit(9)},
	} {
		fmt.Println(s.Validate())
	}
	// Output:
	// <nil>
	// sched: linear: to must be finite: got +Inf
	// sched: lineardecay: length must be more than 0: got 0epoch
	// sched: chain: then is missing
	// sched: interval: steps must not be negative: got -1
	// sched: span: unknown unit: got 9
}

// A configuration with a schedule of any type, and a silent mistake in it that is none.
func ExampleAny_UnmarshalJSON() {
	var config struct {
		Weight sched.Any `json:"weight"`
	}
	err := json.Unmarshal([]byte(`{"weight": {"type": "linear", "from": 0, "to": 0.1, "over": "10epoch"}}`), &config)
	fmt.Printf("%T %.2f %v\n", config.Weight.Schedule, config.Weight.At(sched.Progress{Epoch: 5}), err)
	err = json.Unmarshal([]byte(`{"weight": {"type": "linear", "from": 0, "to": 0.1, "ovr": "10epoch"}}`), &config)
	fmt.Println(err)
	// Output:
	// sched.Linear 0.05 <nil>
	// sched: json: linear: over is missing
}

// How much of an image is left in the course of diffusion: with the cosine schedule half of it half way. AlphaBar falls,
// and with it the ratio of signal to noise; Before is how far an image can be told from noise.
func ExampleNoise() {
	n, err := sched.NewNoise(sched.CosineNoise, 1000)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range []int{-1, 0, 499, 999} {
		fmt.Printf("%4d: %.3f\n", t, n.AlphaBar(t))
	}
	fmt.Printf("%.2f %.4f\n", n.SNR(499), n.Beta(0)) // signal as strong as noise; the first step adds little
	fmt.Println(n.Kind(), n.Steps(), n.AlphaBar(n.Before(0.25)-1) >= 0.25, n.AlphaBar(n.Before(0.25)) < 0.25)
	// Output:
	//   -1: 1.000
	//    0: 1.000
	//  499: 0.494
	//  999: 0.000
	// 0.98 0.0000
	// cosine 1000 true true
}

// The schedules by their names.
func ExampleNewNoise() {
	for _, kind := range []string{sched.LinearNoise, sched.CosineNoise, sched.SigmoidNoise, "square"} {
		n, err := sched.NewNoise(kind, 100)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%-7s %.2f %.2f\n", kind, n.AlphaBar(0), n.AlphaBar(50))
	}
	// Output:
	// linear  1.00 0.07
	// cosine  1.00 0.48
	// sigmoid 1.00 0.48
	// sched: noise: got the schedule "square" vs linear, cosine or sigmoid
}
