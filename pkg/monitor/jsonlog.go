package monitor

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"time"
)

// JSONLog appends one JSON object for each tick to a file, and one for each time that samples were measured.
//
// The keys are step, kimg, epoch, time (RFC 3339), elapsed_sec, img_per_sec, and every value by its name, see [QuantityOf].
// The line of samples has no img_per_sec. JSON has no NaN and no infinity: such a value is null, and its name is listed under
// "nonfinite".
type JSONLog struct {
	f   *os.File
	now func() time.Time
}

// OpenJSONLog opens or makes the file. A last line that a crash cut off is removed, so that the file stays valid for every
// reader; a file whose last line is something else is refused.
func OpenJSONLog(path string) (*JSONLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	if err := repairTail(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("monitor: %s: %w", path, err)
	}
	return &JSONLog{f: f, now: time.Now}, nil
}

// Tick appends t.
func (l *JSONLog) Tick(t Tick) error { return l.write(t.JSON(l.now(), true)) }

// Samples appends what was measured of samples: the step and the values of t.
func (l *JSONLog) Samples(t Tick) error { return l.write(t.JSON(l.now(), false)) }

// write appends a line, or nothing: what a full disk took of it would spoil the line that comes next.
func (l *JSONLog) write(line []byte) error {
	n, err := l.f.Write(line)
	if err == nil {
		return nil
	}
	if info, e := l.f.Stat(); e == nil && n > 0 {
		err = errors.Join(err, l.f.Truncate(info.Size()-int64(n)))
	}
	return fmt.Errorf("monitor: log: %w", err)
}

// JSON is the line of the log, with its newline. rate tells whether the tick has one.
func (t Tick) JSON(now time.Time, rate bool) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"step":%d,"kimg":%s,"epoch":%s,"time":%q,"elapsed_sec":%s`, t.Step, number(t.Kimg),
		number(t.Epoch), now.UTC().Format(time.RFC3339), number(t.Elapsed.Seconds()))
	if rate {
		fmt.Fprintf(&b, `,"img_per_sec":%s`, number(t.Rate))
	}
	var bad []string
	for _, v := range t.Values {
		name, _ := json.Marshal(v.Name) // cannot fail: it is a string
		fmt.Fprintf(&b, ",%s:%s", name, number(v.Value))
		if math.IsNaN(v.Value) || math.IsInf(v.Value, 0) {
			bad = append(bad, v.Name)
		}
	}
	if bad != nil {
		names, _ := json.Marshal(bad)
		fmt.Fprintf(&b, `,"nonfinite":%s`, names)
	}
	b.WriteString("}\n")
	return b.Bytes()
}

// Sync has what was written stored on disk, and returns how many bytes that is.
func (l *JSONLog) Sync() (int64, error) {
	if err := l.f.Sync(); err != nil {
		return 0, fmt.Errorf("monitor: log: %w", err)
	}
	info, err := l.f.Stat()
	if err != nil {
		return 0, fmt.Errorf("monitor: log: %w", err)
	}
	return info.Size(), nil
}

// Rewind drops all after the first n bytes: the ticks that a run makes again. The line that comes next stays if it is that of
// the samples of this step, whose pictures were then written too; samples tells. Rewind fails, and drops nothing, when there
// are not as many bytes or when a line would be cut.
func (l *JSONLog) Rewind(n, step int64) (samples bool, err error) {
	info, err := l.f.Stat()
	if err != nil {
		return false, fmt.Errorf("monitor: log: %w", err)
	}
	if info.Size() < n {
		return false, fmt.Errorf("monitor: %s: got %d bytes vs %d when the snapshot was written: ticks are missing", l.f.Name(), info.Size(), n)
	}
	if n > 0 {
		var last [1]byte
		if _, err := l.f.ReadAt(last[:], n-1); err != nil {
			return false, fmt.Errorf("monitor: log: %w", err)
		}
		if last[0] != '\n' {
			return false, fmt.Errorf("monitor: %s: it is not the one of the snapshot: no line ends at byte %d", l.f.Name(), n)
		}
	}
	line, err := bufio.NewReaderSize(io.NewSectionReader(l.f, n, info.Size()-n), 4096).ReadSlice('\n')
	if err == nil { // a longer line is none of ours
		if e, tick, err := parseEntry(line); err == nil && !tick && e.Step == step {
			samples, n = true, n+int64(len(line))
		}
	}
	if err := l.f.Truncate(n); err != nil {
		return false, fmt.Errorf("monitor: log: %w", err)
	}
	return samples, nil
}

func number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "null"
	}
	r := math.Round(v*1e6) / 1e6
	switch {
	case math.Abs(v) < 1: // small learning rates keep their digits, as many as a float32 has
		r, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 7, 64), 64)
	case math.IsInf(r, 0): // too large to round
		r = v
	}
	s, _ := json.Marshal(r) // cannot fail: r is finite
	return string(s)
}

// Close closes the file.
func (l *JSONLog) Close() error { return l.f.Close() }
