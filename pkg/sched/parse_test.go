package sched

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
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

func FuzzParseSpan(f *testing.F) {
	f.Add("10epoch")
	f.Add("2.5 kimgs")
	f.Add("-0")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSpan(text)
		if err != nil {
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

func TestJSONRefuses(t *testing.T) {
	for _, text := range []string{
		`1`, `[]`, `{}`, `{"type":1}`, `{"type":"quadratic"}`,
		`{"type":"constant"}`, `{"type":"constant","value":null}`, `{"type":"constant","value":"x"}`,
		`{"type":"constant","value":1,"extra":1}`, `{"type":"constant","value":1e999}`,
		`{"type":"linear","from":0,"to":1}`, `{"type":"linear","from":0,"to":1,"over":"10"}`,
		`{"type":"linear","from":0,"to":1,"over":"-1step"}`, `{"type":"lineardecay","value":1,"over":"0"}`,
		`{"type":"delayed","start":"1step","inner":null}`, `{"type":"delayed","start":"1step","inner":{"type":"x"}}`,
		`{"type":"chain","first":{"type":"constant","value":1},"for":"1step","then":3}`,
	} {
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
