package monitor

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

var nan = math.NaN()

func openLog(t *testing.T, path string) *JSONLog {
	t.Helper()
	l, err := OpenJSONLog(path)
	if err != nil {
		t.Fatal(err)
	}
	l.now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC) }
	t.Cleanup(func() { l.Close() })
	return l
}

func writeLog(t *testing.T, path string, ticks ...Tick) {
	t.Helper()
	l := openLog(t, path)
	for _, tick := range ticks {
		if err := l.Tick(tick); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLogRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.jsonl")
	a := sampleTick()
	b := Tick{Step: 1300, Kimg: 83.2, Values: []Value{
		{"z", nan}, {"a", math.Inf(-1)}, {"tiny", 2.5e-42}, {"huge", 1e303}, {"lr_G", 2e-4}, {`quote " and <`, 1},
	}}
	writeLog(t, path, a)
	writeLog(t, path, b) // a second session appends
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"step":1200,"kimg":76.8,"epoch":1.536,"time":"2026-01-02T03:04:05Z","elapsed_sec":94.6,"img_per_sec":812.04,` +
		`"D":-1.2341,"G":4564000000,"tigas":0.512,"score":0.488,"lr_G":0.0001}`
	first, _, _ := strings.Cut(string(data), "\n")
	if first != want {
		t.Errorf("got  %s\nwant %s", first, want)
	}
	for line := range strings.Lines(string(data)) {
		if !json.Valid([]byte(line)) || !strings.HasPrefix(line, lineStart) {
			t.Errorf("not a line of a log: %s", line)
		}
	}
	if !strings.Contains(string(data), `"z":null,"a":null,`) || !strings.Contains(string(data), `"nonfinite":["z","a"]}`) {
		t.Errorf("nonfinite values: got %s", data)
	}

	entries, err := ReadLog(path)
	if err != nil || len(entries) != 2 {
		t.Fatalf("got %d entries, %v", len(entries), err)
	}
	if !entries[0].Time.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("time: got %v", entries[0].Time)
	}
	a.N, a.Total, a.ETA = 0, 0, 0
	if got := entries[0].Tick; !reflect.DeepEqual(got, a) {
		t.Errorf("got  %+v\nwant %+v", got, a)
	}
	for i, v := range entries[1].Values {
		w := b.Values[i]
		if v.Name != w.Name || i < 2 && !math.IsNaN(v.Value) || i >= 2 && math.Abs(v.Value/w.Value-1) > 1e-6 {
			t.Errorf("value %d: got %+v, want %+v", i, v, w)
		}
	}
}

func TestLogAfterACrash(t *testing.T) {
	whole := `{"step":1,"kimg":0.1,"img_per_sec":2,"D":1}`
	for name, v := range map[string]struct {
		tail    string // follows one whole line
		read    int    // entries before it is opened again
		repairs int    // entries after that and one more tick; 0: it is refused
	}{
		"clean":           {"", 1, 2},
		"cut line":        {`{"step":2,"ki`, 1, 2},
		"cut at once":     {`{`, 1, 2},
		"newline missing": {whole, 1, 3},
		"zeros":           {"\x00\x00\x00", 1, 2},
		"cut, zeros":      {"{\"st\x00\x00", 1, 2},
		"long cut line":   {`{"step":2,"x":"` + strings.Repeat("y", 10000), 1, 2},
		"not ours":        {`hello`, 1, 0},
	} {
		path := filepath.Join(t.TempDir(), "log.jsonl")
		if err := os.WriteFile(path, []byte(whole+"\n"+v.tail), 0o644); err != nil {
			t.Fatal(err)
		}
		entries, err := ReadLog(path)
		if err != nil || len(entries) != v.read {
			t.Errorf("%s: read %d entries, %v", name, len(entries), err)
		}
		l, err := OpenJSONLog(path)
		if err != nil {
			if v.repairs != 0 {
				t.Errorf("%s: %v", name, err)
			}
			if data, _ := os.ReadFile(path); string(data) != whole+"\n"+v.tail {
				t.Errorf("%s: the refused file was changed", name)
			}
			continue
		}
		if err := l.Tick(Tick{Step: 3}); err != nil {
			t.Error(err)
		}
		l.Close()
		entries, err = ReadLog(path)
		if err != nil || len(entries) != v.repairs || entries[len(entries)-1].Step != 3 {
			t.Errorf("%s: after repair %d entries, %v, want %d", name, len(entries), err, v.repairs)
		}
	}
}

