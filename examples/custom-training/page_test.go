package customtraining

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	marked = regexp.MustCompile(`(?ms)^(\t*)// block: \w+\n(.*?)^\t*// end\n`)
	fenced = regexp.MustCompile("(?ms)^```(go|sh)\n(.*?)^```$")
)

// onPage are the blocks of docs/custom-training.md in a language.
func onPage(t *testing.T, language string) []string {
	return blocksOf(t, "custom-training.md", language)
}

func blocksOf(t *testing.T, page, language string) (l []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	require.NoError(t, err)
	for _, m := range fenced.FindAllSubmatch(text, -1) {
		if string(m[1]) == language {
			l = append(l, string(m[2]))
		}
	}
	return l
}

// program is the one block of the page that is not in this package: it is built outside of this module.
func program(t *testing.T) string {
	t.Helper()
	l := onPage(t, "go")
	i := slices.IndexFunc(l, func(b string) bool { return strings.Contains(b, "package main\n") })
	require.GreaterOrEqual(t, i, 0)
	return l[i]
}

// The page shows this code and no other, but for what docs/torchscript.md shows.
func TestPageShowsThisCode(t *testing.T) {
	var want []string
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		code, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range marked.FindAllSubmatch(code, -1) {
			var b bytes.Buffer
			for line := range bytes.Lines(bytes.Trim(m[2], "\n")) {
				b.Write(bytes.TrimPrefix(line, m[1]))
			}
			want = append(want, b.String()+"\n")
		}
	}
	got := onPage(t, "go")
	got = slices.DeleteFunc(got, func(b string) bool { return b == program(t) })
	got = append(got, blocksOf(t, "torchscript.md", "go")...)
	require.ElementsMatch(t, want, got)
	require.Len(t, want, 22)
}
