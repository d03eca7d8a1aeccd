package main

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// colours writes n pictures of one colour each.
func colours(t *testing.T, dir string, n int) (paths []string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for i := range n {
		path := filepath.Join(dir, fmt.Sprintf("%02d.png", i))
		require.NoError(t, monitor.WritePNG(path, monitor.Picture(bytes.Repeat([]byte{byte(20 * i)}, 3*8*8), 8, 8)))
		paths = append(paths, path)
	}
	return paths
}

// gridOf reads the pictures of a grid back.
func gridOf(t *testing.T, path string) []image.Image {
	t.Helper()
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	whole, err := png.Decode(bytes.NewReader(file))
	require.NoError(t, err)
	grid := monitor.ReadGrid(file, whole)
	require.NotNil(t, grid)
	var l []image.Image
	for i := range grid.Len() {
		l = append(l, grid.Picture(i))
	}
	return l
}

// Folders are walked, what cannot be read is left out with a warning, and standard output has nothing but the table, in the
// order of the grid. Batches give what single pictures give.
func TestReconstructMany(t *testing.T) {
	run, _ := shortRun(t, "vae", "--width", "4")
	dir := t.TempDir()
	paths := slices.Concat(colours(t, filepath.Join(dir, "a"), 5), colours(t, filepath.Join(dir, "b", "c"), 6)) // a batch is 8
	broken, missing := filepath.Join(dir, "b", "broken.png"), filepath.Join(t.TempDir(), "missing.png")
	require.NoError(t, os.WriteFile(broken, []byte("no picture"), 0o644))
	grid := filepath.Join(dir, "grid.png")
	for range 2 { // the second time the grid is in the folder itself
		code, stdout, stderr := call("reconstruct", run, dir, missing, "--out", grid, "--threads", "1")
		require.Equal(t, exitOK, code, stderr)
		lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
		require.Len(t, lines, len(paths))
		for i, path := range paths {
			require.Regexp(t, `^0\.\d{5}\t`, lines[i])
			require.True(t, strings.HasSuffix(lines[i], "\t"+path), lines[i])
		}
		require.Contains(t, stderr, "warning: skipped "+broken+": image: unknown format\n")
		require.Contains(t, stderr, "warning: skipped "+missing+": ")
		require.Equal(t, 2, strings.Count(stderr, "warning"), stderr)
		require.Contains(t, stderr, "wrote    "+grid+"\n")
		pictures := gridOf(t, grid)
		require.Len(t, pictures, 2*len(paths), "no room for those that were left out")
		for i := range paths {
			r, _, _, _ := pictures[2*i].At(16, 16).RGBA()
			require.EqualValues(t, []int{0, 20, 40, 60, 80, 0, 20, 40, 60, 80, 100}[i], r>>8)
		}
		code, alone, stderr := call("reconstruct", run, paths[9], "--out", filepath.Join(t.TempDir(), "one.png"), "--threads", "1", "-q")
		require.Equal(t, exitOK, code, stderr)
		require.Equal(t, lines[9]+"\n", alone)
		require.Empty(t, stderr)
	}

	var said bytes.Buffer
	list := reconstruction{out: grid, sys: systemFlags{Device: "cpu", Threads: 1}, in: strings.NewReader(paths[0] + "\n" + paths[6]),
		console: &monitor.Console{W: &said}}
	l, err := list.run(t.Context(), run, []string{"-"})
	require.NoError(t, err)
	require.Equal(t, []string{paths[0], paths[6]}, []string{l[0].path, l[1].path})

	code, stdout, stderr := call("reconstruct", run, broken, missing, "--out", filepath.Join(dir, "none.png"), "--threads", "1")
	require.Equal(t, exitData, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "error: none of 2 pictures could be read")
	require.Equal(t, 2, strings.Count(stderr, "warning"), stderr)
	require.NoFileExists(t, filepath.Join(dir, "none.png"))
	code, _, stderr = call("reconstruct", run, paths[0], "--out", paths[0], "--threads", "1")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "one of the files to read")
}

// Commands say how far they are, unless they are to be quiet.
func TestDrawingShowsProgress(t *testing.T) {
	run, _ := shortRun(t, "vae", "--width", "4")
	pictures := colours(t, t.TempDir(), 10)
	out := filepath.Join(t.TempDir(), "out.png")
	sys := systemFlags{Device: "cpu", Threads: 1}
	sampling := samplingFlags{trunc: 1, cutoff: -1, noise: "const", given: func(string) bool { return false }}
	for _, quiet := range []bool{false, true} {
		for want, do := range map[string]func(c *monitor.Console) error{
			"drawing  8 of 10 pictures": func(c *monitor.Console) error {
				return (&sampleCommand{n: 10, out: out, sampling: sampling, sys: sys, console: c}).run(t.Context(), run)
			},
			"drawing  8 of 11 pictures": func(c *monitor.Console) error {
				o := interpolation{frames: 11, keys: 2, walks: 1, fps: 20, out: strings.Replace(out, ".png", ".gif", 1), sampling: sampling, sys: sys, console: c}
				return o.run(t.Context(), run)
			},
			"encoding  9 of 10 pictures": func(c *monitor.Console) error {
				_, err := (&reconstruction{out: out, sys: sys, console: c}).run(t.Context(), run, pictures)
				return err
			},
		} {
			var said bytes.Buffer
			require.NoError(t, do(&monitor.Console{W: &said, Live: true, Quiet: quiet}))
			if quiet {
				require.Empty(t, said.String())
				continue
			}
			require.Contains(t, said.String(), want)
			require.Contains(t, said.String(), " 0 of 1", "before the first batch")
			require.Contains(t, said.String(), "writing  "+strings.TrimSuffix(out, ".png"))
		}
	}
}

