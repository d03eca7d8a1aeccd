//go:build slow

package main

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A fifth of the demo run of each family brings its pictures much nearer to pictures that were held out than one step
// does. docs/families.md has the figures of whole runs.
func TestDemoFamiliesLearn(t *testing.T) {
	for family, kimg := range map[string]string{"gan": "20", "stylegan": "15", "vae": "20", "diffusion": "20"} {
		t.Run(family, func(t *testing.T) {
			distance := func(kimg string) float64 {
				out := filepath.Join(t.TempDir(), family)
				code, _, stderr := call(family, "--kimg", kimg, "--snap", "1000", "--out", out)
				require.Equal(t, exitOK, code, stderr)
				code, stdout, stderr := call("eval", out, "--n", "512", "--json")
				require.Equal(t, exitOK, code, stderr)
				var e evaluation
				require.NoError(t, json.Unmarshal([]byte(stdout), &e))
				return e.Distance
			}
			untrained, trained := distance("0.001"), distance(kimg)
			t.Logf("Fréchet distance, random features: after a step %.2f, after %s kimg %.2f", untrained, kimg, trained)
			require.Less(t, trained, untrained/3)
		})
	}
}
