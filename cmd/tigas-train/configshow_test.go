package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConfigShow(t *testing.T) {
	t.Chdir(t.TempDir())
	code, stdout, stderr := call("config", "show", "gan", "--kimg", "5")
	require.Equal(t, exitOK, code, stderr)
	require.Less(t, strings.Index(stdout, "Data:\n"), strings.Index(stdout, "Loss:\n"))
	require.Equal(t, []string{"--kimg", "5", "command", "line"}, strings.Fields(lineWith(t, stdout, "--kimg ")))
	require.Equal(t, []string{"--ngf", "16", "demo"}, strings.Fields(lineWith(t, stdout, "--ngf ")))
	require.Equal(t, []string{"--workers", "(auto)", "default"}, strings.Fields(lineWith(t, stdout, "--workers ")))
	require.Equal(t, strings.Index(lineWith(t, stdout, "--kimg "), "command"), strings.Index(lineWith(t, stdout, "--ngf "), "demo"), "columns")

	code, stdout, _ = call("config", "show", "gan", "--data", "x", "--changed")
	require.Equal(t, exitOK, code)
	require.Equal(t, "Data:\n  --data  x  command line\n", stdout)
	code, stdout, stderr = call("config", "show", "detector", "train", "--real", "a", "--real", "b,c", "--width", "32", "--format", "yaml")
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stdout, "command: detector train\n")
	require.Contains(t, stdout, "real:  # command line\n  - a\n  - b,c\n")
	require.Empty(t, entries(t), "something was written")

	for _, c := range []struct {
		line []string
		code int
		want string
	}{
		{[]string{"gan", "--loss", "x"}, exitUsage, `got the loss "x"`},
		{[]string{"gan", "--format", "toml"}, exitUsage, "--format: got"},
		{[]string{"gann"}, exitSnapshot, "gann: no such file"},
		{[]string{}, exitUsage, "a run folder or snapshot"},
		{[]string{"."}, exitSnapshot, "no run folder"},
		{[]string{"sample"}, exitSnapshot, "one of the commands gan, stylegan, vae, diffusion"},
	} {
		code, _, stderr := call(append([]string{"config", "show"}, c.line...)...)
		require.Equal(t, c.code, code, stderr)
		require.Contains(t, stderr, c.want)
	}
}

// entries are the names in the working folder.
func entries(t *testing.T) (l []string) {
	t.Helper()
	all, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, e := range all {
		l = append(l, e.Name())
	}
	return l
}

// A file that config show prints gives the same values again, whatever they look like.
func TestConfigShowRoundTrip(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, line := range [][]string{
		{"gan", "--kimg", "5", "--tigas-scales", "1,0.70710678118", "--mirror", "--tensorboard=false", "--out", "null", "--g-lr", "1e-5"},
		{"gan", "--data", "a: b # c", "--out", " x ", "--tigas-model", "- 'q'\n\"", "--keep-best=-score"},
		{"gan", "--data", "*x", "--out", "2026", "--tigas-model", "\x1b é 😀"},
		{"stylegan", "--cfg", "paper256", "--gamma", "auto", "--aug", "color,cutout", "--resolution", "256"},
		{"vae", "--steps", "10", "--max-time", "90m", "--kl-warmup", "20kimg"},
		{"diffusion", "--arch", "small", "--dropout", "0.1", "--snr-gamma", "4"},
	} {
		for _, format := range []string{"yaml", "json"} {
			code, stdout, stderr := call(append([]string{"config", "show", "--format", format}, line...)...)
			if code == exitUsage { // flags of config show stand after the command
				code, stdout, stderr = call(append(append([]string{"config", "show"}, line...), "--format", format)...)
			}
			require.Equal(t, exitOK, code, stderr)
			require.NoError(t, os.WriteFile("f", []byte(stdout), 0o644))
			want, got := shownFlags(t, line...), shownFlags(t, line[0], "--config", "f")
			for name, v := range want {
				if format == "json" && slices.Contains(notRestored, name) {
					continue // of a run's config.json it is that run's own
				}
				require.Equal(t, v.Value, got[name].Value, "%s of %v in\n%s", name, line, stdout)
				require.Equal(t, givenOrigin(v.Origin), givenOrigin(got[name].Origin), "%s of %v", name, line)
			}
		}
	}
}

// What config init prints is a file that changes nothing, and each of its lines is one that can be used.
func TestConfigInit(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range [][]string{{"gan"}, {"stylegan"}, {"vae"}, {"diffusion"}, {"detector", "train"}} {
		code, text, stderr := call(append([]string{"config", "init"}, name...)...)
		require.Equal(t, exitOK, code, stderr)
		cmd := command(t, name...)
		require.Empty(t, settingsOf(t, cmd, text))
		n := 0
		for _, flag := range flagNames(cmd.Flags()) {
			f := cmd.Flags().Lookup(flag)
			if _, no := notInFile[flag]; no {
				require.NotContains(t, text, "\n# "+flag+": ")
				continue
			}
			line := lineWith(t, text, "# "+flag+": ")
			require.Equal(t, []string{flag}, []string{strings.SplitN(settingsOf(t, cmd, line[2:])[0], "=", 2)[0]})
			if !automatic(f, f.DefValue) && f.DefValue != "" && f.DefValue != "[]" {
				require.Equal(t, flag+"="+f.DefValue+"@1", settingsOf(t, cmd, line[2:])[0])
			}
			n++
		}
		require.Greater(t, n, 20)
		for line := range strings.SplitSeq(text, "\n") {
			require.LessOrEqual(t, len(line), 100, line)
		}
	}
	code, _, stderr := call("config", "init", "gam")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "did you mean gan?")
}

// The flags of a run, of its folder or of a snapshot.
func TestConfigShowRun(t *testing.T) {
	run, _ := shortRun(t, "vae", "--width", "4", "--tigas-weight", "0")
	_, all := snapshotsOf(t, run)
	for _, path := range []string{run, filepath.Join(run, "snapshots", all[0].File)} {
		code, stdout, stderr := call("config", "show", path, "--changed")
		require.Equal(t, exitOK, code, stderr)
		require.Equal(t, []string{"--width", "4", "command", "line"}, strings.Fields(lineWith(t, stdout, "--width ")))
		require.NotContains(t, stdout, "--beta ")
		code, stdout, stderr = call("config", "show", path, "--format", "yaml")
		require.Equal(t, exitOK, code, stderr)
		require.Contains(t, stdout, "\nwidth: 4  # command line\n")
		require.Contains(t, stdout, "\n# latent: 64  # demo\n")
	}
}
