package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/safetensors"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/sched"
)

// again resumes a run; what it says is returned.
func again(t *testing.T, code int, args ...string) string {
	t.Helper()
	got, stdout, stderr := call(args...)
	require.Equal(t, code, got, stderr)
	if code == exitOK {
		require.NotEmpty(t, stdout)
	} else {
		require.Empty(t, stdout)
	}
	return stderr
}

func configOf(t *testing.T, run string) (c runConfig) {
	t.Helper()
	r, err := checkpoint.Open(run)
	require.NoError(t, err)
	require.NoError(t, r.ReadConfig(&c))
	return c
}

// Flags are those of the run where the command line has none; what differs is printed, another network is refused.
func TestResumeFlags(t *testing.T) {
	run, _ := shortRun(t, "vae", "--width", "4", "--lr", "0.002", "--snapshot-kimg", "0.02")
	c := configOf(t, run)
	for flag, want := range map[string]flagValue{
		"width": {"4", originGiven}, "lr": {"0.002", originGiven}, "latent": {"64", originDemo}, "beta": {"1", originDefault}, "batch": {"8", originGiven},
	} {
		require.Equal(t, want, c.Flags[flag], flag)
	}
	said := again(t, exitOK, "vae", "--resume", run)
	require.Contains(t, said, "is complete")

	said = again(t, exitOK, "vae", "--resume", run, "--kimg", "0.08", "--beta", "2")
	require.Contains(t, said, "from step 7 (kimg 0.1), network-snapshot-000000.056.safetensors")
	require.Contains(t, said, "changed   --beta 1 -> 2\nchanged   --kimg 0.05 -> 0.08\n")
	require.NotContains(t, said, "--batch")
	c = configOf(t, run)
	require.Equal(t, flagValue{"2", originGiven}, c.Flags["beta"])
	require.Equal(t, flagValue{"4", originGiven}, c.Flags["width"], "a restored flag keeps its origin")
	require.InDelta(t, 0.002*0.05, c.VAE.LR.Schedule.At(sched.Progress{Step: 5, Images: 40}), 1e-9, "a restored flag is used: 5 of 100 steps of warm-up")
	require.EqualValues(t, 10, lastTick(t, run)["step"])

	said = again(t, exitSnapshot, "vae", "--resume", run, "--kimg", "1", "--width", "8")
	require.Contains(t, said, "cannot go on as another network: --width 4 -> 8")
	said = again(t, exitSnapshot, "gan", "--resume", run)
	require.Contains(t, said, "is a run of vae")

	// An earlier snapshot: the later ones are put aside.
	file := filepath.Join(run, "snapshots", "network-snapshot-000000.056.safetensors")
	said = again(t, exitOK, "vae", "--resume", file, "--kimg", "0.064")
	require.Contains(t, said, "newer snapshot(s) are in "+filepath.Join(run, "discarded"))
	require.EqualValues(t, 8, lastTick(t, run)["step"])
	elsewhere := filepath.Join(t.TempDir(), "a.safetensors")
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(elsewhere, data, 0o644))
	said = again(t, exitSnapshot, "vae", "--resume", elsewhere)
	require.Contains(t, said, "is not in the snapshots/ of a run folder")
	require.Contains(t, said, "--transfer")
}

func TestResumeRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	require.Contains(t, again(t, exitSnapshot, "vae", "--resume", "none"), "none: no such file")
	require.Contains(t, again(t, exitSnapshot, "vae", "--resume", "latest"), "there is no run of vae in runs/")
	require.Contains(t, again(t, exitUsage, "vae", "--resume", "a", "--transfer", "b"), "got both")
	require.Contains(t, again(t, exitUsage, "vae", "--resume", "a", "--out", "b"), "a run is continued where it is")
	require.Contains(t, again(t, exitUsage, "vae", "--keep", "-1"), "--keep: got -1")
	require.Contains(t, again(t, exitUsage, "vae", "--max-time", "soon"), "max-time")
	require.NoDirExists(t, "runs")
}

