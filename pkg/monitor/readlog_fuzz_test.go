package monitor

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzReadLog wants of any bytes an error on one line, or the entries of every whole line, in memory that the lines pay for.
// Written by a JSONLog, they are read as they are.
func FuzzReadLog(f *testing.F) {
	whole := `{"step":1,"kimg":0.1,"epoch":0.5,"time":"2026-01-02T03:04:05Z","elapsed_sec":94.6,"img_per_sec":8,"D":1,"z":null,"nonfinite":["z"]}`
	for _, s := range []string{
		whole + "\n", whole + "\n" + whole, whole + "\n\x00\x00\x00", `{"step":1}` + "\n\n \r\n" + `{"step":0,"D":1e308}` + "\r\n", `{"step":2,"ki`,
		"x\n", "[]\n", "{}\n", `{"step":"a"}` + "\n", `{"step":1}{}` + "\n", `{"step":9223372036854775808}` + "\n", `{"step":1,"D":[[[[]]]]}` + "\n",
		`{"step":1,"elapsed_sec":1e300,"kimg":null,"elapsed_sec":-1e300}` + "\n", `{"step":1,"\u0000\n\u2028":1,"":2,"D":1,"D":2}` + "\n",
		`{"step":1,"D":` + strings.Repeat("[", 20000) + "\n", strings.Repeat(`{"step":1}`+"\n", 200), strings.Repeat("{}\n", 1000),
		`{"step":1,"time":"` + strings.Repeat("9", 3000) + `"}` + "\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		entries, err := readLog(bytes.NewReader(b))
		runtime.ReadMemStats(&after)
		// The buffer; entries, of which a list that grows has two and a half; and for each line what decoding it leaves.
		lines := bytes.Count(b, []byte("\n"))
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(maxLine+1<<18+200*len(b)+4096*lines) {
			t.Fatalf("%d bytes for %d in %d lines", n, len(b), lines)
		}
		if err != nil {
			if s := err.Error(); !strings.HasPrefix(s, "line ") || len(s) > 500 || strings.ContainsAny(s, "\n\r\x1b") || !utf8.ValidString(s) {
				t.Fatalf("got error %q", s)
			}
			return
		}
		if len(entries) > lines {
			t.Fatalf("%d entries of %d lines", len(entries), lines)
		}
		kept := DropRewound(append([]LogEntry(nil), entries...))
		for i := range kept {
			if i > 0 && kept[i-1].Step >= kept[i].Step {
				t.Fatalf("steps %d and %d", kept[i-1].Step, kept[i].Step)
			}
		}
		if n := len(entries); n > 0 && (len(kept) == 0 || kept[len(kept)-1].Step != entries[n-1].Step) {
			t.Fatalf("the last entry was dropped: %v", kept)
		}
		var out bytes.Buffer
		for i, e := range entries {
			if e.N != i {
				t.Fatalf("entry %d: N is %d", i, e.N)
			}
			fmt.Fprintf(&out, `{"step":%d,"kimg":%s,"epoch":%s,"img_per_sec":%s`, e.Step, exact(e.Kimg), exact(e.Epoch), exact(e.Rate))
			for _, v := range e.Values {
				fmt.Fprintf(&out, `,%s:%s`, jsonText(v.Name), exact(v.Value))
			}
			out.WriteString("}\n")
		}
		again, err := readLog(&out)
		if err != nil || len(again) != len(entries) {
			t.Fatalf("written again: %d entries of %d, %v", len(again), len(entries), err)
		}
		for i, e := range entries {
			a := again[i]
			if e.Step != a.Step || len(e.Values) != len(a.Values) || !same(e.Kimg, a.Kimg) {
				t.Fatalf("got %+v, want %+v", a, e)
			}
			for k, v := range e.Values {
				if v.Name != a.Values[k].Name || !same(v.Value, a.Values[k].Value) {
					t.Fatalf("got %+v, want %+v", a, e)
				}
			}
		}
	})
}

