package monitor

import (
	"fmt"
	"math"
	"time"
)

// FormatDuration writes a duration, rounded to seconds, with at most three units: 28s, 6m 05s, 1h 19m 08s,
// 7d 08h 07m. A negative duration, which stands for an unknown one, is "-".
func FormatDuration(d time.Duration) string {
	if d < 0 {
		return "-"
	}
	s := int64(math.RoundToEven(d.Seconds()))
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 60*60:
		return fmt.Sprintf("%dm %02ds", s/60, s%60)
	case s < 24*60*60:
		return fmt.Sprintf("%dh %02dm %02ds", s/(60*60), s/60%60, s%60)
	default:
		return fmt.Sprintf("%dd %02dh %02dm", s/(24*60*60), s/(60*60)%24, s/60%60)
	}
}
