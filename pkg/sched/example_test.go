package sched_test

import (
	"encoding/json"
	"fmt"

	"github.com/tigas-train/tigas-train/pkg/sched"
)

// The weight of a term: nothing for 2,000 images, then a rise to 0.1 over the next 4,000. A schedule has no state, so it can
// be asked at any moment of a run, in any order.
func Example() {
	w, err := sched.NewWarmup(0.1, sched.Span{N: 4, Unit: sched.Kimg}, sched.Span{N: 2, Unit: sched.Kimg})
	if err != nil {
		fmt.Println(err)
		return
	}
	const batch = 64
	for _, step := range []int64{0, 32, 63, 1000} {
		p := sched.NewProgress(step, step*batch, 50_000) // steps, images, and the size of the data set
		fmt.Printf("after %5d images: %.4f\n", p.Images, w.At(p))
	}
	// Output:
	// after     0 images: 0.0000
	// after  2048 images: 0.0012
	// after  4032 images: 0.0508
	// after 64000 images: 0.1000
}

func ExampleLinear() {
	w, err := sched.NewLinear(0, 0.1, sched.Span{N: 10, Unit: sched.Epoch})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range []float64{0, 5, 5.9, 10, 50} {
		fmt.Printf("epoch %-4v weight %.2f\n", e, w.At(sched.Progress{Epoch: e}))
	}
	// Output:
	// epoch 0    weight 0.00
	// epoch 5    weight 0.05
	// epoch 5.9  weight 0.05
	// epoch 10   weight 0.10
	// epoch 50   weight 0.10
}

func ExampleParseWarmup() {
	for _, text := range []string{"10epoch", "20 kimg", "0", "10", "-5step"} {
		span, err := sched.ParseWarmup(text)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(span.N, span.Unit)
	}
	// Output:
	// 10 epoch
	// 20 kimg
	// 0 epoch
	// sched: parse: length has no unit: got "10", want e.g. 10epoch, 10step or 10kimg
	// sched: parse: length must be finite and not negative: got "-5step"
}

func ExampleInterval_Weight() {
	w, _ := sched.NewWarmup(0.1, sched.Span{N: 8, Unit: sched.Step}, sched.Span{})
	every, _ := sched.NewInterval(4, true)
	for step := range int64(13) {
		if c := every.Weight(w, sched.Progress{Step: step}); c != 0 {
			fmt.Printf("step %d: %.2f\n", step, c)
		}
	}
	// Output:
	// step 4: 0.20
	// step 8: 0.40
	// step 12: 0.40
}

func ExampleAny() {
	warm, _ := sched.NewLinear(0, 2e-4, sched.Span{N: 500, Unit: sched.Step})
	decay, _ := sched.NewCosine(2e-4, 0, sched.Span{N: 9500, Unit: sched.Step})
	lr, _ := sched.NewChain(warm, sched.Span{N: 500, Unit: sched.Step}, decay)
	data, _ := json.Marshal(sched.Any{Schedule: lr})
	fmt.Println(string(data))

	var back sched.Any
	err := json.Unmarshal(data, &back)
	fmt.Println(back.At(sched.Progress{Step: 250}), err)
	// Output:
	// {"type":"chain","first":{"type":"linear","from":0,"to":0.0002,"over":"500step"},"for":"500step","then":{"type":"cosine","from":0.0002,"to":0,"over":"9500step"}}
	// 0.0001 <nil>
}
