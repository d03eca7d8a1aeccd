package customtraining

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page's commands and its program, in a new module outside of this one, as a reader has them. What differs: the clone is this
// checkout, so that its compiled packages are found in Go's cache, and it stays as it is configured; and nothing is
// downloaded.
func TestOutside(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs a program")
	}
	checkout, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	script := strings.Join(onPage(t, "sh"), "")
	setUp, build, found := strings.Cut(script, "go build")
	require.True(t, found)
	script = setUp + `cp "$MAIN" main.go     # the reader's editor
		cp "$CHECKOUT/go.sum" .               # and what go build downloads to find the versions
		go mod edit $(awk '/^\t[a-z]/ {print "-require=" $1 "@" $2}' "$CHECKOUT/go.mod")
		go build` + build
	for from, to := range map[string]string{
		"git clone https://github.com/tigas-train/tigas-train\n": "",
		"\ntigas-train/scripts/libtorch.sh\n":                    "\n\"$CHECKOUT\"/scripts/libtorch.sh --print\n",
		"=../tigas-train\n":                                      "=\"$CHECKOUT\"\n",
	} {
		require.Equal(t, 1, strings.Count("\n"+script, from), from)
		script = strings.Replace("\n"+script, from, to, 1)
	}
	dir := t.TempDir()
	main := filepath.Join(dir, "main.go")
	require.NoError(t, os.WriteFile(main, []byte(program(t)), 0o600))
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = dir
	goEnv := func(name string) string {
		out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
		require.NoError(t, err)
		return name + "=" + strings.TrimSpace(string(out))
	}
	cmd.Env = []string{"HOME=" + dir, "CHECKOUT=" + checkout, "MAIN=" + main, goEnv("GOCACHE"), goEnv("GOMODCACHE"),
		"GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local", "OMP_WAIT_POLICY=PASSIVE"}
	for _, name := range []string{"PATH", "CC", "CXX", "LIBTORCH", "LD_LIBRARY_PATH", "CGO_CXXFLAGS", "CGO_LDFLAGS"} {
		if v, ok := os.LookupEnv(name); ok { // what this checkout was built with
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	lines := regexp.MustCompile(`(?m)^step +(\d+)  mse (0\.\d+)  score (0\.\d+)$`).FindAllStringSubmatch(string(out), -1)
	require.Len(t, lines, 4, "%s", out)
	require.Less(t, lines[3][2], lines[0][2], "the error") // both begin with 0.
	require.Greater(t, lines[3][3], lines[0][3], "the score")
	require.FileExists(t, filepath.Join(dir, "mytrainer", "denoiser.safetensors"))
}