// FuzzLogTail opens a log that ends in any way, and adds a line: whole lines stay, and what is refused is left alone.
func FuzzLogTail(f *testing.F) {
	for _, s := range []string{
		"", "{", `{"step":1}`, `{"step":1}` + "\n", `{"step":1}` + "\n" + `{"step":2,"ki`, `{"step":1}` + "\n\x00\x00", "{\"st\x00\x00", "hello", "\n",
		`{"step":1}` + "\n" + `{"step":2}` + "\x00", strings.Repeat("\x00", 5000), `{"step":` + strings.Repeat("1", 5000), "[1]",
	} {
		f.Add([]byte(s))
	}
	path := filepath.Join(f.TempDir(), "log.jsonl")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		l, err := OpenJSONLog(path)
		if err != nil {
			if after, _ := os.ReadFile(path); !bytes.Equal(after, b) {
				t.Fatalf("%v, and the file was changed", err)
			}
			if s := err.Error(); strings.ContainsAny(s, "\n\x00") || len(s) > 500 {
				t.Fatalf("got error %q", s)
			}
			return
		}
		err = l.Tick(Tick{Step: 7, Values: []Value{{"D", 1}}})
		if e := l.Close(); err != nil || e != nil {
			t.Fatal(err, e)
		}
		after, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		whole := b[:bytes.LastIndexByte(b, '\n')+1]
		tail := b[len(whole):]
		if !bytes.HasPrefix(after, whole) || !bytes.HasSuffix(after, []byte("}\n")) {
			t.Fatalf("%q became %q", b, after)
		}
		added := after[len(whole):]
		if rest, ok := bytes.CutPrefix(added, append(bytes.Clone(tail), '\n')); ok && len(tail) > 0 {
			added = rest // it only lacked its newline
		}
		e, err := readLog(bytes.NewReader(added))
		if err != nil || len(e) != 1 || e[0].Step != 7 {
			t.Fatalf("%q became %q: %v", b, after, err)
		}
	})
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

func exact(v float64) string {
	if math.IsNaN(v) {
		return "null"
	}
	return fmt.Sprintf("%g", v)
}

func jsonText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		if r < ' ' || r == '"' || r == '\\' {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}

// Long lines, many lines and pipes: none takes memory, time or for ever.
func TestReadHostileLogs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.jsonl")
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(s), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	good := `{"step":1}` + "\n"
	write(good + strings.Repeat("\x00", 3<<20))
	if e, err := ReadLog(path); err != nil || len(e) != 1 {
		t.Errorf("zeros at the end: got %d entries, %v", len(e), err)
	}
	write(good + `{"step":2,"D":"` + strings.Repeat("x", 3<<20) + "\"}\n")
	if _, err := ReadLog(path); err == nil || err.Error() != "monitor: "+path+": line 2: got more than 1048576 bytes" {
		t.Errorf("a long line: got error %v", err)
	}
	write(good + "{}\n")
	if _, err := ReadLog(path); err == nil || err.Error() != "monitor: "+path+": line 2: no step" {
		t.Errorf("a line of nothing: got error %v", err)
	}
	var b strings.Builder
	const n = 50_000
	for i := range n {
		fmt.Fprintf(&b, "{\"step\":%d}\n", i)
	}
	write(b.String())
	start := time.Now()
	e, err := ReadLog(path)
	if err != nil || len(e) != n {
		t.Fatalf("got %d entries, %v", len(e), err)
	}
	if e = DropRewound(e); len(e) != n || e[n-1].Step != n-1 {
		t.Errorf("got %d entries of rising steps", len(e))
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
	pipe := path + ".pipe"
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadLog(pipe); err == nil || !strings.HasSuffix(err.Error(), "is not a regular file") {
		t.Errorf("pipe: got error %v", err)
	}
}

func TestSeconds(t *testing.T) {
	for v, want := range map[float64]time.Duration{0: 0, 1.5: 1500 * time.Millisecond, -2: -2 * time.Second, 1e300: math.MaxInt64, -1e300: math.MinInt64} {
		if got := seconds(v); got != want {
			t.Errorf("%g: got %v, want %v", v, got, want)
		}
	}
	if got := seconds(math.NaN()); got != 0 {
		t.Errorf("NaN: got %v", got)
	}
	if e, err := readLog(strings.NewReader(`{"step":3,"elapsed_sec":null,"D":2}` + "\n")); err != nil ||
		!reflect.DeepEqual(e, []LogEntry{{Tick: Tick{Step: 3, Values: []Value{{"D", 2}}}}}) {
		t.Errorf("got %+v, %v", e, err)
	}
}
