package sched

import (
	"encoding/json"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParseSpan(t *testing.T) {
	for text, want := range map[string]Span{
		"10epoch":      {10, Epoch},
		"10 Epochs":    {10, Epoch},
		"500step":      {500, Step},
		"1e3steps":     {1000, Step},
		"20kimg":       {20, Kimg},
		"0.5kimg":      {0.5, Kimg},
		"2.5fracepoch": {2.5, FracEpoch},
		"0":            {},
		" 0 ":          {},
		"0step":        {0, Step},
	} {
		got, err := ParseWarmup(text)
		if err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
		again, err := ParseSpan(got.String())
		if err != nil || again != got {
			t.Errorf("%q: %q reads as %v, %v", text, got.String(), again, err)
		}
	}
	for _, text := range []string{"", "10", "-1epoch", "nanstep", "infkimg", "epoch", "10mile", "1e999step", "5stepstep", "-0.5"} {
		_, err := ParseSpan(text)
		if err == nil {
			t.Errorf("%q: no error", text)
		} else if s := err.Error(); !strings.HasPrefix(s, "sched: parse: ") || strings.Contains(s, "\n") {
			t.Errorf("%q: error text %q", text, s)
		}
	}
}

// oneLine wants an error that can stand in a log.
func oneLine(t *testing.T, err error) {
	t.Helper()
	if s := err.Error(); !strings.HasPrefix(s, "sched: ") || len(s) > 2000 || strings.ContainsAny(s, "\n\r\x1b") || !utf8.ValidString(s) {
		t.Fatalf("got error %q", s)
	}
}

func FuzzParseSpan(f *testing.F) {
	for _, s := range []string{"10epoch", "2.5 kimgs", "-0", " 0 ", "1e308step", "0x1p-2fracepochs", "nanstep", "Infepoch", "1_0step", "\u0131steps",
		"5e-324kimg", "10\nepoch", "\xffstep", strings.Repeat("9", 99) + "s", strings.Repeat("1", 5000) + "step"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSpan(text)
		if err != nil {
			oneLine(t, err)
			return
		}
		if err := s.Validate(); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if again, err := ParseSpan(s.String()); err != nil || again != s {
			t.Fatalf("%q: %q reads as %v, %v", text, s.String(), again, err)
		}
	})
}

// chained is n chains inside each other.
func chained(n int) string {
	return strings.Repeat(`{"type":"chain","first":{"type":"constant","value":1},"for":"1step","then":`, n) + `{"type":"constant","value":2}` +
		strings.Repeat("}", n)
}

// FuzzScheduleJSON wants of any text an error, or a schedule with finite values at all times that is written and read again
// as it is, in the memory of a few copies for each level.
func FuzzScheduleJSON(f *testing.F) {
	for _, s := range everySchedule() {
		data, err := json.Marshal(Any{s})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, s := range append(refused, "null", " null", chained(5), `{"type":"constant","value":1,"value":2,"type":"constant"}`, `{"Type":"constant","value":1}`,
		`{"type":"cosine","from":1e308,"to":-1e308,"over":"1step"}`, `{"type":"linear","from":0,"to":1,"over":"5e-324step"}`,
		`{"type":"\u0000\n","value":1}`, `{"type":"constant","value":1,"{{{{":"}"}`, `{"type":"switch","before":1,"after":2,"until":{"N":1}}`) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var a Any
		var err error
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err = a.UnmarshalJSON(data)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(1<<18+100*len(data)*(1+min(depth(data), maxDepth))) {
			t.Fatalf("%d bytes for a text of %d with %d levels", n, len(data), depth(data))
		}
		if err != nil {
			oneLine(t, err)
			if a.Schedule != nil {
				t.Fatalf("%v and a schedule", err)
			}
			return
		}
		if a.Schedule == nil {
			if string(data) != "null" {
				t.Fatalf("no schedule and no error")
			}
			return
		}
		for _, p := range []Progress{{}, {Step: 1, Images: 64, Epoch: 1.5}, {Step: 1 << 40, Images: 1 << 50}, {Step: -1}} {
			if v := a.At(p); math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("%v at %+v", v, p)
			}
		}
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var again Any
		if err := json.Unmarshal(text, &again); err != nil && len(text) < maxText || err == nil && !reflect.DeepEqual(a, again) {
			t.Fatalf("%s: read as %+v, %v", text, again, err)
		}
	})
}

