package monitor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"time"
)

// LogEntry is one line of a log.
type LogEntry struct {
	Time time.Time
	Tick // N counts from the top of the file; Total and ETA are not in the log and stay 0; Values has all other keys
}

// ReadLog reads a log that a [JSONLog] wrote. The values have the order of the file, and one that is null is NaN.
//
// A last line without a newline is left out, because the run that writes it may not be done with it, or was killed
// meanwhile. Any other line that is no valid entry is an error.
func ReadLog(path string) ([]LogEntry, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	var entries []LogEntry
	for n := 1; ; n++ {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		if !whole {
			return entries, nil
		}
		data = rest
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		e, err := parseEntry(line)
		if err != nil {
			return nil, fmt.Errorf("monitor: %s: line %d: %w", path, n, err)
		}
		e.N = len(entries)
		entries = append(entries, e)
	}
}

// DropRewound leaves out the entries that a resumed run has trained again: those with a step at or after the step of a
// later entry. What is left has rising steps. It works in place, like slices.Delete.
func DropRewound(entries []LogEntry) []LogEntry {
	kept := entries[:0]
	for _, e := range entries {
		i := slices.IndexFunc(kept, func(k LogEntry) bool { return k.Step >= e.Step })
		if i >= 0 {
			kept = kept[:i]
		}
		kept = append(kept, e)
	}
	return kept
}

func parseEntry(line []byte) (LogEntry, error) {
	var e LogEntry
	if !json.Valid(line) {
		return e, fmt.Errorf("not valid json")
	}
	// Token by token, because a map would lose the order of the values.
	dec := json.NewDecoder(bytes.NewReader(line))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return e, fmt.Errorf("not an object")
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return e, err
		}
		name, _ := key.(string)
		var number *float64
		switch name {
		case "step":
			err = dec.Decode(&e.Step)
		case "time":
			err = dec.Decode(&e.Time)
		case "nonfinite":
			err = dec.Decode(&[]string{})
		default:
			err = dec.Decode(&number)
		}
		if err != nil {
			return e, fmt.Errorf("%q: %w", name, err)
		}
		v := math.NaN()
		if number != nil {
			v = *number
		}
		switch name {
		case "step", "time", "nonfinite":
		case "kimg":
			e.Kimg = v
		case "epoch":
			e.Epoch = v
		case "elapsed_sec":
			e.Elapsed = time.Duration(v * float64(time.Second))
		case "img_per_sec":
			e.Rate = v
		default:
			e.Values = append(e.Values, Value{name, v})
		}
	}
	return e, nil
}
