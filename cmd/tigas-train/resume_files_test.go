package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/safetensors"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// smallVAE is a command line whose steps take milliseconds.
func smallVAE() []string {
	return []string{"vae", "--width", "4", "--batch", "8", "--grid", "1", "--tigas-weight", "0", "--threads", "1"}
}

// snapshotsOf are the snapshots of a run by its manifest, oldest first.
func snapshotsOf(t *testing.T, run string) (r *checkpoint.Run, all []checkpoint.Snapshot) {
	t.Helper()
	r, err := checkpoint.Open(run)
	require.NoError(t, err)
	all, err = r.Snapshots()
	require.NoError(t, err)
	return r, all
}

// weightsOf are the weights of one layer in a snapshot of a VAE.
func weightsOf(t *testing.T, path string) []byte {
	t.Helper()
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	b, err := f.Bytes("VAE.fc_mu.weight")
	require.NoError(t, err)
	return b
}

// A run whose snapshots are all damaged is not one without snapshots: its log and pictures stay.
func TestResumeWithDamagedSnapshots(t *testing.T) {
	run, _ := shortRun(t, "vae", "--width", "4", "--tigas-weight", "0")
	files := func() (l []string) {
		for _, pattern := range []string{"*", "samples/*", "snapshots/*"} {
			paths, err := filepath.Glob(filepath.Join(run, pattern))
			require.NoError(t, err)
			l = append(l, paths...)
		}
		return l
	}
	r, all := snapshotsOf(t, run)
	require.NoError(t, os.Remove(filepath.Join(run, "snapshots", "manifest.json")))
	for _, s := range all {
		require.NoError(t, os.Truncate(r.Path(s), 1_000_000))
	}
	before := files()
	log, err := os.ReadFile(r.Log())
	require.NoError(t, err)
	for range 2 { // nothing was written that the second one would take for a run without snapshots
		said := again(t, exitSnapshot, "vae", "--resume", run)
		require.Contains(t, said, all[0].File+" is damaged")
		require.Contains(t, said, fmt.Sprintf("none of %d can be read", len(all)))
		require.Equal(t, before, files())
		now, err := os.ReadFile(r.Log())
		require.NoError(t, err)
		require.Equal(t, string(log), string(now))
	}
}

// A run that goes on from an earlier snapshot does so with its flags, and then has them, not those of what came after it.
func TestResumeFileKeepsItsFlags(t *testing.T) {
	run, _ := shortRun(t, "vae", "--width", "4", "--tigas-weight", "0", "--keep", "0")
	r, all := snapshotsOf(t, run)
	newest := r.Path(all[len(all)-1])
	again(t, exitOK, "vae", "--resume", run, "--kimg", "0.08", "--beta", "50")
	require.Equal(t, "50", configOf(t, run).Flags["beta"].Value)
	said := again(t, exitInterrupt, "vae", "--resume", newest, "--kimg", "1000", "--max-time", "1ms")
	require.Contains(t, said, "in "+filepath.Join(run, "discarded"))
	require.NotContains(t, said, "beta")
	require.Equal(t, "1", configOf(t, run).Flags["beta"].Value)

	// Without any change as well.
	again(t, exitOK, "vae", "--resume", run, "--kimg", "0.096", "--beta", "50")
	_, all = snapshotsOf(t, run)
	said = again(t, exitOK, "vae", "--resume", r.Path(all[1]), "--kimg", "0.05")
	require.NotContains(t, said, "changed")
	c := configOf(t, run)
	require.Equal(t, "1", c.Flags["beta"].Value)
	require.Equal(t, "0.05", c.Flags["kimg"].Value)
}

