package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/pkg/checkpoint"
)

// tree is everything below the working folder, with sizes, contents and times.
func tree(t *testing.T) (l []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprint(path, info.Mode(), info.ModTime())
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %x", sha256.Sum256(text))
		}
		l = append(l, line)
		return nil
	}))
	return l
}

// dry makes a dry run, which must leave everything as it is.
func dry(t *testing.T, code int, line ...string) (stdout, stderr string) {
	t.Helper()
	before := tree(t)
	got, stdout, stderr := call(append(slices.Clone(line), "--dry-run")...)
	require.Equal(t, code, got, stderr)
	require.Equal(t, before, tree(t), "%v changed something", line)
	return stdout, stderr
}

// A dry run says what the run says before its first step, and then its plan, which is what the run does.
func TestDryRun(t *testing.T) {
	t.Chdir(t.TempDir())
	home := t.TempDir()
	for _, name := range []string{"HOME", "TIGAS_CACHE_DIR", "HF_HOME"} {
		t.Setenv(name, home)
	}
	for i, line := range [][]string{
		{"gan", "--ngf", "4", "--ndf", "4", "--kimg", "0.4"},
		{"gan", "--loss", "tigas-only", "--ngf", "4", "--ndf", "4", "--kimg", "0.05"},
		{"stylegan", "--channel-max", "8", "--kimg", "0.016"},
		{"vae", "--width", "4", "--steps", "12"},
		{"diffusion", "--sample-steps", "1", "--kimg", "0.024", "--keep", "0", "--snapshot-kimg", "0.02"},
	} {
		line = append(line, "--batch", "8", "--grid", "1", "--threads", "1")
		stdout, said := dry(t, exitOK, line...)
		want := fmt.Sprintf("runs/%05d-%s-demo\n", i, line[0])
		require.Equal(t, want, stdout)
		code, out, stderr := call(line...)
		require.Equal(t, exitOK, code, stderr)
		require.Equal(t, want, out, "the folder that was announced")
		plan := said[strings.Index(said, "steps     "):]
		require.True(t, strings.HasPrefix(stderr, strings.TrimSuffix(said, plan)), "the run said\n%s", stderr)
		require.Contains(t, plan, "nothing was written")

		run, all := snapshotsOf(t, strings.TrimSpace(out))
		steps := regexp.MustCompile(`steps     (\d+) of (\d+) real images`).FindStringSubmatch(plan)
		require.Equal(t, fmt.Sprint(lastTick(t, run.Dir)["step"]), steps[1], line)
		disk := regexp.MustCompile(`disk      (\d+) snapshots of ([0-9.]+) (\w+) are written, (\d+) stay`).FindStringSubmatch(plan)
		require.NotNil(t, disk, plan)
		stay, err := strconv.Atoi(disk[4])
		require.NoError(t, err)
		require.LessOrEqual(t, len(all), stay)
		require.GreaterOrEqual(t, len(all), stay-1, "the best one may be one of the newest")
		size, err := strconv.ParseFloat(disk[2], 64)
		require.NoError(t, err)
		size *= map[string]float64{"kB": 1e3, "MB": 1e6}[disk[3]]
		require.InEpsilon(t, all[0].Bytes, size, 0.1, "the header is estimated: %v", line) // within a tenth for networks of some kilobytes
	}
	left, err := os.ReadDir(home)
	require.NoError(t, err)
	require.Empty(t, left, "no cache was touched")
}

