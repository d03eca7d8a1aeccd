package report

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// rateName is the column of the images a second, which an entry has in a field of its own.
const rateName = "img_per_sec"

// column is a value over the entries of a run. A page of thousands of entries has hundreds of thousands of numbers, so that
// it is written by hand: {"v":[...]}, with the indices of the entries in "at" where not all of them have the value.
type column struct {
	At []int
	V  []float64
	n  int // entries of the run
}

// MarshalJSON writes numbers of six digits, and null for what is no number.
func (c column) MarshalJSON() ([]byte, error) {
	b := []byte(`{"v":`)
	b = appendNumbers(b, c.V)
	if len(c.At) != c.n {
		b = append(b, `,"at":[`...)
		for i, at := range c.At {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(at), 10)
		}
		b = append(b, ']')
	}
	return append(b, '}'), nil
}

// numbers and number are floats in JSON, where encoding/json has an error for NaN.
type (
	numbers []float64
	number  float64
)

func (l numbers) MarshalJSON() ([]byte, error) { return appendNumbers(nil, l), nil }

func (v number) MarshalJSON() ([]byte, error) { return appendNumber(nil, float64(v)), nil }

func appendNumbers(b []byte, l []float64) []byte {
	b = append(b, '[')
	for i, v := range l {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendNumber(b, v)
	}
	return append(b, ']')
}

func appendNumber(b []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	if v == math.Trunc(v) && math.Abs(v) < 1e15 { // a step has more digits
		return strconv.AppendInt(b, int64(v), 10)
	}
	return strconv.AppendFloat(b, v, 'g', 6, 64)
}

// columns turns entries into columns. The names are in the order in which they first come.
func columns(entries []monitor.LogEntry) (names []string, cols map[string]*column) {
	cols = map[string]*column{}
	add := func(name string, i int, v float64) {
		c := cols[name]
		if c == nil {
			c = &column{n: len(entries)}
			cols[name], names = c, append(names, name)
		}
		if k := len(c.At) - 1; k >= 0 && c.At[k] == i { // twice in a line: the later one, as any reader of JSON has it
			c.V[k] = v
			return
		}
		c.At, c.V = append(c.At, i), append(c.V, v)
	}
	for i, e := range entries {
		for _, v := range e.Values {
			if v.Name != "epoch_done" { // the number of the epoch that epoch_score is of
				add(v.Name, i, v.Value)
			}
		}
		if e.Rate != 0 {
			add(rateName, i, e.Rate)
		}
	}
	for _, name := range names {
		if onlyWhereItHappened(name) {
			cols[name] = cols[name].filled()
		}
	}
	return names, cols
}

// onlyWhereItHappened are the names that a log has in the ticks with such an event only: it is 0 elsewhere, and a line
// from one to the next would hide it.
func onlyWhereItHappened(name string) bool {
	return strings.HasPrefix(name, "skipped_") || name == "tigas_dropped"
}

// filled has 0 where the value is missing.
func (c *column) filled() *column {
	f := &column{n: c.n, V: make([]float64, c.n), At: make([]int, c.n)}
	for i := range f.At {
		f.At[i] = i
	}
	for k, at := range c.At {
		f.V[at] = c.V[k]
	}
	return f
}

// ends are the first and the last number.
func (c *column) ends() (first, last float64, ok bool) {
	if c == nil {
		return 0, 0, false
	}
	number := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	i := slices.IndexFunc(c.V, number)
	if i < 0 {
		return 0, 0, false
	}
	for k := len(c.V) - 1; ; k-- {
		if number(c.V[k]) {
			return c.V[i], c.V[k], true
		}
	}
}

// axes are what a chart may have at its bottom, one number an entry. None falls: of the time, that is the clock of a run
// that was resumed and began at 0 again.
type axes struct {
	Kimg numbers `json:"kimg"`
	Step numbers `json:"step"`
	Time numbers `json:"time"` // seconds of training
}

func axesOf(entries []monitor.LogEntry) axes {
	// Lists, not null, without an entry.
	a := axes{numbers{}, numbers{}, numbers{}}
	var before, last time.Duration
	kimg := 0.0
	for _, e := range entries {
		if e.Elapsed < last {
			before += last
		}
		last = e.Elapsed
		if e.Kimg > kimg {
			kimg = e.Kimg
		}
		a.Kimg = append(a.Kimg, kimg)
		a.Step = append(a.Step, float64(e.Step))
		a.Time = append(a.Time, (before + last).Seconds())
	}
	return a
}
