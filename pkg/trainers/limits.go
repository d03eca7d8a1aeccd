package trainers

import (
	"fmt"
	"math"
)

// limits is a number with the range that it must lie in.
type limits struct {
	flag      string
	v, lo, hi float64
}

// inRange returns an error that names the first number outside of its range, by its flag.
func inRange(l ...limits) error {
	for _, f := range l {
		if math.IsNaN(f.v) || f.v < f.lo || f.v > f.hi {
			return fmt.Errorf("trainers: --%s: got %v vs a number from %g to %g", f.flag, f.v, f.lo, f.hi)
		}
	}
	return nil
}
