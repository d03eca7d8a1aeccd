package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every command of docs/recipes.md runs as it is written there, with small networks and few pictures; both languages have the
// same ones.
func TestRecipes(t *testing.T) {
	commands := func(page string) (l []string) {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if c, ok := strings.CutPrefix(line, "    tigas-train "); ok {
				l = append(l, strings.TrimSpace(c))
			}
		}
		return l
	}
	l := commands("recipes.md")
	require.Len(t, l, 16)
	require.Equal(t, l, commands("recipes.ru.md"))
	photos := demoFolder(t, 0, 40, nil)
	t.Chdir(t.TempDir())
	small := map[string][]string{
		"gan":       {"--ngf", "4", "--ndf", "4", "--latent", "8"},
		"stylegan":  {"--channel-max", "8", "--latent", "8"},
		"vae":       {"--width", "4", "--latent", "8"},
		"diffusion": {"--sample-steps", "2"},
	}
	for _, line := range l {
		args := strings.Fields(line)
		if flags, ok := small[args[0]]; ok {
			args = slices.Concat(args, flags, []string{"--batch", "8", "--kimg", "0.05", "--grid", "2", "--threads", "1"})
		}
		if i := slices.Index(args, "photos/"); i >= 0 {
			args[i] = photos
			args = append(args, "--tigas-model", "embedded")
		}
		code, _, stderr := call(args...)
		require.Equal(t, exitOK, code, "%s: %s", line, stderr)
	}
	require.FileExists(t, "progression.gif")
}
