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
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tigas-train/tigas-train/cgo/atomicfile"
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
func ReadLog(path string) ([]LogEntry, error) { return NewLogTail(path).Read() }

// maxLine is far above any line of a log, and the most of one that is in memory.
const maxLine = 1 << 20

// logReader gathers the entries of a log. It may be given more of it later.
type logReader struct {
	entries []LogEntry
	lines   int
	bytes   int64  // of whole lines
	last    []byte // the last line, with its newline
}

func readLog(r io.Reader) ([]LogEntry, error) {
	var l logReader
	err := l.read(r)
	return l.entries, err
}

// read goes line by line: what a power failure left at the end may be long.
func (l *logReader) read(r io.Reader) error {
	in := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := in.ReadSlice('\n')
		long := err == bufio.ErrBufferFull
		for err == bufio.ErrBufferFull {
			_, err = in.ReadSlice('\n')
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case long:
			return fmt.Errorf("line %d: got more than %d bytes", l.lines+1, maxLine)
		}
		if err := l.add(line); err != nil {
			return fmt.Errorf("line %d: %w", l.lines+1, err)
		}
		l.lines++
		l.bytes += int64(len(line))
		l.last = append(l.last[:0], line...)
	}
}

func (l *logReader) add(line []byte) error {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	e, tick, err := parseEntry(line)
	if err != nil {
		return err
	}
	if k := len(l.entries) - 1; !tick && k >= 0 && l.entries[k].Step == e.Step {
		l.entries[k].Values = append(l.entries[k].Values, e.Values...)
		return nil
	}
	e.N = len(l.entries)
	l.entries = append(l.entries, e)
	return nil
}

// LogTail reads a log that grows, each line once. It is for one goroutine.
type LogTail struct {
	path string
	l    logReader
}

// NewLogTail returns a reader of the log at path, which need not be there yet.
func NewLogTail(path string) *LogTail { return &LogTail{path: path} }

// Read returns what [ReadLog] does. The entries are the caller's until the next call, but for their order: a copy of the slice
// may be changed.
func (t *LogTail) Read() ([]LogEntry, error) {
	f, err := atomicfile.OpenRegular(t.path)
	if err != nil {
		t.l = logReader{}
		return nil, fmt.Errorf("monitor: %w", err)
	}
	defer f.Close()
	// What was read so far must be there still: a run that goes on from a snapshot has its log cut and written anew.
	if n := int64(len(t.l.last)); n > 0 {
		last := make([]byte, n)
		if _, err := f.ReadAt(last, t.l.bytes-n); err != nil || !bytes.Equal(last, t.l.last) {
			t.l = logReader{}
		}
	}
	if _, err := f.Seek(t.l.bytes, io.SeekStart); err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	if err := t.l.read(f); err != nil {
		t.l = logReader{}
		return nil, fmt.Errorf("monitor: %s: %w", t.path, err)
	}
	return t.l.entries, nil
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
