package monitor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"time"
)

// JSONLog appends one JSON object for each tick to a file, and flushes it.
//
// The keys are step, kimg, epoch, time (RFC 3339), elapsed_sec, img_per_sec, and every value by its name. JSON has no NaN
// and no infinity: such a value is null, and its name is listed under "nonfinite".
type JSONLog struct {
	f   *os.File
	now func() time.Time
}

// OpenJSONLog opens or makes the file.
func OpenJSONLog(path string) (*JSONLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	return &JSONLog{f: f, now: time.Now}, nil
}

// Tick appends t.
func (l *JSONLog) Tick(t Tick) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"step":%d,"kimg":%s,"epoch":%s,"time":%q,"elapsed_sec":%s,"img_per_sec":%s`, t.Step, number(t.Kimg),
		number(t.Epoch), l.now().UTC().Format(time.RFC3339), number(t.Elapsed.Seconds()), number(t.Rate))
	var bad []string
	for _, v := range t.Values {
		name, err := json.Marshal(v.Name)
		if err != nil {
			return fmt.Errorf("monitor: log: %w", err)
		}
		fmt.Fprintf(&b, ",%s:%s", name, number(v.Value))
		if math.IsNaN(v.Value) || math.IsInf(v.Value, 0) {
			bad = append(bad, v.Name)
		}
	}
	if bad != nil {
		names, err := json.Marshal(bad)
		if err != nil {
			return fmt.Errorf("monitor: log: %w", err)
		}
		fmt.Fprintf(&b, `,"nonfinite":%s`, names)
	}
	b.WriteString("}\n")
	if _, err := l.f.Write(b.Bytes()); err != nil {
		return fmt.Errorf("monitor: log: %w", err)
	}
	return nil
}

func number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "null"
	}
	s, _ := json.Marshal(math.Round(v*1e6) / 1e6)
	if math.Abs(v) < 1 {
		s, _ = json.Marshal(float32(v)) // small learning rates keep their digits
	}
	return string(s)
}

// Close closes the file.
func (l *JSONLog) Close() error { return l.f.Close() }
