package checkpoint

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever a manifest says, names stay in the folder, positions rise, and what was read can be written and read again.
func FuzzManifest(f *testing.F) {
	for _, s := range []string{
		`{"snapshots":[{"file":"a.safetensors","step":1,"images":64,"bytes":10,"sha256":"00","measure":-0.5,"keep":true}]}`,
		`{"snapshots":[{"file":"../a","images":1},{"file":"b","images":2}]}`, `{"snapshots":null}`, `{}`, `[]`, ``,
		`{"snapshots":[{"file":"a/b","images":9223372036854775807},{"file":"\u0000","images":3}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := parseManifest(data)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("more than a line: %q", err)
			}
			return
		}
		r := Run{Dir: "/runs/a"}
		for i, s := range l {
			if dir := filepath.Dir(r.Path(s)); dir != "/runs/a/snapshots" {
				t.Fatalf("%q is in %s", s.File, dir)
			}
			if i > 0 && s.Images <= l[i-1].Images {
				t.Fatal("positions do not rise")
			}
		}
		stay, gone := Retention{Last: 2, Every: 1, Best: true}.divide(l)
		if len(stay)+len(gone) != len(l) || len(l) > 0 && (len(stay) == 0 || stay[len(stay)-1] != l[len(l)-1]) {
			t.Fatalf("%d stay and %d go of %d, or not the newest", len(stay), len(gone), len(l))
		}
		text, err := json.Marshal(manifest{l})
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseManifest(text)
		if err != nil || len(again) != len(l) {
			t.Fatalf("%s: %v", text, err)
		}
	})
}
