package sched_test

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/pkg/sched"
)

// wave goes up and down between 0 and 1, once in a period of steps, as cyclical schedules of the KL term do.
type wave struct{ period float64 }

// At is a function of the progress alone: with a counter in it, a run that resumes would not get the same values.
func (w wave) At(p sched.Progress) float64 {
	return (1 - math.Cos(2*math.Pi*p.In(sched.Step)/w.period)) / 2
}

// A schedule of one's own is anything with a method At. It can be part of those of the package, but only theirs can be
// written to JSON.
func ExampleSchedule() {
	var w sched.Schedule = wave{period: 100}
	late, err := sched.NewDelayedStart(sched.Span{N: 1000, Unit: sched.Step}, w)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, step := range []int64{0, 1000, 1025, 1050, 1100} {
		fmt.Printf("step %4d: %.1f\n", step, late.At(sched.Progress{Step: step}))
	}
	_, err = json.Marshal(sched.Any{Schedule: w})
	fmt.Println("as JSON:", err != nil)
	// Output:
	// step    0: 0.0
	// step 1000: 0.0
	// step 1025: 0.5
	// step 1050: 1.0
	// step 1100: 0.0
	// as JSON: true
}