// Nothing there: auto begins; then it goes on, with the same command line; two at once are refused.
func TestResumeAuto(t *testing.T) {
	t.Chdir(t.TempDir())
	line := []string{"vae", "--width", "4", "--batch", "8", "--grid", "1", "--threads", "1", "--tigas-weight", "0", "--kimg", "0.04", "--resume", "auto"}
	require.Contains(t, again(t, exitOK, line...), "a new run")
	require.Contains(t, again(t, exitOK, append(line, "--kimg", "0.08")...), "resume    runs/00000-vae-demo from step 5")
	require.NoDirExists(t, "runs/00001-vae-demo")
	gan := append([]string{"gan", "--ngf", "4", "--ndf", "4"}, line[3:]...)
	require.Contains(t, again(t, exitOK, gan...), "a new run", "that of another command is not meant")
	require.Contains(t, again(t, exitOK, append(line, "--resume", "latest", "--kimg", "0.088")...), "runs/00000-vae-demo from step 10")

	r, err := checkpoint.Open("runs/00000-vae-demo")
	require.NoError(t, err)
	require.NoError(t, r.Lock())
	require.Contains(t, again(t, exitOutput, line...), "is in use by process")
	r.Unlock()

	// A clock that was set back, and files that were touched, change nothing.
	all, err := r.Snapshots()
	require.NoError(t, err)
	require.Greater(t, len(all), 1)
	for i, s := range all {
		at := time.Now().Add(-time.Duration(i) * 24 * time.Hour)
		require.NoError(t, os.Chtimes(r.Path(s), at, at))
	}
	require.Contains(t, again(t, exitOK, append(line, "--kimg", "0.096")...), "from step 11 ")

	// A damaged snapshot is named, and the one before it taken; a manifest that cannot be read is made again.
	all, err = r.Snapshots()
	require.NoError(t, err)
	last := r.Path(all[len(all)-1])
	require.NoError(t, os.Truncate(last, 1000))
	said := again(t, exitOK, append(line, "--kimg", "0.1")...)
	require.Contains(t, said, last+" is damaged")
	require.Contains(t, said, "from step 11 ")
	require.NoError(t, os.WriteFile(filepath.Join(r.Dir, "snapshots", "manifest.json"), []byte("{"), 0o644))
	require.Contains(t, again(t, exitOK, append(line, "--kimg", "0.12")...), "looking at the files instead")

	// A run that was killed before its first snapshot begins anew.
	require.NoError(t, os.RemoveAll(filepath.Join(r.Dir, "snapshots")))
	require.Contains(t, again(t, exitOK, line...), "has no snapshot yet: from the beginning")
	log, err := os.ReadFile(r.Log())
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(log, []byte(`{"step":0,`)) && bytes.Count(log, []byte(`{"step":0,`)) == 1, "the old log is still there")
}

// A run that has no snapshot, because its disk was full or it was killed at once, begins anew with its own flags.
func TestResumeWithoutSnapshot(t *testing.T) {
	run, _ := shortRun(t, "vae", "--width", "4", "--latent", "16", "--tigas-weight", "0")
	require.NoError(t, os.RemoveAll(filepath.Join(run, "snapshots")))
	require.Contains(t, again(t, exitSnapshot, "gan", "--resume", run), "is a run of vae")
	said := again(t, exitOK, "vae", "--resume", run)
	require.Contains(t, said, "from the beginning")
	require.Contains(t, said, "16 latent dimensions")
	require.Equal(t, flagValue{"16", originGiven}, configOf(t, run).Flags["latent"])

	// One whose manifest is gone has them still.
	require.NoError(t, os.Remove(filepath.Join(run, "snapshots", "manifest.json")))
	said = again(t, exitOK, "vae", "--resume", run, "--kimg", "0.08")
	require.Contains(t, said, "looking at the files instead")
	require.Contains(t, said, "from step 7 ")
}

// Steps are restored as steps, lists and names to the last digit and bracket, and paths from wherever one is.
func TestResumeRestoresExactly(t *testing.T) {
	t.Chdir(t.TempDir())
	colours(t, "pics[1]", 3)
	line := []string{"vae", "--width", "4", "--batch", "8", "--grid", "1", "--threads", "1", "--data", "pics[1]", "--tigas-model", "embedded",
		"--tigas-scales", "1,0.70710678118", "--steps", "4", "--out", "a"}
	again(t, exitOK, line...)
	here, err := os.Getwd()
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	said := again(t, exitOK, "vae", "--resume", filepath.Join(here, "a"), "--steps", "6")
	require.Contains(t, said, "changed   --kimg")
	require.NotContains(t, said, "--data")
	require.NotContains(t, said, "--tigas-scales")
	c := configOf(t, filepath.Join(here, "a"))
	require.Equal(t, []float64{1, 0.70710678118}, c.TIGAS.Flags.Scales)
	require.Equal(t, filepath.Join(here, "pics[1]"), c.Data.Data)
	require.Contains(t, again(t, exitOK, "vae", "--resume", filepath.Join(here, "a")), "is complete")
	require.Contains(t, again(t, exitUsage, "vae", "--snapshot-kimg", "-1"), "--snapshot-kimg: got -1")
	require.Contains(t, again(t, exitUsage, "vae", "--snapshot-kimg", "nan"), "--snapshot-kimg: got NaN")
	require.Contains(t, again(t, exitUsage, "vae", "--resume", ""), "--resume: got an empty name")
	require.Contains(t, again(t, exitUsage, "vae", "--tigas-scales", "1,x"), "numbers with commas between them")
}

