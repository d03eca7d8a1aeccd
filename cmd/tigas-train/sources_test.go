package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shownFlags are the flags of a command line as config show has them.
func shownFlags(t *testing.T, line ...string) map[string]flagValue {
	t.Helper()
	code, stdout, stderr := call(slices.Concat([]string{"config", "show"}, line, []string{"--format", "json"})...)
	require.Equal(t, exitOK, code, stderr)
	var c runConfig
	require.NoError(t, c.parse([]byte(stdout)))
	require.Equal(t, line[0], c.Command)
	return c.Flags
}

// Each source has precedence over those before it: default, preset, file, environment, command line.
func TestPrecedence(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("run.yaml", []byte("latent: 7\ngrid: 3\nseed: 1\n"), 0o644))
	line := []string{"gan", "--config", "run.yaml"}
	now := func(flag string) flagValue { return shownFlags(t, line...)[flag] }
	require.Equal(t, flagValue{"dcgan", originDefault}, now("arch"))
	require.Equal(t, flagValue{"16", originDemo}, now("ngf"))
	require.Equal(t, flagValue{"7", "file run.yaml"}, now("latent"), "a file before a preset")
	t.Setenv("TIGAS_TRAIN_GRID", "4")
	t.Setenv("TIGAS_TRAIN_SEED", "")
	require.Equal(t, flagValue{"4", "environment TIGAS_TRAIN_GRID"}, now("grid"))
	require.Equal(t, flagValue{"1", "file run.yaml"}, now("seed"), "an empty variable is none")
	line = append(line, "--grid", "5", "--latent", "6")
	require.Equal(t, flagValue{"5", originGiven}, now("grid"))
	require.Equal(t, flagValue{"6", originGiven}, now("latent"))

	line = []string{"gan"}
	t.Setenv("TIGAS_TRAIN_CONFIG", "run.yaml")
	require.Equal(t, flagValue{"7", "file run.yaml"}, now("latent"))
	line = append(line, "--config", "")
	require.Equal(t, flagValue{"64", originDemo}, now("latent"), "an empty --config is none")

	// What is given anywhere counts as given for presets.
	t.Setenv("TIGAS_TRAIN_CFG", "cifar")
	require.Equal(t, "--cfg cifar", shownFlags(t, "stylegan", "--config", "")["g-lr"].Origin, "a --cfg of one's own is no demo")
}

// Of flags that exclude each other the higher rank has its way; two of one rank are an error.
func TestPrecedenceOfExclusiveFlags(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("run.yaml", []byte("steps: 100\nbatch: 10\n"), 0o644))
	kimg := func(line ...string) string {
		f := shownFlags(t, append([]string{"vae", "--config", "run.yaml"}, line...)...)
		return f["kimg"].Value + " " + f["steps"].Value
	}
	require.Equal(t, "1 100", kimg())
	require.Equal(t, "3 0", kimg("--kimg", "3"))
	t.Setenv("TIGAS_TRAIN_KIMG", "2")
	require.Equal(t, "2 0", kimg())
	require.Equal(t, "0.5 50", kimg("--steps", "50"))
	t.Setenv("TIGAS_TRAIN_STEPS", "5")
	code, _, stderr := call("vae", "--dry-run")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "TIGAS_TRAIN_KIMG, TIGAS_TRAIN_STEPS: --steps and --kimg: got both")
}

// A variable that stands for no flag is named; those of other commands and of the tests are not.
func TestVariables(t *testing.T) {
	t.Setenv("TIGAS_TRAIN_SEDE", "3")
	t.Setenv("TIGAS_TRAIN_TRUNC", "0.5")
	t.Setenv("TIGAS_TRAIN_TEST_SOMETHING", "1")
	t.Setenv("TIGAS_TRAIN_XYZZY", "")
	code, _, stderr := call("config", "show", "gan")
	require.Equal(t, exitOK, code)
	require.Equal(t, "warning: TIGAS_TRAIN_SEDE is the name of no flag: did you mean TIGAS_TRAIN_SEED?\n", stderr)
	code, _, stderr = call("gan", "--tigas-weight", "-1", "--log-format", "json")
	require.Equal(t, exitUsage, code)
	require.True(t, strings.HasPrefix(stderr, `{"time":`), stderr)

	// It is said as the other lines are, wherever their format comes from, and when nothing else is.
	json := func(line ...string) {
		t.Helper()
		code, _, stderr := call(append([]string{"config", "show", "gan"}, line...)...)
		require.Equal(t, exitOK, code, stderr)
		require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		require.Contains(t, stderr, `"level":"warning"`)
		require.Contains(t, stderr, "TIGAS_TRAIN_SEDE is the name of no flag")
	}
	json("--config", write(t, "run.yaml", "log-format: json\n"))
	json("--config", write(t, "run.yaml", "log-format: json\nquiet: true\n"))
	t.Run("format", func(t *testing.T) {
		t.Setenv("TIGAS_TRAIN_LOG_FORMAT", "json")
		json()
		json("--quiet")
	})
	t.Run("with an error", func(t *testing.T) {
		t.Setenv("TIGAS_TRAIN_SEED", "x")
		code, _, stderr := call("gan")
		require.Equal(t, exitUsage, code)
		require.Regexp(t, `^warning: TIGAS_TRAIN_SEDE .*\n.*error: TIGAS_TRAIN_SEED`, stderr)
	})

	for name, want := range map[string]string{"BATCH": `: --batch: got "x" vs a whole number`, "TIGAS_WEIGHT": `: --tigas-weight: got "x" vs a number`} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TIGAS_TRAIN_"+name, "x")
			code, _, stderr := call("gan")
			require.Equal(t, exitUsage, code)
			require.Contains(t, stderr, "error: TIGAS_TRAIN_"+name+want)
		})
	}
	for name, value := range map[string]string{"BATCH": "010", "KIMG": "1_000", "SEED": "0x10", "TIGAS_SCALES": "1, 00.5"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TIGAS_TRAIN_"+name, value)
			code, _, stderr := call("gan", "--dry-run")
			require.Equal(t, exitUsage, code)
			require.Contains(t, stderr, "error: TIGAS_TRAIN_"+name+": ")
			require.Contains(t, stderr, `got "`+value+`" vs a decimal number`)
		})
	}
	t.Setenv("TIGAS_TRAIN_SORT", "size") // not only of commands that train
	code, _, stderr = call("score", "a.png")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, `TIGAS_TRAIN_SORT: --sort: got "size"`)
}

