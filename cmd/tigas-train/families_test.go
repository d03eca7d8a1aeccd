package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"image"
	"image/gif"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// shortRun trains a family for a few steps of the demo and returns its folder and what it said.
func shortRun(t *testing.T, args ...string) (out, said string) {
	t.Helper()
	out = filepath.Join(t.TempDir(), args[0])
	code, stdout, stderr := call(append(args, "--kimg", "0.05", "--batch", "8", "--grid", "2", "--threads", "1", "--seed", "1", "--out", out)...)
	require.Equal(t, exitOK, code, stderr)
	require.Equal(t, out+"\n", stdout)
	return out, stderr
}

// ticks are the lines of a run's log but for those of samples.
func ticks(t *testing.T, run string) (l []map[string]any) {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(run, "log.jsonl"))
	require.NoError(t, err)
	for line := range strings.Lines(string(log)) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m))
		if m["img_per_sec"] != nil {
			l = append(l, m)
		}
	}
	require.NotEmpty(t, l)
	return l
}

func lastTick(t *testing.T, run string) map[string]any {
	t.Helper()
	l := ticks(t, run)
	return l[len(l)-1]
}

func pngSize(t *testing.T, path string) image.Point {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	img, _, err := image.Decode(f)
	require.NoError(t, err)
	return img.Bounds().Size()
}

// Each family trains on nothing but its name, and everything that is done with a run works on what it leaves.
func TestFamilies(t *testing.T) {
	for _, c := range []struct {
		args   []string
		terms  []string
		sample []string // flags of sample that are the family's own
	}{
		{[]string{"gan", "--ngf", "4", "--ndf", "4"}, []string{"D", "gp", "G"}, nil},
		{[]string{"stylegan", "--channel-max", "8", "--tigas-warmup", "0"}, []string{"D", "G", "tigas_loss", "score"}, []string{"--trunc", "0.7"}},
		{[]string{"vae", "--width", "4", "--tigas-warmup", "0"}, []string{"recon", "kl", "tigas", "score"}, nil},
		{[]string{"diffusion", "--sample-steps", "3"}, []string{"mse", "x0_clipped", "lr_net"}, []string{"--sampler", "ddim", "--steps", "4"}},
	} {
		name := c.args[0]
		t.Run(name, func(t *testing.T) {
			run, said := shortRun(t, c.args...)
			require.Contains(t, said, "TIGAS (linear, detector embedded", "the term is on by default")
			tick := lastTick(t, run)
			for _, term := range append(c.terms, "total") {
				require.Contains(t, tick, term)
			}
			dir := t.TempDir()
			grid := filepath.Join(dir, "grid.png")
			draw := func(args ...string) []byte {
				code, _, stderr := call(append([]string{"sample", run, "--n", "4", "--out", grid, "--threads", "1"}, args...)...)
				require.Equal(t, exitOK, code, stderr)
				file, err := os.ReadFile(grid)
				require.NoError(t, err)
				return file
			}
			plain := draw(c.sample...)
			require.Equal(t, plain, draw(c.sample...), "a seed gives the same pictures")
			if c.sample != nil {
				require.NotEqual(t, plain, draw(), "%v has no effect", c.sample)
			}
			for family, flag := range map[string]string{"stylegan": "--trunc=0.7", "diffusion": "--steps=4"} {
				if family != name {
					code, _, stderr := call("sample", run, "--out", grid, flag)
					require.Equal(t, exitUsage, code, stderr)
					require.Contains(t, stderr, "runs of "+family)
				}
			}

			walk := filepath.Join(dir, "walk.gif")
			code, stdout, stderr := call("interpolate", run, "--frames", "5", "--walks", "2", "--keys", "2", "--out", walk, "--threads", "1")
			require.Equal(t, exitOK, code, stderr)
			require.Equal(t, walk+"\n", stdout)
			f, err := os.Open(walk)
			require.NoError(t, err)
			defer f.Close()
			g, err := gif.DecodeAll(f)
			require.NoError(t, err)
			require.Len(t, g.Image, 5)
			require.Equal(t, image.Pt(256, 128), g.Image[0].Bounds().Size())
			frames := filepath.Join(dir, "frames")
			code, _, stderr = call("interpolate", run, "--frames", "2", "--out", frames, "--threads", "1")
			require.Equal(t, exitOK, code, stderr)
			require.Equal(t, image.Pt(32, 32), pngSize(t, filepath.Join(frames, "frame00001.png")))

			both := filepath.Join(dir, "both.png")
			picture := filepath.Join(run, "samples", "reals.png")
			code, stdout, stderr = call("reconstruct", run, picture, picture, "--out", both, "--threads", "1")
			if name == "vae" {
				require.Equal(t, exitOK, code, stderr)
				require.Equal(t, 2, strings.Count(stdout, picture+"\n"))
				require.FileExists(t, both)
				require.FileExists(t, filepath.Join(run, "samples", "recon000000.000.png"))
			} else {
				require.Equal(t, exitUsage, code, stderr)
				require.Contains(t, stderr, "no encoder")
			}

			code, stdout, stderr = call("eval", run, "--n", "70", "--json", "--threads", "1")
			require.Equal(t, exitOK, code, stderr)
			var e evaluation
			require.NoError(t, json.Unmarshal([]byte(stdout), &e))
			require.Greater(t, e.Distance, 1.0, "hardly trained")
			require.Equal(t, []int{70, 70}, []int{e.Samples, e.Pictures})
			require.Greater(t, *e.Real, 0.9, "the embedded detector knows the demo pictures")
		})
	}
}

