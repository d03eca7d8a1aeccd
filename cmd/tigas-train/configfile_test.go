package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// write puts a text into a file of a new folder.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

// command is one of a new program.
func command(t testing.TB, name ...string) *cobra.Command {
	t.Helper()
	cmd, _, err := newRoot().Find(name)
	require.NoError(t, err)
	return cmd
}

// settingsOf are the settings in a text, as name=value,value@line.
func settingsOf(t *testing.T, cmd *cobra.Command, text string) (out []string) {
	t.Helper()
	l, err := parseConfigFile(cmd, "f", []byte(text))
	require.NoError(t, err)
	for _, s := range l {
		out = append(out, fmt.Sprintf("%s=%s@%s", s.flag, strings.Join(s.values, ","), strings.TrimPrefix(s.at, "f:")))
	}
	return out
}

func TestConfigFile(t *testing.T) {
	gan := command(t, "gan")
	require.Equal(t, []string{"kimg=1e3@2", "tigas-weight=0.1@4", "mirror=true@5", "out=a: b@6", "tigas-scales=1,0.5@7", "seed=16@9"},
		settingsOf(t, gan, "command: gan\nkimg: 1e3   # a comment\n\ntigas_weight: 0.1\nmirror: true\nout: 'a: b'\ntigas-scales: [1,\n  0.5]\nseed: 16\n"))
	require.Empty(t, settingsOf(t, gan, ""))
	require.Empty(t, settingsOf(t, gan, "# nothing\n---\n"))
	require.Equal(t, []string{"kimg=5@1"}, settingsOf(t, gan, `{"kimg": 5}`), "JSON is YAML")
	require.Equal(t, []string{"real=a,b@1", "fake=c@2"}, settingsOf(t, command(t, "detector", "train"), "real: [a, b]\nfake: c\n"))
	require.Equal(t, []string{"aug=color,cutout@1"}, settingsOf(t, command(t, "stylegan"), "aug: [color, cutout]"))
	require.Equal(t, []string{"kimg=0.5@f", "threads=2@f"}, settingsOf(t, gan, `{"command": "gan", "version": "1", "flags": {
		"kimg": {"value": "0.5", "origin": "command line"}, "latent": {"value": "64", "origin": "demo"},
		"threads": {"value": "2", "origin": "environment TIGAS_TRAIN_THREADS"}, "out": {"value": "a", "origin": "command line"},
		"seed": {"value": "0", "origin": "default"}}}`), "of a run what it was given")
}

