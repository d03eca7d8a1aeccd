package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// visible are all commands that a user can call, those of cobra too.
func visible(t *testing.T) (l []*cobra.Command) {
	t.Helper()
	root := newRoot()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	everyCommand(root, func(c *cobra.Command) {
		c.InitDefaultHelpFlag()
		l = append(l, c)
	})
	return l
}

// A new flag goes into a line of flaggroups.go, and a flag that is gone leaves it.
func TestEveryFlagHasAGroup(t *testing.T) {
	used := map[string]bool{}
	for _, c := range visible(t) {
		for _, g := range groupsOf(c) {
			for _, f := range g.flags {
				require.NotEqual(t, otherFlags, g.title, "%s --%s: put it into a group of flaggroups.go", c.CommandPath(), f.Name)
				require.NotContains(t, []string{"string", "int", "int64", "float64", "duration"}, metavar(c, f), "%s --%s", c.CommandPath(), f.Name)
				used[groupTable(c)[0].title+f.Name] = true
			}
		}
	}
	for _, table := range [][]flagGroup{trainGroups, detectorGroups, otherGroups} {
		for _, g := range table {
			for word := range strings.FieldsSeq(g.flags) {
				name, _, _ := strings.Cut(word, "=")
				require.True(t, used[table[0].title+name], "%s: no command has --%s", g.title, name)
			}
		}
	}
}

func TestHelp(t *testing.T) {
	_, root, _ := call("--help")
	for _, title := range []string{"Train", "Look at results", "Detector", "Set up"} {
		require.Contains(t, root, "\n"+title)
	}
	for _, width := range []string{"50", "80", "100"} {
		t.Setenv("COLUMNS", width)
		for _, c := range visible(t) {
			var b bytes.Buffer
			commandHelp(&b, c)
			text := b.String()
			parts := []string{"\nUsage:\n"}
			if c.Example != "" {
				parts = append(parts, "\nExamples:\n")
			}
			parts = append(parts, "--help ")
			at := 0
			for _, part := range parts {
				i := strings.Index(text[at:], part)
				require.Positive(t, i, "%s: %q in its place in\n%s", c.CommandPath(), part, text)
				at += i
			}
			if width == "50" || strings.HasPrefix(c.CommandPath(), "tigas-train completion") {
				continue // words that are longer
			}
			for line := range strings.SplitSeq(text, "\n") {
				if strings.HasPrefix(line, "  python3 ") {
					continue // is not broken
				}
				require.LessOrEqual(t, utf8.RuneCountInString(line), map[string]int{"80": 80, "100": 100}[width], line)
			}
		}
	}
}

// Defaults are shown once, and those that the program chooses are not shown as zeros.
func TestHelpDefaults(t *testing.T) {
	_, text, _ := call("gan", "--help")
	for _, want := range []string{"--kimg KIMG", "in thousands of real images (default 1000)", "--crop center|random", "--seed N", "(default wgan-gp)"} {
		require.Contains(t, text, want)
	}
	for _, no := range []string{"(default -1)", "(default 0)", `(default "`, "float", "(default false)"} {
		require.NotContains(t, text, no)
	}
	require.Contains(t, text, "\n      --g-lr RATE ")
	_, text, _ = call("score", "--help")
	require.Contains(t, text, "--json[=FILE.json]")
}

func TestWrap(t *testing.T) {
	require.Equal(t, "a bb\nccc d", wrap("a bb  ccc\nd", 6))
	require.Equal(t, "words-that-are-long\na", wrap("words-that-are-long a", 5))
	require.Equal(t, "x --kimg 100,\ny", wrap("x --kimg 100, y", 13))
	require.Equal(t, "a\n--kimg 100", wrap("a --kimg 100", 9), "a flag and its number stay together")
	require.Equal(t, "one two\n\n  as it is\nthree", reflow("one\ntwo\n\n  as it is\nthree", 20))
	require.Equal(t, "  cmd --a \\\n      --b", breakCommand("  cmd --a --b", 12))
	require.Equal(t, "  # why\n  cmd", breakCommand("  cmd    # why", 10))
}

func TestSuggestions(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"kitten", "sitting", 3}, {"ab", "ba", 1}, {"", "abc", 3}, {"same", "same", 0}, {"wieght", "weight", 1}} { // textbook values
		require.Equal(t, c.want, distance(c.a, c.b))
		require.Equal(t, c.want, distance(c.b, c.a))
	}
	for _, c := range []struct {
		line []string
		want string
	}{
		{[]string{"gan", "--tigas-wieght", "1"}, "did you mean --tigas-weight?"},
		{[]string{"gan", "--wieght", "1"}, "did you mean --tigas-weight?"},
		{[]string{"gan", "--batch-size", "1"}, "see tigas-train gan --help"},
		{[]string{"gan", "--gamma", "1"}, "--gamma is a flag of stylegan, not of gan"},
		{[]string{"gan", "--steps", "1"}, "--steps is a flag of diffusion, vae, not of gan"},
		{[]string{"sample", "--tuncc", "1"}, "did you mean --trunc?"},
		{[]string{"stlyegan"}, "did you mean tigas-train stylegan?"},
		{[]string{"detector", "trian"}, "did you mean tigas-train detector train?"},
		{[]string{"config", "shwo"}, "did you mean tigas-train config show?"},
		{[]string{"xyzzy"}, "see tigas-train --help"},
	} {
		code, _, stderr := call(c.line...)
		require.Equal(t, exitUsage, code)
		require.Contains(t, stderr, c.want)
		require.Equal(t, 2, strings.Count(stderr, "\n"), stderr)
	}
}

// Every word that help and completion offer is one that the command takes, and no other one.
func TestChoices(t *testing.T) {
	notShown := []string{"crop", "data", "log-format", "net-range"} // checked elsewhere than where config show ends
	for _, name := range trainCommands {
		cmd, _, err := newRoot().Find([]string{name})
		require.NoError(t, err)
		n := 0
		for _, f := range flagNames(cmd.Flags()) {
			words, open := choices(cmd, f)
			if words == nil || slices.Contains(notShown, f) {
				continue
			}
			for _, w := range words {
				code, _, stderr := call("config", "show", name, "--data", "x", "--resolution", "64", "--"+f, w)
				if w == "auto" && f == "resume" || w == "latest" {
					continue
				}
				require.Equal(t, exitOK, code, "%s --%s %s: %s", name, f, w, stderr)
			}
			if !open {
				code, _, stderr := call("config", "show", name, "--"+f, "no-such-word")
				require.Equal(t, exitUsage, code, "%s --%s: %s", name, f, stderr)
				require.Contains(t, stderr, words[len(words)-1])
			}
			n++
		}
		require.Greater(t, n, 5)
	}
}
