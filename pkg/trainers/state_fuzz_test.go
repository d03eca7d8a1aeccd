package trainers

import (
	"encoding/json"
	"strings"
	"testing"
)

// A state of other hands is refused in one line, or is one that a loop can go on from: no position lies before the beginning,
// and every mean that is listed is there.
func FuzzState(f *testing.F) {
	for _, s := range []string{
		`{"step":3,"images":24,"tick":2,"next_tick":0.1,"loader":{"position":24},"names":["D"],"means":{"D":{"sum":1.5,"n":3}},"skipped":{"G":2}}`,
		`{"step":-1}`, `{"images":1e400}`, `{"names":["D"]}`, `{"rollbacks":4}`, `{}`, `null`, `{"means":{"D":null},"names":["D"]}`,
		`{"augment":"AAAA"}`, `{"elapsed_sec":-5}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseState(data)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("more than a line: %q", err)
			}
			return
		}
		if s.Step < 0 || s.Images < 0 || s.Loader.Position < 0 || s.Tick < 0 || s.Skipped == nil || s.NextSnapshot < 0 {
			t.Fatalf("no run is there: %+v", s)
		}
		st := stats{}
		st.restore(s.Names, s.Means, 0, s.Epochs)
		st.addNumber("D", 1)
		st.take()
		if _, err := json.Marshal(s); err != nil {
			t.Fatal(err)
		}
	})
}
