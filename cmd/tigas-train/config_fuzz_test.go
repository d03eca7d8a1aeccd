package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// A configuration of other hands is refused in one line with the code of a snapshot, or gives flags that can be listed and
// restored again.
func FuzzConfig(f *testing.F) {
	for _, s := range []string{
		`{"command":"vae","flags":{"kimg":{"value":"5","origin":"command line"},"tigas-scales":{"value":"[1,0.5]","origin":"default"},"mirror":{"value":"true","origin":"demo"}}}`,
		`{"flags":{"batch":{"value":"x","origin":"default"}}}`, `{"flags":{"out":{"value":"/etc","origin":"default"}}}`,
		`{"flags":{"":{"value":"","origin":""}}}`, `{"flags":{"kimg":null,"steps":{"value":"9999999999999999999999"}}}`, `{}`, `null`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		k := keepFlags{run: &checkpoint.Run{Dir: "a"}}
		if k.was.parse(data) != nil {
			return
		}
		flags := pflag.NewFlagSet("vae", pflag.ContinueOnError)
		var run training
		batch, steps := 1, int64(0)
		run.data.register(flags, "any")
		run.registerRun(flags, &batch, 0.1)
		flags.Int64Var(&steps, "steps", 0, "")
		run.out = "kept"
		err := k.restore(flags)
		if run.out != "kept" {
			t.Fatal("--out is not a run's to say")
		}
		if err != nil {
			var h *hinted
			if !errors.As(err, &h) || h.code != exitSnapshot || strings.Contains(oneLine(err), "\n") {
				t.Fatalf("%v", err)
			}
			return
		}
		k.was.Flags = flagValues(flags)
		if changed, err := k.changes(flagValues(flags), nil); err != nil || len(changed) > 0 {
			t.Fatalf("%v %v", changed, err)
		}
		_ = checkRun(trainers.RunOptions(run.run))
	})
}
