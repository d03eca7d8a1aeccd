package monitor

import (
	"fmt"
	"time"
)

// Value is a number with its name.
type Value struct {
	Name  string
	Value float64
}

// Tick is what is known at the end of a tick: a stretch of training between two log lines.
type Tick struct {
	N       int           // number of the tick, from 0
	Step    int64         // generator updates so far
	Kimg    float64       // thousands of real images shown so far
	Total   float64       // thousands of images at the end of the run
	Epoch   float64       // passes over the data so far
	Elapsed time.Duration // since the run started
	ETA     time.Duration // until it ends at this session's rate; negative when it is not known yet
	Rate    float64       // real images a second in this tick
	Values  []Value       // means over the tick: loss terms, scores, norms, learning rates
}

// Value is the value with a name, if there is one.
func (t Tick) Value(name string) (v float64, ok bool) {
	for _, x := range t.Values {
		if x.Name == name {
			return x.Value, true
		}
	}
	return 0, false
}

// Count is a number in a few characters: 12.3k, 4.56M.
func Count(n int64) string {
	if n < 1e5 {
		return fmt.Sprintf("%.3gk", float64(n)/1e3)
	}
	return fmt.Sprintf("%.2fM", float64(n)/1e6)
}

// Duration formats as 28s, 6m 05s, 1h 19m 08s or 7d 08h 07m; a negative one, which is not known, as ?.
func Duration(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case d < 0:
		return "?"
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm %02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh %02dm %02ds", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%dd %02dh %02dm", s/86400, s/3600%24, s/60%60)
}