// The recipe's warnings: large weights, and for diffusion early timesteps. A VAE with means says what its beta amounts to.
func TestFamiliesWarn(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"stylegan", "--channel-max", "8", "--tigas-weight", "0.5"}, "--tigas-weight 0.5 is large"},
		{[]string{"vae", "--width", "4", "--tigas-weight", "1"}, "--tigas-weight 1 is large"},
		{[]string{"vae", "--width", "4", "--latent", "32", "--reduction", "mean"}, "effective beta 96"},
		{[]string{"diffusion", "--sample-steps", "2", "--tigas-weight", "0.2"}, "--tigas-weight 0.2 is large"},
		{[]string{"diffusion", "--sample-steps", "2", "--tigas-max-timestep", "900"}, "--tigas-max-timestep 900: so early"},
	} {
		_, said := shortRun(t, c.args...)
		require.Contains(t, said, c.want)
	}
}

// A snapshot whose header says something else than its tensors is refused in one line.
func TestSnapshotsThatLie(t *testing.T) {
	run, _ := shortRun(t, "diffusion", "--sample-steps", "2")
	vae, _ := shortRun(t, "vae", "--width", "4")
	for _, c := range []struct {
		run, old, lie string
	}{
		{run, `"predict":"v"`, `"predict":"w"`},
		{run, `"resolution":32`, `"resolution":64`},
		{run, `"sample_size":32`, `"sample_size":33`},
		{run, `"norm_num_groups":`, `"norm_num_groups":7`},
		{run, `"timesteps":1000`, `"timesteps":-1`},
		{vae, `"width":4`, `"width":8`},
		{vae, `"latent":64`, `"latent":63`},
		{vae, `"vae":{`, `"vqvae":{`},
	} {
		path, err := filepath.Glob(filepath.Join(c.run, "snapshots", "*.safetensors"))
		require.NoError(t, err)
		file, err := os.ReadFile(path[0])
		require.NoError(t, err)
		// The configuration is a JSON text in the JSON header: quotes are escaped, and the header's length comes first.
		n := int(binary.LittleEndian.Uint64(file))
		escape := func(s string) string { return strings.ReplaceAll(s, `"`, `\"`) }
		header := string(file[8 : 8+n])
		require.Contains(t, header, escape(c.old))
		header = strings.ReplaceAll(header, escape(c.old), escape(c.lie))
		changed := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
		changed = append(append(changed, header...), file[8+n:]...)
		lying := filepath.Join(t.TempDir(), "lie.safetensors")
		require.NoError(t, os.WriteFile(lying, changed, 0o644))
		for _, command := range []string{"sample", "interpolate", "eval"} {
			args := []string{command, lying, "--threads", "1"}
			if command != "eval" {
				args = append(args, "--out", filepath.Join(t.TempDir(), "out"))
			}
			code, _, stderr := call(args...)
			require.Equal(t, exitSnapshot, code, "%s %s: %s", command, c.lie, stderr)
			require.NotContains(t, stderr, "goroutine")
		}
	}
}

// A signal ends every command that draws pictures, with the exit code for it, and a half animation is not written.
func TestInterruptedDrawing(t *testing.T) {
	run, _ := shortRun(t, "vae", "--width", "4")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	sys := systemFlags{Device: "cpu", Threads: 1}
	none := func(string) bool { return false }
	sampling := samplingFlags{trunc: 1, cutoff: -1, noise: "const", given: none}
	walk := filepath.Join(t.TempDir(), "walk.gif")
	quiet := &monitor.Console{Quiet: true}
	grid := sampleCommand{n: 4, out: filepath.Join(t.TempDir(), "grid.png"), sampling: sampling, sys: sys, console: quiet}
	both := reconstruction{out: filepath.Join(t.TempDir(), "a.png"), sys: sys, console: quiet}
	errs := map[string]error{
		"sample":      grid.run(ctx, run),
		"interpolate": (&interpolation{frames: 4, keys: 2, walks: 1, fps: 20, out: walk, sampling: sampling, sys: sys}).run(ctx, run),
	}
	_, errs["reconstruct"] = both.run(ctx, run, []string{filepath.Join(run, "samples", "reals.png")})
	_, errs["eval"] = (&evalCommand{n: 8, sampling: sampling, model: "none"}).measure(ctx, nil, run, torch.CPU)
	for name, err := range errs {
		require.Error(t, err, name)
		require.Equal(t, exitInterrupt, exitCode(err), "%s: %v", name, err)
	}
	require.NoFileExists(t, walk)
}