// A run that was stopped before its first snapshot begins again with the weights that it began with; one that has a snapshot
// goes on with its own.
func TestTransferBeginsAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	line := slices.Clip(append(smallVAE(), "--kimg", "0.02", "--keep", "0"))
	for seed, name := range []string{"x", "y"} {
		again(t, exitOK, append(line, "--seed", fmt.Sprint(seed), "--out", name)...)
	}
	last := func(run string) []byte {
		r, all := snapshotsOf(t, run)
		return weightsOf(t, r.Path(all[len(all)-1]))
	}
	first := func(run string) []byte {
		r, all := snapshotsOf(t, run)
		require.Zero(t, all[0].Images)
		return weightsOf(t, r.Path(all[0]))
	}
	here, err := os.Getwd()
	require.NoError(t, err)
	x, y, out := filepath.Join(here, "x"), filepath.Join(here, "y"), filepath.Join(here, "a")
	again(t, exitOK, append(line, "--transfer", "x", "--out", "a")...)
	require.Equal(t, x, configOf(t, out).Flags["transfer"].Value)
	lose := func() { require.NoError(t, os.RemoveAll(filepath.Join(out, "snapshots"))) }

	t.Chdir(t.TempDir()) // it is found from wherever one is
	for range 2 {
		lose()
		said := again(t, exitOK, "vae", "--resume", out)
		require.Contains(t, said, "from the beginning")
		require.Contains(t, said, "transfer  ")
		require.True(t, bytes.Equal(last(x), first(out)), "other weights than those of --transfer")
	}
	said := again(t, exitOK, "vae", "--resume", "auto", "--out", out, "--transfer", y, "--kimg", "0.04")
	require.NotContains(t, said, "transfer")
	require.Equal(t, x, configOf(t, out).Flags["transfer"].Value)
	lose()
	again(t, exitOK, "vae", "--resume", "auto", "--out", out, "--transfer", y)
	require.True(t, bytes.Equal(last(y), first(out)))

	// What is not there is said before anything of the run goes.
	lose()
	require.NoError(t, os.Rename(y, y+"-gone"))
	require.Contains(t, again(t, exitSnapshot, "vae", "--resume", out), "y: no such file")
	require.FileExists(t, filepath.Join(out, "log.jsonl"))
}

// A snapshot that was put back from discarded/ is what a run can go on from; one that nobody asked for is put aside again.
func TestResumeFromASnapshotThatWasPutBack(t *testing.T) {
	run, _ := shortRun(t, "vae", "--width", "4", "--tigas-weight", "0", "--keep", "0")
	r, all := snapshotsOf(t, run)
	newest := all[len(all)-1]
	again(t, exitOK, "vae", "--resume", r.Path(all[0]), "--kimg", "0.016")
	back := func() {
		l, err := filepath.Glob(filepath.Join(run, "discarded", "*", newest.File))
		require.NoError(t, err)
		require.Len(t, l, 1)
		require.NoError(t, os.Rename(l[0], r.Path(newest)))
	}
	back()
	said := again(t, exitSnapshot, "vae", "--resume", r.Path(newest), "--width", "8")
	require.Contains(t, said, "cannot go on as another network")
	require.FileExists(t, r.Path(newest), "a resume that fails moves nothing")
	said = again(t, exitOK, "vae", "--resume", run, "--kimg", "0.024")
	require.Contains(t, said, "1 snapshot(s) that the manifest does not name are in "+filepath.Join(run, "discarded"))
	require.NoFileExists(t, r.Path(newest))
	back()
	said = again(t, exitOK, "vae", "--resume", r.Path(newest), "--kimg", "0.08")
	require.Contains(t, said, fmt.Sprintf("from step %d ", newest.Step))
	require.EqualValues(t, 10, lastTick(t, run)["step"])
	_, all = snapshotsOf(t, run)
	require.Contains(t, all, newest)

	file := filepath.Join(run, "snapshots", "text.safetensors")
	require.NoError(t, os.WriteFile(file, []byte("text"), 0o644))
	require.Contains(t, again(t, exitSnapshot, "vae", "--resume", file), file+" is damaged")
}

// A damaged config.json hides no run: the header of its snapshot says what it is, and it is written again.
func TestResumeLatestWithDamagedConfig(t *testing.T) {
	t.Chdir(t.TempDir())
	line := slices.Clip(append(smallVAE(), "--resume", "auto"))
	again(t, exitOK, append(line, "--kimg", "0.016")...)
	config := filepath.Join("runs", "00000-vae-demo", "config.json")
	for _, text := range []string{"", "{}", "\x00\x00"} {
		require.NoError(t, os.WriteFile(config, []byte(text), 0o644))
		said := again(t, exitOK, append(line, "--resume", "latest")...)
		require.Contains(t, said, "is complete")
		require.Contains(t, said, "the flags are those of network-snapshot-")
	}
	again(t, exitOK, append(line, "--kimg", "0.024")...)
	require.Equal(t, "vae", configOf(t, filepath.Dir(config)).Command)
	require.NoDirExists(t, "runs/00001-vae-demo")

	require.NoError(t, os.WriteFile(config, nil, 0o644))
	require.NoError(t, os.RemoveAll("runs/00000-vae-demo/snapshots"))
	said := again(t, exitSnapshot, append(line, "--resume", "latest")...)
	require.Contains(t, said, config+": EOF: this run is left out")
}