// A run knows where its flags came from, and goes on with them.
func TestOriginsInRuns(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("run.yaml", []byte("width: 4\nbatch: 8\ngrid: 1\nthreads: 1\ntigas-weight: 0\nsteps: 4\nout: a\n"), 0o644))
	t.Setenv("TIGAS_TRAIN_SEED", "3")
	again(t, exitOK, "vae", "--config", "run.yaml", "--lr", "0.002")
	flags := configOf(t, "a").Flags
	for name, want := range map[string]flagValue{
		"width": {"4", "file run.yaml"}, "seed": {"3", "environment TIGAS_TRAIN_SEED"}, "lr": {"0.002", originGiven}, "latent": {"64", originDemo},
		"beta": {"1", originDefault}, "steps": {"4", "file run.yaml"},
	} {
		require.Equal(t, want, flags[name], name)
	}
	require.NotContains(t, flags, "config")
	c := configOf(t, "a")
	require.Equal(t, "tigas-train vae --batch 8 --grid 1 --lr 0.002 --seed 3 --steps 4 --threads 1 --tigas-weight 0 --width 4", c.line())

	// Its file and variables, which are there for every call, are not in the way of going on; steps are restored as steps.
	require.Contains(t, again(t, exitOK, "vae", "--config", "run.yaml", "--resume", "a"), "is complete")
	t.Run("variables", func(t *testing.T) {
		t.Setenv("TIGAS_TRAIN_RESUME", "a")
		t.Setenv("TIGAS_TRAIN_OUT", "b")
		t.Setenv("TIGAS_TRAIN_TRANSFER", "c")
		require.Contains(t, again(t, exitOK, "vae", "--config", "run.yaml"), "a is complete")
		t.Setenv("TIGAS_TRAIN_RESUME", "latest")
		require.Contains(t, again(t, exitSnapshot, "vae"), "no run of vae in b")
		t.Setenv("TIGAS_TRAIN_RESUME", "auto")
		require.Equal(t, "b", shownFlags(t, "vae")["out"].Value)
		require.Equal(t, "c", shownFlags(t, "vae")["transfer"].Value)
	})
	t.Setenv("TIGAS_TRAIN_SEED", "")
	said := again(t, exitOK, "vae", "--resume", "a", "--steps", "6")
	require.Contains(t, said, "changed   --kimg 0.032 -> 0.048\nchanged   --steps 4 -> 6\n")
	require.Equal(t, flagValue{"4", "file run.yaml"}, configOf(t, "a").Flags["width"], "a restored flag keeps its origin")
	require.Equal(t, flagValue{"3", "environment TIGAS_TRAIN_SEED"}, configOf(t, "a").Flags["seed"])

	// A file before what the run had, of two lengths as well.
	require.NoError(t, os.WriteFile("longer.yaml", []byte("kimg: 0.08\nbeta: 2\n"), 0o644))
	said = again(t, exitOK, "vae", "--resume", "a", "--config", "longer.yaml", "--dry-run")
	require.Contains(t, said, "changed   --beta 1 -> 2\nchanged   --kimg 0.048 -> 0.08\n")

	// Another run with the flags of that one.
	flags = shownFlags(t, "vae", "--config", filepath.Join("a", "config.json"))
	require.Equal(t, flagValue{"4", "file a/config.json"}, flags["width"])
	require.Equal(t, flagValue{"64", originDemo}, flags["latent"], "a preset of that run is one of this")
	require.Equal(t, "", flags["out"].Value)
}
