package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// Each command has a page with its flags, the same in every call; groff finds nothing to say about it.
func TestManualPages(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SOURCE_DATE_EPOCH", "") // so that it is put back
	require.NoError(t, os.Unsetenv("SOURCE_DATE_EPOCH"))
	code, stdout, stderr := call("man", "--out", dir)
	require.Equal(t, exitOK, code, stderr)
	pages := strings.Fields(stdout)
	require.Greater(t, len(pages), 25)
	groff, err := exec.LookPath("groff")
	for _, c := range visible(t) {
		path := filepath.Join(dir, pageName(c)+".1")
		if !hasPage(c) || c.Name() == "help" {
			require.NoFileExists(t, path)
			continue
		}
		page, e := os.ReadFile(path)
		require.NoError(t, e)
		require.Equal(t, c.Example != "", strings.Contains(string(page), ".SH EXAMPLES\n"), path)
		c.Flags().VisitAll(func(f *pflag.Flag) {
			require.Contains(t, string(page), `\-\-`+strings.ReplaceAll(f.Name, "-", `\-`), path)
		})
		if err == nil {
			cmd := exec.Command(groff, "-ww", "-man", "-Tutf8", path)
			var said bytes.Buffer
			cmd.Stderr = &said
			text, e := cmd.Output()
			require.NoError(t, e, said.String())
			require.Empty(t, said.String(), path)
			require.Contains(t, string(text), "tigas-train manual")
		}
	}
	before, err := os.ReadFile(pages[1])
	require.NoError(t, err)
	again := t.TempDir()
	call("man", "--out", again)
	after, err := os.ReadFile(filepath.Join(again, filepath.Base(pages[1])))
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))

	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	call("man", "--out", again)
	after, err = os.ReadFile(filepath.Join(again, "tigas-train.1"))
	require.NoError(t, err)
	require.Contains(t, string(after), `"2023-11-14"`) // date -u -d @1700000000
	t.Setenv("SOURCE_DATE_EPOCH", "soon")
	code, _, stderr = call("man", "--out", again)
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "SOURCE_DATE_EPOCH: got")
}

// What roff would take for a request or an escape is text.
func TestRoff(t *testing.T) {
	require.Equal(t, `\&.zip`, roff(".zip"))
	require.Equal(t, `Fr\[u00E9]chet`, roff("Fréchet"))
	require.Equal(t, `\-\-a \(aqb\(aq \e`, roff(`--a 'b' \`))
}
