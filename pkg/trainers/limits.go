package trainers

import (
	"fmt"
	"math"
	"strconv"
)

// limits is a number with the range that it must lie in.
type limits struct {
	flag      string
	v, lo, hi float64
}

// wholly is a number without an exponent where it is whole: 1048576.
func wholly(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e9 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// inRange returns an error that names the first number outside of its range, by its flag.
func inRange(l ...limits) error {
	for _, f := range l {
		if math.IsNaN(f.v) || f.v < f.lo || f.v > f.hi {
			return fmt.Errorf("trainers: --%s: got %s vs a number from %s to %s", f.flag, wholly(f.v), wholly(f.lo), wholly(f.hi))
		}
	}
	return nil
}
