package monitor

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// LogEntry is what a log says of one step: a line, or two, if samples were measured at the end of a tick.
type LogEntry struct {
	Time time.Time
	Tick // N counts from the top of the file; Total and ETA are not in the log and stay 0; Values has all other keys
}

// ReadLog reads a log that a [JSONLog] wrote. The values have the order of the file, and one that is null is NaN.
//
// A last line without a newline is left out, because the run that writes it may not be done with it, or was killed
// meanwhile. Any other line that is no valid entry is an error.
func ReadLog(path string) ([]LogEntry, error) {
	info, err := os.Stat(path) // first: opening a pipe waits for somebody who writes to it
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	defer f.Close()
	entries, err := readLog(f)
	if err != nil {
		return nil, fmt.Errorf("monitor: %s: %w", path, err)
	}
	return entries, nil
}

// maxLine is far above any line of a log, and the most of one that is in memory.
const maxLine = 1 << 20

// readLog reads line by line: what a power failure left at the end may be long.
func readLog(r io.Reader) (entries []LogEntry, err error) {
	in := bufio.NewReaderSize(r, maxLine)
	for n := 1; ; n++ {
		line, err := in.ReadSlice('\n')
		long := err == bufio.ErrBufferFull
		for err == bufio.ErrBufferFull {
			_, err = in.ReadSlice('\n')
		}
		switch {
		case err == io.EOF:
			return entries, nil
		case err != nil:
			return nil, err
		case long:
			return nil, fmt.Errorf("line %d: got more than %d bytes", n, maxLine)
		case len(bytes.TrimSpace(line)) == 0:
			continue
		}
		e, tick, err := parseEntry(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if k := len(entries) - 1; !tick && k >= 0 && entries[k].Step == e.Step {
			entries[k].Values = append(entries[k].Values, e.Values...)
			continue
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
		i, _ := slices.BinarySearchFunc(kept, e.Step, func(k LogEntry, step int64) int { return cmp.Compare(k.Step, step) })
		kept = append(kept[:i], e)
	}
	return kept
}

// parseEntry reads a line. tick tells whether it is that of a tick, which has a rate.
func parseEntry(line []byte) (e LogEntry, tick bool, err error) {
	if !json.Valid(line) {
		return e, false, fmt.Errorf("not valid json")
	}
	// Token by token, because a map would lose the order of the values.
	dec := json.NewDecoder(bytes.NewReader(line))
	step := false
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return e, false, fmt.Errorf("not an object")
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return e, false, err
		}
		name, _ := key.(string)
		var number *float64
		switch name {
		case "step":
			step = true
			err = dec.Decode(&e.Step)
		case "time":
			err = dec.Decode(&e.Time)
		case "nonfinite":
			err = dec.Decode(&[]string{})
		default:
			err = dec.Decode(&number)
		}
		if err != nil {
			return e, false, fmt.Errorf("%s: %s", quote(name), clip(err.Error())) // it quotes the value
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
			e.Elapsed = seconds(v)
		case "img_per_sec":
			e.Rate, tick = v, true
		default:
			e.Values = append(e.Values, Value{name, v})
		}
	}
	if !step { // not a line of a log, and too short a text for what it makes
		return e, false, errors.New("no step")
	}
	return e, tick, nil
}

// seconds is 0 for what is no number, and the longest duration for what does not fit.
func seconds(v float64) time.Duration {
	switch v *= float64(time.Second); {
	case math.IsNaN(v):
		return 0
	case v >= math.MaxInt64:
		return math.MaxInt64
	case v <= math.MinInt64:
		return math.MinInt64
	}
	return time.Duration(v)
}

// quote shows a name on one line, and no longer than a line.
func quote(s string) string { return clip(strconv.Quote(s)) }

func clip(s string) string {
	const most = 160
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