// A grid that is too large for memory is refused before anything is drawn or made.
func TestGridsThatAreTooLarge(t *testing.T) {
	run, _ := shortRun(t, "vae", "--width", "4")
	out := filepath.Join(t.TempDir(), "new", "grid.png")
	code, stdout, stderr := call("sample", run, "--n", "1000000", "--out", out, "--threads", "1")
	require.Equal(t, exitUsage, code)
	require.Empty(t, stdout)
	require.Regexp(t, `^tigas-train: error: .*1000000 pictures of 32x32: got \d+ pixels vs at most 268435456\ntigas-train: hint: .*a folder as --out.*\n$`, stderr)
	picture := colours(t, t.TempDir(), 1)
	code, _, stderr = call(slices.Concat([]string{"reconstruct", run, "--out", out, "--threads", "1"}, slices.Repeat(picture, 2100))...)
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "vs at most 268435456\n")
	require.Contains(t, stderr, "hint: name fewer pictures")
	require.NoDirExists(t, filepath.Dir(out))
}

// Pictures that lie in the folder already and stay there are worth a warning.
func TestFoldersWithOtherPictures(t *testing.T) {
	run, _ := shortRun(t, "vae", "--width", "4")
	for command, count := range map[string]string{"sample": "--n", "interpolate": "--frames"} {
		dir := filepath.Join(t.TempDir(), "pictures")
		draw := func(n string) string {
			code, _, stderr := call(command, run, count, n, "--out", dir, "--threads", "1", "-q")
			require.Equal(t, exitOK, code, stderr)
			return stderr
		}
		require.Empty(t, draw("4"))
		require.Empty(t, draw("4"), "all are written over")
		require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o644))
		require.Equal(t, "warning: "+dir+" has 2 other picture(s), which stay there\n", draw("2"))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "face.jpg"), nil, 0o644))
		require.Equal(t, "warning: "+dir+" has 1 other picture(s), which stay there\n", draw("4"))
	}
}

// Flags that cannot be, or that would do nothing, are refused by their names.
func TestSamplingFlagsAreRefused(t *testing.T) {
	style, _ := shortRun(t, "stylegan", "--channel-max", "8", "--tigas-weight", "0")
	noisy, _ := shortRun(t, "diffusion", "--sampler", "ddpm", "--sample-steps", "3", "--tigas-weight", "0")
	out := filepath.Join(t.TempDir(), "out")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"sample", style, "--trunc-cutoff", "4"}, "--trunc-cutoff: it does nothing while --trunc is 1"},
		{[]string{"interpolate", style, "--trunc-cutoff", "4", "--trunc", "1"}, "--trunc-cutoff: it does nothing"},
		{[]string{"eval", style, "--trunc-cutoff", "4"}, "--trunc-cutoff: it does nothing"},
		{[]string{"interpolate", style, "--noise-mode", "random"}, "--noise-mode: got random vs const or none"},
		{[]string{"sample", style, "--noise-mode", "some"}, "--noise-mode: got"},
		{[]string{"sample", noisy, "--steps", "0"}, "error: --steps: got 0 vs 1 to 1000"},
		{[]string{"interpolate", noisy, "--steps", "1001"}, "error: --steps: got 1001 vs 1 to 1000"},
		{[]string{"sample", noisy, "--sampler", "euler"}, `error: --sampler: got "euler" vs ddim or ddpm`},
		{[]string{"sample", noisy, "--sampler", "ddim", "--eta", "2"}, "error: --eta: got 2 vs 0 to 1"},
		{[]string{"sample", noisy, "--sampler", "ddim", "--eta", "nan"}, "error: --eta: got NaN vs 0 to 1"},
		{[]string{"sample", noisy, "--eta", "0.5"}, "error: --eta: it is for ddim"},
		{[]string{"interpolate", noisy, "--eta", "0"}, "error: unknown flag: --eta"},
		{[]string{"interpolate", noisy, "--sampler", "ddim"}, "error: unknown flag: --sampler"},
	} {
		args := append(c.args, "--threads", "1")
		if args[0] != "eval" {
			args = append(args, "--out", out)
		}
		code, stdout, stderr := call(args...)
		require.Equal(t, exitUsage, code, "%v: %s", c.args, stderr)
		require.Contains(t, stderr, c.want, c.args)
		require.Empty(t, stdout)
	}
	require.NoDirExists(t, out)

	code, _, stderr := call("sample", style, "--n", "1", "--trunc", "0.7", "--trunc-cutoff", "4", "--out", out, "--threads", "1")
	require.Equal(t, exitOK, code, stderr)

	// A walk that stands still has one picture, also where the run's own sampler draws new noise for each.
	code, _, stderr = call("interpolate", noisy, "--keys", "1", "--frames", "2", "--out", out, "--threads", "1")
	require.Equal(t, exitOK, code, stderr)
	var frames [2][]byte
	for i := range frames {
		file, err := os.ReadFile(filepath.Join(out, fmt.Sprintf("frame%05d.png", i)))
		require.NoError(t, err)
		frames[i] = file
	}
	require.Equal(t, frames[0], frames[1])

	_, help, _ := call("interpolate", "--help")
	for flag, want := range map[string]bool{"--steps": true, "--trunc": true, "--trunc-cutoff": true, "const or none": true,
		"--sampler": false, "--eta": false, "random or none": false} {
		require.Equal(t, want, strings.Contains(help, flag), flag)
	}
	_, help, _ = call("sample", "--help")
	require.Contains(t, help, "const, random or none")
	require.Contains(t, help, "ddim 50, ddpm all")
}