// What a run would go on from, and with which flags; who has it is said.
func TestDryRunOfResume(t *testing.T) {
	t.Chdir(t.TempDir())
	line := slices.Clip(append(smallVAE(), "--kimg", "0.04", "--out", "a"))
	again(t, exitOK, line...)
	resume := []string{"vae", "--resume", "a", "--kimg", "0.08", "--beta", "2"}
	_, said := dry(t, exitOK, resume...)
	require.Contains(t, said, "resume    a from step 5 (kimg 0.0), network-snapshot-000000.040.safetensors\n"+
		"changed   --beta 1 -> 2\nchanged   --kimg 0.04 -> 0.08\n")
	require.Contains(t, said, "steps     5 of 8 real images")
	_, said = dry(t, exitOK, "vae", "--resume", "a")
	require.Contains(t, said, "is complete")
	_, said = dry(t, exitSnapshot, "vae", "--resume", "a", "--width", "8", "--kimg", "1")
	require.Contains(t, said, "cannot go on as another network")

	r, err := checkpoint.Open("a")
	require.NoError(t, err)
	require.NoError(t, r.Lock())
	_, said = dry(t, exitOutput, resume...)
	require.Contains(t, said, "is in use by process")
	r.Unlock()

	// Damaged: the same words, and nothing is mended.
	_, all := snapshotsOf(t, "a")
	require.NoError(t, os.WriteFile("a/snapshots/manifest.json", []byte("{"), 0o644))
	require.NoError(t, os.Remove("a/lock"))
	_, said = dry(t, exitOK, resume...)
	require.Contains(t, said, "looking at the files instead")
	require.Contains(t, said, "from step 5 ")
	for _, s := range all {
		require.NoError(t, os.Truncate(r.Path(s), 1000))
	}
	_, said = dry(t, exitSnapshot, resume...)
	require.Contains(t, said, fmt.Sprintf("none of %d can be read", len(all)))
	require.NoError(t, os.RemoveAll("a/snapshots"))
	_, said = dry(t, exitOK, resume...)
	require.Contains(t, said, "a has no snapshot yet: from the beginning")
	require.FileExists(t, "a/log.jsonl")
}

// Bad input gives the error and the exit code of the run.
func TestDryRunRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.MkdirAll("run/snapshots", 0o755))
	require.NoError(t, os.WriteFile("run/config.json", []byte("{}"), 0o644))
	require.NoError(t, os.WriteFile("text", []byte("text"), 0o644))
	again(t, exitOK, "gan", "--ngf", "4", "--ndf", "4", "--kimg", "0.03", "--batch", "8", "--grid", "1", "--tigas-weight", "0", "--out", "gan")
	for _, line := range [][]string{
		{"gan", "--kimg", "-1"},
		{"gan", "--data", "nowhere"},
		{"gan", "--data", "text"},
		{"gan", "--out", "run"},
		{"gan", "--out", "text/a/b"},
		{"gan", "--tigas-model", "text"},
		{"gan", "--tigas-model", "nowhere.pt"},
		{"gan", "--tigas-model", "hub@a b"},
		{"gan", "--loss", "tigas-only", "--tigas-weight", "0"},
		{"gan", "--device", "tpu"},
		{"gan", "--resume", "nowhere"},
		{"gan", "--transfer", "text"},
		{"vae", "--transfer", "gan"},
		{"vae", "--resume", "gan"},
		{"gan", "--resume", "gan", "--kimg", "1", "--ngf", "8"},
		{"gan", "--resume", "gan", "--kimg", "1", "--ema-kimg", "0"},
		{"gan", "--max-time", "soon"},
	} {
		code, _, want := call(line...)
		require.NotEqual(t, exitOK, code, line)
		_, got := dry(t, code, line...)
		// Which of several tensors is named is a matter of chance; a dry run looks where the run fetches.
		same := regexp.MustCompile(`the networks have no \S+|hub: (fetch|find)`)
		require.Equal(t, same.ReplaceAllString(want, ""), same.ReplaceAllString(got, ""), line)
	}
}

// A detector that is not here is not fetched.
func TestDryRunDownloadsNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	colours(t, "pictures", 3)
	for _, name := range []string{"TIGAS_CACHE_DIR", "HF_HOME"} {
		t.Setenv(name, t.TempDir())
	}
	t.Setenv("HF_ENDPOINT", "http://127.0.0.1:1") // where nobody answers
	line := []string{"gan", "--data", "pictures", "--ngf", "4", "--ndf", "4", "--batch", "2"}
	_, said := dry(t, exitOK, line...)
	require.Contains(t, said, "detector  hub is in no cache: it would be downloaded\n")
	require.Contains(t, said, "data      pictures: 3 pictures at 32x32\n")
	require.Contains(t, said, "detector hub not yet here")
	t.Setenv("HF_HUB_OFFLINE", "1") // so that it does not try again
	code, _, _ := call(line...)
	require.Equal(t, exitData, code)
	require.NoDirExists(t, "runs")
}