func TestReadLogRefuses(t *testing.T) {
	for _, text := range []string{"x\n", "[]\n", "1\n", `{"step":"a"}` + "\n", `{"D":"a"}` + "\n", `{"step":1}{}` + "\n", "{\"step\":1\n{\"step\":2}\n"} {
		path := filepath.Join(t.TempDir(), "log.jsonl")
		os.WriteFile(path, []byte(text), 0o644)
		if _, err := ReadLog(path); err == nil || !strings.Contains(err.Error(), "line 1: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got error %v", text, err)
		}
	}
	if _, err := ReadLog(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("missing file: no error")
	}
}

func TestDropRewound(t *testing.T) {
	var entries []LogEntry
	for _, step := range []int64{0, 10, 20, 30, 20, 30, 40, 10, 50} {
		entries = append(entries, LogEntry{Tick: Tick{Step: step}})
	}
	var steps []int64
	for _, e := range DropRewound(entries) {
		steps = append(steps, e.Step)
	}
	if !reflect.DeepEqual(steps, []int64{0, 10, 50}) {
		t.Errorf("got %v", steps)
	}
}

func TestLogWriteErrorIsReturned(t *testing.T) {
	l := openLog(t, filepath.Join(t.TempDir(), "log.jsonl"))
	l.Close()
	if err := l.Tick(Tick{}); err == nil || !strings.HasPrefix(err.Error(), "monitor: ") {
		t.Errorf("got error %v", err)
	}
}

// A log that grows is read as one that is read whole, also when a line is not all there yet, and when a run has gone back.
func TestLogTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.jsonl")
	tail := NewLogTail(path)
	if _, err := tail.Read(); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
	same := func() {
		t.Helper()
		got, err := tail.Read()
		want, wantErr := ReadLog(path)
		if err != nil || wantErr != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v, %v\nwant %v, %v", got, err, want, wantErr)
		}
	}
	l := openLog(t, path)
	same()
	for step := range int64(5) {
		if err := l.Tick(Tick{Step: step, Values: []Value{{"D", float64(step)}}}); err != nil {
			t.Fatal(err)
		}
		same()
		if err := l.Samples(Tick{Step: step, Values: []Value{{"sample_detail", 1}}}); err != nil {
			t.Fatal(err)
		}
		same()
	}
	size, err := l.Sync()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = l.f.WriteString(`{"step":9,"img_per_`); err != nil {
		t.Fatal(err)
	}
	same()
	if _, err := l.Rewind(size-3, 2); err == nil {
		t.Fatal("cut in the middle of a line")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	third := int64(bytes.Index(text, []byte(`{"step":2`)))
	samples, err := l.Rewind(third, 1)
	if err != nil || samples {
		t.Fatal(samples, err)
	}
	same()
	for step := range int64(9) { // longer than it was
		if err := l.Tick(Tick{Step: 10 + step}); err != nil {
			t.Fatal(err)
		}
	}
	same()
	// The line of the samples of the step that the run goes on from stays.
	if err = l.Samples(Tick{Step: 18, Values: []Value{{"sample_detail", 1}}}); err != nil {
		t.Fatal(err)
	}
	text, _ = os.ReadFile(path)
	before := int64(bytes.LastIndex(text, []byte(`{"step":18`)))
	if err = l.Tick(Tick{Step: 19}); err != nil {
		t.Fatal(err)
	}
	if samples, err = l.Rewind(before, 18); err != nil || !samples {
		t.Fatal(samples, err)
	}
	same()
	if now, _ := os.ReadFile(path); !bytes.Equal(now, text) {
		t.Fatalf("got %q", now)
	}
}

// A disk that takes half a line costs that line, not those that come next.
func TestLogOnAFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.jsonl")
	l := openLog(t, path)
	if err := l.Tick(Tick{Step: 1}); err != nil {
		t.Fatal(err)
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 150, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	err := l.Samples(Tick{Step: 1, Values: []Value{{"sample_detail", 1}}})
	if e := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); e != nil {
		t.Fatal(e)
	}
	if err == nil {
		t.Fatal("the limit is none")
	}
	if err = l.Tick(Tick{Step: 2}); err != nil {
		t.Fatal(err)
	}
	entries, err := ReadLog(path)
	if err != nil || len(entries) != 2 || entries[1].Step != 2 {
		t.Fatalf("got %v, %v", entries, err)
	}
}
