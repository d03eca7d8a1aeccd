package monitor

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"
)

func sampleTick() Tick {
	return Tick{
		N: 3, Step: 1200, Kimg: 76.8, Total: 100, Epoch: 1.536, Elapsed: 94600 * time.Millisecond, ETA: 80 * time.Second,
		Rate: 812.04, Values: []Value{{"D", -1.2341}, {"G", 4.564e9}, {"tigas", 0.512}, {"score", 0.488}, {"lr_G", 1e-4}},
	}
}

const sampleLine = "tick 3    kimg 76.8    step 1200   time 1m 35s   img/s 812.0   D -1.234 G 4.56e+09 tigas 0.512 score 0.488 eta 1m 20s"

const sampleLive = "kimg 76.8/100  step 1200  812 img/s  eta 1m 20s  score 0.488 G 4.56e+09 D -1.234 tigas 0.512"

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "?", -1: "?", 0: "0s", 28 * time.Second: "28s", 59400 * time.Millisecond: "59s", 59600 * time.Millisecond: "1m 00s",
		365 * time.Second: "6m 05s", time.Hour + 19*time.Minute + 8*time.Second: "1h 19m 08s",
		7*24*time.Hour + 8*time.Hour + 7*time.Minute + 59*time.Second: "7d 08h 07m",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestConsoleElsewhereIsPlain(t *testing.T) {
	var b bytes.Buffer
	c := &Console{W: &b}
	c.Message("data: %d pictures", 5)
	c.Tick(sampleTick())
	c.Warn("loss is %s", "large")
	c.Tick(sampleTick())
	c.Done()
	want := "data: 5 pictures\n" + sampleLine + "\nwarning: loss is large\n" + sampleLine + "\n"
	if got := b.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// On a GPU the line has its memory, and the three values only the log.
func TestConsoleHasTheMemory(t *testing.T) {
	tick := sampleTick()
	live := tick.live(200)
	tick.Values = append(tick.Values, Value{GPUAllocated, 1000}, Value{GPUPeak, 1234.4}, Value{GPUReserved, 2000})
	before, after, _ := strings.Cut(sampleLine, " D ")
	if got, want := tick.line(), before+" gpumem 1234MiB  D "+after; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := tick.live(200); got != live {
		t.Errorf("got  %q\nwant %q", got, live)
	}
}

func TestConsoleOnATerminal(t *testing.T) {
	var b bytes.Buffer
	c := &Console{W: &b, Live: true, Width: 200}
	c.Tick(sampleTick())
	c.Tick(sampleTick())
	c.Warn("low disk")
	c.Tick(sampleTick())
	c.Done()
	c.Done() // the second has nothing to end
	line := "\r" + sampleLive + "\x1b[K"
	if got, want := b.String(), line+line+"\r\x1b[K"+"warning: low disk\n"+line+"\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	b.Reset()
	c = &Console{W: &b, Live: true, Width: 20}
	c.Tick(sampleTick())
	if got, want := b.String(), "\r"+sampleLive[:19]+"\x1b[K"; got != want {
		t.Errorf("narrow: got %q, want %q", got, want)
	}
}

func TestConsoleQuiet(t *testing.T) {
	var b bytes.Buffer
	c := &Console{W: &b, Quiet: true}
	c.Tick(sampleTick())
	c.Message("hello")
	c.Warn("careful")
	if got := b.String(); got != "warning: careful\n" {
		t.Errorf("got %q", got)
	}
}

// Lines of several goroutines must not mix.
func TestConsoleIsSafeForConcurrentUse(t *testing.T) {
	var b bytes.Buffer
	c := &Console{W: &b}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				c.Tick(sampleTick())
				c.Warn("from %d", i)
				c.Message("from %d", i)
			}
		})
	}
	wg.Wait()
	counts := map[string]int{}
	for line := range strings.Lines(b.String()) {
		counts[line]++
	}
	if len(counts) != 17 || counts[sampleLine+"\n"] != 400 || counts["warning: from 3\n"] != 50 {
		t.Errorf("lines are mixed: %d kinds", len(counts))
	}
}

func TestRateKnowsOnlyThisSession(t *testing.T) {
	t0 := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := NewRate(t0, 1_000_000) // resumed: a million pictures were before our time
	if r.ETA(2_000_000) != -1 || r.PerSecond() != 0 {
		t.Error("speed is known before the first tick")
	}
	r.Observe(t0.Add(60*time.Second), 1_000_600) // slow start: 10 a second
	if r.SessionPerSecond() != 10 || r.PerSecond() != 10 {
		t.Errorf("first tick: got %v, %v", r.SessionPerSecond(), r.PerSecond())
	}
	r.Observe(t0.Add(70*time.Second), 1_001_600) // 100 a second
	r.Observe(t0.Add(75*time.Second), 1_002_600) // 200 a second
	if r.PerSecond() != 200 || r.TickTime() != 5*time.Second || r.Elapsed() != 75*time.Second {
		t.Errorf("got %v, %v, %v", r.PerSecond(), r.TickTime(), r.Elapsed())
	}
	if got := r.SessionPerSecond(); got != 2000.0/15 {
		t.Errorf("session: got %v", got)
	}
	if got := r.ETA(1_004_600); got != 15*time.Second {
		t.Errorf("eta: got %v, want 15s", got)
	}
	if r.ETA(1_000_000) != 0 {
		t.Error("a finished run has time left")
	}
	r.Observe(t0.Add(75*time.Second), 1_002_600) // the clock stood still
	if r.PerSecond() != 0 {
		t.Errorf("no time passed: got %v", r.PerSecond())
	}
}

// Colours are for terminals that want them, and never in the middle of a text; a program gets objects, one a line.
func TestConsoleColoursAndJSON(t *testing.T) {
	var b bytes.Buffer
	c := &Console{W: &b, Live: true, Color: true}
	c.Message("hello")
	c.Warn("low %s", "disk")
	c.Problem("all is lost")
	if got, want := b.String(), "hello\n\x1b[33mwarning:\x1b[0m low disk\n\x1b[31mproblem:\x1b[0m all is lost\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	b.Reset()
	c = &Console{W: &b, Live: true, Color: true, JSON: true}
	c.Message("a \"b\"\x1b")
	c.Warn("careful")
	c.Problem("stop")
	c.Status("drawing")
	tick := sampleTick()
	c.Tick(tick)
	c.Done()
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 4 {
		t.Fatalf("got %q", lines)
	}
	for i, want := range []map[string]any{
		{"level": "info", "message": "a \"b\"\\x1b"}, {"level": "warning", "message": "careful"}, {"level": "problem", "message": "stop"},
		{"step": 1200., "score": 0.488, "img_per_sec": 812.04},
	} {
		var got map[string]any
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatalf("%s: %v", lines[i], err)
		}
		if _, err := time.Parse(time.RFC3339, got["time"].(string)); err != nil {
			t.Error(err)
		}
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%s: got %v, want %v", k, got[k], v)
			}
		}
	}
}