// A resume that fails changes nothing.
func TestFailedResumeChangesNothing(t *testing.T) {
	run, _ := shortRun(t, "gan", "--ngf", "4", "--ndf", "4", "--snapshot-kimg", "0.001", "--keep", "0", "--tigas-weight", "0")
	files := func() (l []string) {
		require.NoError(t, filepath.WalkDir(run, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && d.Name() != "lock" {
				data, err := os.ReadFile(path)
				require.NoError(t, err)
				l = append(l, path+string(data))
			}
			return err
		}))
		return l
	}
	before := files()
	said := again(t, exitSnapshot, "gan", "--resume", filepath.Join(run, "snapshots", "network-snapshot-000000.040.safetensors"), "--ema-kimg", "0")
	require.Contains(t, said, "does not fit")
	require.True(t, slices.Equal(before, files()))
}

// Weights alone go into a new run; the data and everything else begin anew.
func TestTransfer(t *testing.T) {
	run, _ := shortRun(t, "vae", "--width", "4")
	out := filepath.Join(t.TempDir(), "b")
	line := []string{"vae", "--width", "4", "--batch", "8", "--grid", "1", "--kimg", "0.02", "--keep", "0", "--transfer", run, "--out", out}
	said := again(t, exitOK, line...)
	require.Contains(t, said, "transfer  ")
	require.Contains(t, said, " 0 of its others are not used")
	log, err := os.ReadFile(filepath.Join(out, "log.jsonl"))
	require.NoError(t, err)
	var first map[string]any
	require.NoError(t, json.NewDecoder(bytes.NewReader(log)).Decode(&first))
	require.EqualValues(t, 0, first["step"])
	weights := func(run, name string) []byte {
		f, err := safetensors.Open(filepath.Join(run, "snapshots", name))
		require.NoError(t, err)
		defer f.Close()
		b, err := f.Bytes("VAE.fc_mu.weight")
		require.NoError(t, err)
		return b
	}
	require.True(t, bytes.Equal(weights(run, "network-snapshot-000000.056.safetensors"), weights(out, "network-snapshot-000000.000.safetensors")))
	said = again(t, exitSnapshot, "vae", "--width", "8", "--transfer", run)
	require.Contains(t, said, "got shape")
	said = again(t, exitSnapshot, "gan", "--transfer", run, "--ngf", "4", "--ndf", "4")
	require.Contains(t, said, "no tensor that the networks have")
}

func TestMaxTime(t *testing.T) {
	out := filepath.Join(t.TempDir(), "a")
	said := again(t, exitInterrupt, "vae", "--width", "4", "--batch", "8", "--grid", "1", "--tigas-weight", "0", "--max-time", "700ms", "--out", out)
	require.Contains(t, said, "interrupted (--max-time 700ms is over) at step")
	require.Contains(t, again(t, exitInterrupt, "vae", "--resume", out, "--max-time", "500ms"), "resume")
}

// Every run and flag is looked at before anything is measured; a flag is for the runs of its family.
func TestEvalChecksFirst(t *testing.T) {
	vae, _ := shortRun(t, "vae", "--width", "4", "--tigas-weight", "0")
	style, _ := shortRun(t, "stylegan", "--channel-max", "8", "--tigas-weight", "0")
	said := again(t, exitSnapshot, "eval", vae, "none", "--n", "8")
	require.Contains(t, said, "none")
	require.Contains(t, again(t, exitUsage, "eval", vae, "--trunc", "0.5", "--n", "8"), "--trunc: it is for runs of stylegan, and this is one of vae")
	code, stdout, stderr := call("eval", vae, style, "--trunc", "0.5", "--n", "8", "--model", "none", "--threads", "1")
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stdout, vae)
	require.Contains(t, stdout, style)
	require.Contains(t, stderr, "the distance says little")
}
