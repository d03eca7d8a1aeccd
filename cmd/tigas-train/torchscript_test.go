package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The Python blocks and the commands of docs/torchscript.md run in their order, with few pictures.
func TestTorchScriptPage(t *testing.T) {
	const python = "/usr/bin/python3"
	if exec.Command(python, "-c", "import torch").Run() != nil {
		t.Skip("no python3 with torch")
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "torchscript.md"))
	require.NoError(t, err)
	photos := demoFolder(t, 0, 40, nil)
	t.Chdir(t.TempDir())
	blocks, commands := 0, 0
	script := "" // of all blocks so far: they are one session
	rest := string(text)
	for line := range strings.Lines(rest) {
		if c, ok := strings.CutPrefix(line, "    tigas-train "); ok {
			args := strings.Fields(c)
			if slices.Contains(trainCommands, args[0]) {
				args = append(args, "--batch", "8", "--kimg", "0.05", "--grid", "2", "--threads", "1")
			}
			if i := slices.Index(args, "photos/"); i >= 0 {
				args[i] = photos
				args = append(args, "--tigas-model", "embedded")
			}
			code, _, stderr := call(args...)
			require.Equal(t, exitOK, code, "%s: %s", line, stderr)
			commands++
			continue
		}
		if strings.HasPrefix(line, "```python") {
			at := strings.Index(rest, line)
			block, after, ok := strings.Cut(rest[at+len(line):], "```\n")
			require.True(t, ok)
			rest = after
			// What was saved before stays: only the definitions are run again.
			script += block
			require.NoError(t, os.WriteFile("session.py", []byte(script), 0o644)) // TorchScript reads the source
			out, err := exec.Command(python, "session.py").CombinedOutput()
			require.NoError(t, err, "%s", out)
			var again []string
			for l := range strings.Lines(script) {
				if !strings.Contains(l, ".save(") && !strings.Contains(l, "jit.load(") && !strings.Contains(l, "g(torch") && !strings.Contains(l, "load_state") {
					again = append(again, l)
				}
			}
			script = strings.Join(again, "")
			blocks++
		}
	}
	require.Equal(t, []int{4, 8}, []int{blocks, commands})
}