// What is inside of something else is read again at each level; a text of half a megabyte took minutes.
func TestDeepSchedules(t *testing.T) {
	var a Any
	if err := json.Unmarshal([]byte(chained(maxDepth-1)), &a); err != nil {
		t.Errorf("got error %v", err)
	}
	start := time.Now()
	for text, want := range map[string]string{
		chained(maxDepth): "inside each other: got 257, want at most 256",
		chained(5000):     "too long: got ",
		`{"type":"constant","value":1,"` + strings.Repeat("x", 1000) + `":2}`: `unknown parameter "xxx`,
		`{"type":"` + strings.Repeat("\\n", 1000) + `"}`:                      `unknown type: got "\n\n`,
	} {
		err := json.Unmarshal([]byte(text), &a)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
			continue
		}
		oneLine(t, err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
}

func everySchedule() []Schedule {
	lin := Linear{0, 0.1, Span{10, Epoch}}
	return []Schedule{
		Constant{0.1}, Constant{0.1 + 0.2}, Switch{0, 0.1, Span{10, Epoch}}, lin, Cosine{1e-3, 1e-6, Span{2.5, FracEpoch}},
		LinearDecay{2e-4, Span{1e5, Step}}, DelayedStart{Span{200, Kimg}, lin},
		Chain{lin, Span{1, Epoch}, Chain{Constant{1}, Span{3, Step}, DelayedStart{Span{1, Step}, Cosine{1, 0, Span{9, Step}}}}},
	}
}

func TestJSONRoundTrip(t *testing.T) {
	for _, s := range everySchedule() {
		data, err := json.Marshal(Any{s})
		if err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
		if bare, err := json.Marshal(s); err != nil || string(bare) != string(data) {
			t.Errorf("%T: without Any %s, %v; with it %s", s, bare, err, data)
		}
		var got Any
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if !reflect.DeepEqual(got.Schedule, s) {
			t.Errorf("%s: got %+v, want %+v", data, got.Schedule, s)
		}
	}
	data, _ := json.Marshal(DelayedStart{Span{200, Kimg}, Linear{0, 0.1, Span{10, Epoch}}})
	want := `{"type":"delayed","start":"200kimg","inner":{"type":"linear","from":0,"to":0.1,"over":"10epoch"}}`
	if string(data) != want {
		t.Errorf("got  %s\nwant %s", data, want)
	}
	var config struct{ Weight, Other Any }
	if err := json.Unmarshal([]byte(`{"Weight":`+want+`,"Other":null}`), &config); err != nil || config.Weight.At(Progress{}) != 0 {
		t.Errorf("in a configuration: %+v, %v", config, err)
	}
}

type foreign struct{}

func (foreign) At(Progress) float64 { return 1 }

var refused = []string{
	`1`, `[]`, `{}`, `{"type":1}`, `{"type":"quadratic"}`,
	`{"type":"constant"}`, `{"type":"constant","value":null}`, `{"type":"constant","value":"x"}`,
	`{"type":"constant","value":1,"extra":1}`, `{"type":"constant","value":1e999}`,
	`{"type":"linear","from":0,"to":1}`, `{"type":"linear","from":0,"to":1,"over":"10"}`,
	`{"type":"linear","from":0,"to":1,"over":"-1step"}`, `{"type":"lineardecay","value":1,"over":"0"}`,
	`{"type":"delayed","start":"1step","inner":null}`, `{"type":"delayed","start":"1step","inner":{"type":"x"}}`,
	`{"type":"chain","first":{"type":"constant","value":1},"for":"1step","then":3}`,
}

func TestJSONRefuses(t *testing.T) {
	for _, text := range refused {
		var a Any
		if err := json.Unmarshal([]byte(text), &a); err == nil {
			t.Errorf("%s: no error, got %+v", text, a)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error text %q", text, err)
		}
	}
	for _, s := range []Schedule{foreign{}, DelayedStart{Span{}, foreign{}}, DelayedStart{}, Constant{math.NaN()},
		Linear{0, 1, Span{math.Inf(1), Step}}} {
		if data, err := json.Marshal(Any{s}); err == nil {
			t.Errorf("%+v: no error, got %s", s, data)
		}
	}
}