// Whatever is wrong with a file is one line with the place, the fact and what is wanted, and the exit code of a configuration.
func TestConfigFileRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"kimg: 5\nkimgg: 3", `:2: unknown key "kimgg"`},
		{"kimgg: 3", "hint: did you mean kimg?"},
		{"--kimg: 3", "hint: did you mean kimg?"},
		{"gamma: 3", "hint: gamma is a flag of stylegan, not of gan"},
		{"zzz: 3", "hint: keys are the flags of tigas-train gan"},
		{"\nkimg: many", `:2: --kimg: got "many" vs a number`},
		{"mirror: yes", `:1: --mirror: got "yes" vs true or false`},
		{"batch: 1.5", `:1: --batch: got "1.5" vs a whole number`},
		{"kimg: [1, 2]", ":1: kimg: got a list vs one value"},
		{"kimg: {a: 1}", ":1: kimg: got a mapping vs one value"},
		{"tigas-scales: [[1]]", ":1: tigas-scales: got a list vs a list of values"},
		{"kimg:", ":1: kimg: got nothing vs one value; leave the line out"},
		{"kimg: ~", ":1: kimg: got nothing"},
		{"tigas-weight: 1\n\ntigas_weight: 2", ":3: tigas_weight is there twice, first in line 1"},
		{"kimg: 1\nkimg: 1", ":2: kimg is there twice"},
		{"kimg: 1\n---\nkimg: 2", ":2: got a second document"},
		{"- kimg", ":1: got a list vs lines such as kimg: 200"},
		{"kimg 5", `:1: got "kimg 5" vs lines such as`},
		{"? [a]\n: 1", "got a list as a key"},
		{"kimg: &a 5\nbatch: *a", ":1: kimg: got an anchor or alias vs one value"},
		{"kimg: !!python/object:os.system x", ":1: kimg: got the tag !!python/object:os.system"},
		{"<<: {kimg: 1}", `:1: unknown key "<<"`},
		{"a: &a [x, x]\nb: &b [*a, *a]", `:1: unknown key "a"`},
		{"kimg: [1", ":1: it is no YAML: "},
		{"kimg: 1\n\tbatch: 2", ":2: it is no YAML: found a tab"},
		{"kimg: 1\x00", "it is no YAML: control characters"},
		{"command: vae", `:1: got a configuration of the command "vae" vs gan`},
		{"command: [gan]", ":1: command: got a list vs one word, as in command: gan"},
		{"kimg: 1\ncommand:", ":2: command: got nothing vs one word"},
		{"command: {a: 1}", ":1: command: got a mapping vs one word"},
		{"command: &a gan", ":1: command: got an anchor or alias vs one word"},
		{"command: ''", "hint: command: gan, or no such line"},
		{"command: gam", "hint: command: gan, or no such line"},
		{"command: detector train", "hint: tigas-train detector train --config takes it"},
		{"batch: 010", `:1: --batch: got "010" vs a decimal number, without zeros in front`},
		{"batch: '010'", `:1: --batch: got "010" vs a decimal number`},
		{"seed: 0b11", `:1: --seed: got "0b11" vs a decimal number`},
		{"seed: -0o17", `:1: --seed: got "-0o17" vs a decimal number`},
		{"seed: +00", `:1: --seed: got "+00" vs a decimal number`},
		{"kimg: 1_000", `:1: --kimg: got "1_000" vs a decimal number`},
		{"kimg: 0x1p3", `:1: --kimg: got "0x1p3" vs a decimal number`},
		{"kimg: .5_0", `:1: --kimg: got ".5_0" vs a decimal number`},
		{"kimg: 01.5", `:1: --kimg: got "01.5" vs a decimal number`},
		{"tigas-scales: [1, 0x1p-1]", `:1: --tigas-scales: got "1,0x1p-1" vs a decimal number`},
		{`{"command": "gan", "flags": {"batch": {"value": "010", "origin": "command line"}}}`, `--batch: got "010" vs a decimal number`},
		{`{"command": "vae", "flags": {}}`, `got a configuration of the command "vae" vs gan`},
		{`{"command": "gan", "flags": {"kimgg": {"value": "1", "origin": "command line"}}}`, `unknown key "kimgg"`},
		{"config: other.yaml", ":1: config stands on the command line: a file names no other file"},
		{"resume: auto", ":1: resume stands on the command line"},
		{"dry_run: true", ":1: dry_run stands on the command line"},
		{"format: json", `:1: unknown key "format"`},
		{"tigas-weight: .nan", `:1: --tigas-weight: got ".nan" vs a number`},
		{"tigas-weight: nan", ":1: --tigas-weight: got NaN vs a finite number"},
		{"batch: 0", ":1: trainers: --batch: got 0"},
		{"g-lr: 0", ":1: --g-lr: got 0 vs a number above 0"},
		{"loss: lsgan", `:1: trainers: got the loss "lsgan"`},
		{"resolution: 48\ncrop: center", ":1: trainers: --resolution: "},
		{"tigas-warmup: soon", ":1: --tigas-warmup: "},
		{strings.Repeat("# long\n", 1<<18), "got more than 1 MB"},
		{strings.Repeat("[", 1<<19), "it is no YAML"},
		{"kimg: \"\\e[31m\"", `--kimg: got "\x1b[31m" vs a number`},
	} {
		path := write(t, "run.yaml", c.text)
		code, stdout, stderr := call("gan", "--config", path, "--dry-run")
		require.Equal(t, exitUsage, code, "%.60q: %s", c.text, stderr)
		require.Contains(t, strings.ReplaceAll(stderr, path, ""), c.want, "%.60q", c.text)
		require.Empty(t, stdout)
		require.LessOrEqual(t, strings.Count(stderr, "\n"), 2, stderr)
		require.NotContains(t, stderr, "\x1b")
	}
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	for path, want := range map[string]string{dir: "is not a regular file", pipe: "is not a regular file", dir + "/no.yaml": "no such file"} {
		code, _, stderr := call("gan", "--config", path)
		require.Equal(t, exitUsage, code)
		require.Contains(t, stderr, want)
		require.Contains(t, stderr, "hint: ")
	}
}

// Numbers that every reader takes for the same are taken.
func TestConfigFileNumbers(t *testing.T) {
	t.Chdir(t.TempDir())
	for text, want := range map[string]string{
		"seed: 0": "0", "seed: -10": "-10", "batch: 10": "10", "batch: +10": "10", "kimg: 0.50": "0.5", "kimg: .5": "0.5", "kimg: 5.": "5",
		"kimg: 1e01": "10", "g-lr: 1e-05": "1e-05", "tigas-scales: [1.0, 0.25]": "1,0.25", "tigas-scales: '1, 0.25'": "1,0.25",
	} {
		require.NoError(t, os.WriteFile("run.yaml", []byte(text), 0o644))
		flag, _, _ := strings.Cut(text, ":")
		require.Equal(t, flagValue{want, "file run.yaml"}, shownFlags(t, "gan", "--config", "run.yaml")[flag], text)
	}
}

