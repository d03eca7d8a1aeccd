package monitor

import (
	"fmt"
	"math"
	"os"
)

// ResidentGB is the memory that the process has in RAM, in units of 2^30 bytes; NaN where there is no /proc.
func ResidentGB() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	var size, resident int64
	if err == nil {
		_, err = fmt.Sscan(string(text), &size, &resident)
	}
	if err != nil {
		return math.NaN()
	}
	return float64(resident) * float64(os.Getpagesize()) / (1 << 30)
}