// The latest run is the one with the highest number, whatever the clock said, or a later one with a name.
func TestNewestRun(t *testing.T) {
	root := t.TempDir()
	add := func(name, command string, age time.Duration) string {
		r, err := checkpoint.Create(filepath.Join(root, name))
		require.NoError(t, err)
		require.NoError(t, r.WriteConfig(runConfig{Command: command}))
		at := time.Now().Add(-age)
		for _, file := range []string{"config.json", "snapshots"} {
			require.NoError(t, os.Chtimes(filepath.Join(r.Dir, file), at, at))
		}
		return r.Dir
	}
	newest := func() string { return newestRun(&monitor.Console{W: io.Discard}, root, "vae") }
	require.Empty(t, newest())
	b := add("b", "vae", 9*time.Hour)
	require.Equal(t, b, newest())
	add("00009-vae-demo", "vae", time.Hour)
	ten := add("00010-vae-demo", "vae", 5*time.Hour)
	add("00011-gan-demo", "gan", 0)
	require.Equal(t, ten, newest())
	c := add("c", "vae", 2*time.Hour)
	add("d", "vae", 3*time.Hour)
	require.Equal(t, c, newest())
}

// Files with the names of words change nothing: demo is a word for data, hub and embedded are for detectors.
func TestWordsAreNoPaths(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"demo", "embedded", "hub", "hub@main"} {
		require.NoError(t, os.Mkdir(name, 0o755))
	}
	here, err := os.Getwd()
	require.NoError(t, err)
	for _, c := range []struct {
		flag, value string
		word        bool
	}{
		{"data", "demo", true}, {"data", "hub", false}, {"data", "embedded", false}, {"data", "none", true}, {"data", "", true},
		{"tigas-model", "demo", false}, {"tigas-model", "embedded", true}, {"tigas-model", "hub", true},
		{"tigas-model", "hub@main", true},
		{"transfer", "demo", false}, {"transfer", "hub", false}, {"transfer", "embedded", false},
	} {
		want := filepath.Join(here, c.value)
		if c.word {
			want = c.value
		}
		require.Equal(t, want, absolute(c.flag, c.value), c.flag)
	}
	again(t, exitOK, append(smallVAE(), "--tigas-weight", "0.1", "--tigas-model", "embedded", "--kimg", "0.016", "--out", "a")...)
	require.NotContains(t, again(t, exitOK, "vae", "--resume", "a", "--kimg", "0.024"), "--tigas-model")
	require.Equal(t, "embedded", configOf(t, "a").Flags["tigas-model"].Value)
}

// Settings of a run are single flags when it goes on: another --cfg would change few of them.
func TestResumeRefusesAnotherCfg(t *testing.T) {
	run, _ := shortRun(t, "stylegan", "--channel-max", "8", "--tigas-weight", "0")
	said := again(t, exitSnapshot, "stylegan", "--resume", run, "--cfg", "cifar", "--kimg", "1")
	require.Contains(t, said, "cannot go on with other settings at once: --cfg auto -> cifar")
	require.Contains(t, said, "give the single ones")
	said = again(t, exitOK, "stylegan", "--resume", run, "--cfg", "auto", "--gamma", "2", "--kimg", "0.064")
	require.Contains(t, said, "changed   --gamma 1 -> 2")
	require.NotContains(t, said, "--cfg")
}

// Where memory ran out the hint has flags that --resume takes.
func TestOutOfMemoryHint(t *testing.T) {
	out := filepath.Join(t.TempDir(), "a")
	detector := detectorFile(t, "torch.sigmoid(x.mean([1, 2, 3]) + torch.zeros([1125899906842624 if x.size(0) == 7 else 1])[0])")
	said := again(t, exitMemory, "vae", "--width", "4", "--batch", "7", "--grid", "1", "--threads", "1", "--kimg", "0.05",
		"--tigas-warmup", "0", "--tigas-model", detector, "--out", out)
	require.Contains(t, said, fmt.Sprintf("hint: tigas-train vae --resume %s --batch N goes on, with N below 7;", out))
	require.Contains(t, said, "are for a new run")
	require.Contains(t, again(t, exitOK, "vae", "--resume", out, "--batch", "6"), "changed   --batch 7 -> 6")
}

// A time that ends before the first step would end every attempt there.
func TestMaxTimeThatIsTooShort(t *testing.T) {
	out := filepath.Join(t.TempDir(), "a")
	line := slices.Clip(append(smallVAE(), "--resume", "auto", "--out", out))
	said := again(t, exitInterrupt, append(line, "--max-time", "1ms")...)
	require.Contains(t, said, "hint: no step was done in --max-time 1ms: give more")
	require.NotContains(t, again(t, exitInterrupt, append(line, "--max-time", "3s")...), "no step was done")
}