// The config.json of a run with networks from elsewhere stands for these networks, whatever has become of their files; for going
// on with that run they are the same.
func TestConfigFileOfRunWithNetworks(t *testing.T) {
	generator, critic := fromPython(t, "dcgan"), fromPython(t, "critic")
	run, _ := shortRun(t, "gan", "--generator", generator, "--discriminator", critic, "--loss", "bce")
	file := filepath.Join(run, "config.json")
	other, err := os.ReadFile(fromPython(t, "linear"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(generator, other, 0o644))
	require.NoError(t, os.Remove(critic))

	flags := shownFlags(t, "gan", "--config", file)
	require.Equal(t, flagValue{filepath.Join(run, "networks", "generator.pt"), "file " + file}, flags["generator"])
	require.Equal(t, flagValue{filepath.Join(run, "networks", "discriminator.pt"), "file " + file}, flags["discriminator"])
	second, _ := shortRun(t, "gan", "--config", file)
	require.Equal(t, configOf(t, run).Networks, configOf(t, second).Networks)
	require.Equal(t, scriptTensors(t, filepath.Join(run, "generator.pt")), scriptTensors(t, filepath.Join(second, "generator.pt")))
	require.Equal(t, generator, shownFlags(t, "gan", "--config", file, "--generator", generator)["generator"].Value, "the command line first")

	said := again(t, exitOK, "gan", "--config", file, "--resume", run, "--kimg", "0.1")
	require.NotContains(t, said, "changed   --generator")
	require.Equal(t, flagValue{generator, originGiven}, configOf(t, run).Flags["generator"])
	again(t, exitOK, "gan", "--config", file, "--resume", second, "--kimg", "0.1")

	// Elsewhere, or without the copies, it has the names that were given.
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(filepath.Join(run, "networks")))
	original := func(path, text string) {
		t.Helper()
		l, err := parseConfigFile(command(t, "gan"), path, []byte(text))
		require.NoError(t, err)
		i := slices.IndexFunc(l, func(s setting) bool { return s.flag == "generator" })
		require.Equal(t, []string{generator}, l[i].values)
	}
	original(write(t, "config.json", string(text)), string(text))
	original(file, string(text))
	leaving := strings.ReplaceAll(string(text), `"networks/generator.pt"`, `"../generator.pt"`)
	require.NotEqual(t, string(text), leaving)
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(run), "generator.pt"), nil, 0o644))
	original(file, leaving)
}

// A file of other hands gives settings that the flags can take or refuse, or one line.
func FuzzConfigFile(f *testing.F) {
	for _, s := range []string{
		"command: vae\nkimg: 1\ntigas_weight: 0.1\n", "tigas-scales: [1, 0.5]\n", "kimg: &a 1\nbatch: *a\n", "a: 1\na: 2", "{kimg: 1}", "---\n...\n",
		`{"command":"vae","flags":{"kimg":{"value":"5","origin":"command line"}}}`, "kimg: |\n  1\n", "? kimg\n: 1\n", "\ufeffkimg: 1\n", "kimg: \"\\x41\"",
	} {
		f.Add([]byte(s))
	}
	vae := func() *cobra.Command { // a whole program would leave its completions with cobra every time
		root, cmd := &cobra.Command{Use: "tigas-train"}, newVAE()
		root.AddCommand(cmd, newGAN())
		return cmd
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		cmd := vae()
		l, err := parseConfigFile(cmd, "f", text)
		if err == nil {
			err = apply(cmd, l)
		}
		if err != nil {
			var h *hinted
			if line := oneLine(err); strings.Contains(line, "\n") || line == "" || errors.As(err, &h) && h.code != exitUsage {
				t.Fatalf("%q", err)
			}
			return
		}
		for _, s := range l {
			if f := cmd.Flags().Lookup(s.flag); f == nil || !f.Changed {
				t.Fatalf("%s was read and not set", s.flag)
			}
		}
		// What it shows is a file with the same values.
		values := flagValues(cmd.Flags())
		again := vae()
		m, err := parseConfigFile(again, "f", []byte(yamlOf(cmd, values)))
		if err == nil {
			err = apply(again, m)
		}
		if err != nil {
			t.Fatalf("%v in %s", err, yamlOf(cmd, values))
		}
		for name, v := range flagValues(again.Flags()) {
			if values[name].Value != v.Value {
				t.Fatalf("%s: %q vs %q", name, values[name].Value, v.Value)
			}
		}
	})
}
