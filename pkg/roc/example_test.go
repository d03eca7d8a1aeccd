package roc_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/pkg/roc"
)

func Example() {
	real, fake := []float64{0.9, 0.8, 0.6}, []float64{0.7, 0.3, 0.2}
	curve, err := roc.New(real, fake)
	if err != nil {
		panic(err)
	}
	fmt.Printf("area %.3f, guessing is 0.5 ± %.2f\n", curve.Area, roc.Chance(len(real), len(fake)))
	// Output: area 0.889, guessing is 0.5 ± 0.25
}
