package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

func TestMain(m *testing.M) {
	if os.Getenv("TIGAS_TRAIN_TEST_MAIN") != "" { // the test binary as the program, for tests of a whole process
		code := run(os.Args[1:], os.Stdout, os.Stderr)
		status, _ := os.ReadFile("/proc/self/status")
		os.Stderr.Write(status)
		os.Exit(code)
	}
	for _, v := range os.Environ() { // what somebody has set for their own runs is none of the tests' business
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, variablePrefix) {
			os.Unsetenv(name)
		}
	}
	if err := torch.SetNumThreads(1); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// call runs a command line in this process.
func call(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(args, &out, &err)
	return code, out.String(), err.String()
}

// detectorFile writes a TorchScript detector whose forward has the given body.
func detectorFile(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "detector.pt")
	require.NoError(t, torch.Scoped(func(s *torch.Scope) error {
		m, err := jit.Define(s, []jit.Named{{Name: "a", Tensor: s.Scalar(1)}}, nil,
			"def forward(self, x: Tensor):\n    return "+body+"\n")
		if err != nil {
			return err
		}
		return m.Save(path)
	}))
	return path
}

func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
		return path
	}
	text := write("notes.txt", "hello")
	write("broken/a.png", "not a picture")
	write("broken/b.jpg", "nor this")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "empty"), 0o755))
	write("run/config.json", "{}")
	out := func() string { return filepath.Join(t.TempDir(), "run") }

	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"unknown command", []string{"gam"}, exitUsage, `unknown command "gam"`},
		{"unknown flag", []string{"gan", "--wieght", "1"}, exitUsage, "unknown flag: --wieght"},
		{"argument", []string{"gan", "x"}, exitUsage, "takes no argument"},
		{"nan weight", []string{"gan", "--tigas-weight", "nan"}, exitUsage, "--tigas-weight: got NaN"},
		{"batches larger than memory", []string{"vae", "--resolution", "1024", "--batch", "65536", "--tigas-weight", "0"}, exitMemory, "the pictures of four batches take 824.6 GB"},
		{"negative weight", []string{"gan", "--tigas-weight", "-1"}, exitUsage, "--tigas-weight: got -1"},
		{"word for a number", []string{"gan", "--batch", "many"}, exitUsage, "--batch"},
		{"nan for a whole number", []string{"gan", "--batch", "nan"}, exitUsage, `--batch: got "nan" vs a whole number`},
		{"word for a switch", []string{"gan", "--mirror=maybe"}, exitUsage, `--mirror: got "maybe" vs true or false`},
		{"rate 0", []string{"gan", "--d-lr", "0"}, exitUsage, "--d-lr: got 0 vs a number above 0"},
		{"kimg 0", []string{"gan", "--kimg", "0"}, exitUsage, "--kimg: got 0 vs a number above 0"},
		{"batch 0", []string{"gan", "--batch", "0"}, exitUsage, "--batch"},
		{"kimg", []string{"gan", "--kimg", "-3"}, exitUsage, "--kimg"},
		{"loss", []string{"gan", "--loss", "lsgan"}, exitUsage, "wgan-gp"},
		{"arch", []string{"gan", "--arch", "vit"}, exitUsage, "dcgan"},
		{"resolution", []string{"gan", "--resolution", "48"}, exitUsage, "got resolution 48"},
		{"warm-up", []string{"gan", "--tigas-warmup", "soon"}, exitUsage, "--tigas-warmup"},
		{"tigas-only without detector", []string{"gan", "--loss", "tigas-only", "--tigas-weight", "0"}, exitUsage, "--tigas-weight"},
		{"device", []string{"gan", "--device", "tpu"}, exitUsage, "cuda:N"},
		{"precision", []string{"gan", "--precision", "fp8"}, exitUsage, `--precision: got "fp8" vs auto, fp32, tf32, bf16 or fp16`},
		{"float16 on a CPU", []string{"gan", "--precision", "fp16"}, exitUsage, "--precision: fp16 wants a GPU: bf16 works on a CPU too"},
		{"graphs", []string{"gan", "--cuda-graphs", "always"}, exitUsage, `--cuda-graphs: got "always" vs auto, on or off`},
		{"graphs on a CPU", []string{"gan", "--cuda-graphs", "on"}, exitUsage, "--cuda-graphs on: got --device cpu vs a GPU"},
		{"memory format", []string{"gan", "--channels-last", "nhwc"}, exitUsage, `--channels-last: got "nhwc" vs auto, on or off`},
		{"missing folder", []string{"gan", "--data", dir + "/nowhere"}, exitData, "not found"},
		{"empty folder", []string{"gan", "--data", dir + "/empty"}, exitData, "looked for .jpg"},
		{"broken pictures", []string{"gan", "--data", dir + "/broken"}, exitData, "none of 2 pictures"},
		{"text file as data", []string{"gan", "--data", text}, exitData, "no known kind"},
		{"no detector for own data", []string{"gan", "--data", dir + "/broken", "--tigas-weight", "1"}, exitData, "none of"},
		{"text file as detector", []string{"gan", "--tigas-weight", "1", "--tigas-model", text}, exitData, "neither a TorchScript"},
		{"missing detector", []string{"gan", "--tigas-weight", "1", "--tigas-model", dir + "/d.pt"}, exitData, "no such file"},
		{"detector with two outputs", []string{"gan", "--tigas-weight", "1", "--tigas-model",
			detectorFile(t, "x.mean([2, 3]) * self.a")}, exitData, "one score for each"},
		{"detector of other pictures", []string{"gan", "--tigas-weight", "1", "--tigas-model",
			detectorFile(t, "torch.sigmoid(x.reshape(-1, 3 * 256 * 256).mean(1))")}, exitData, "[N 3 32 32]"},
		{"nan detector", []string{"gan", "--tigas-weight", "1", "--tigas-model",
			detectorFile(t, "torch.log(x.mean([1, 2, 3]) - 2.)")}, exitData, "NaN"},
		{"scale to nothing", []string{"gan", "--tigas-weight", "0.1", "--tigas-scales", "1,0.01"}, exitUsage, "at the scale 0.01"},
		{"out is a file", []string{"gan", "--out", text + "/run"}, exitOutput, "not a directory"},
		{"out holds a run", []string{"gan", "--out", dir + "/run"}, exitOutput, "already holds a run"},
		{"stylegan resolution", []string{"stylegan", "--resolution", "48"}, exitUsage, "a power of two"},
		{"stylegan preset", []string{"stylegan", "--cfg", "ffhq"}, exitUsage, "auto, stylegan2"},
		{"stylegan gamma", []string{"stylegan", "--gamma", "much"}, exitUsage, "vs auto or a number"},
		{"stylegan augmentation", []string{"stylegan", "--aug", "rotate"}, exitUsage, "color"},
		{"vae resolution", []string{"vae", "--resolution", "48"}, exitUsage, "a power of two"},
		{"vae reconstruction", []string{"vae", "--recon", "lpips"}, exitUsage, "mse, l1 or bce"},
		{"vae reduction", []string{"vae", "--reduction", "max"}, exitUsage, "sum or mean"},
		{"vae term", []string{"vae", "--tigas-on", "all"}, exitUsage, "recon, prior or both"},
		{"vae free bits of means", []string{"vae", "--reduction", "mean", "--free-bits", "0.5"}, exitUsage, "--reduction sum"},
		{"vae warm-up", []string{"vae", "--kl-warmup", "soon"}, exitUsage, "--kl-warmup"},
		{"two lengths", []string{"vae", "--steps", "10", "--kimg", "1"}, exitUsage, "--steps and --kimg"},
		{"rate", []string{"vae", "--lr", "0"}, exitUsage, "--lr: got 0"},
		{"decay", []string{"vae", "--lr-decay", "step"}, exitUsage, "none, cosine or linear"},
		{"diffusion network", []string{"diffusion", "--arch", "dit"}, exitUsage, "ddpm-cifar10"},
		{"diffusion resolution", []string{"diffusion", "--resolution", "36"}, exitUsage, "36"},
		{"diffusion prediction", []string{"diffusion", "--predict", "score"}, exitUsage, "eps, v or x0"},
		{"diffusion schedule", []string{"diffusion", "--schedule", "square"}, exitUsage, "linear, cosine or sigmoid"},
		{"diffusion limit", []string{"diffusion", "--tigas-max-timestep", "2000"}, exitUsage, "--tigas-max-timestep"},
		{"diffusion sampler", []string{"diffusion", "--sampler", "euler"}, exitUsage, "ddim or ddpm"},
		{"diffusion sample steps", []string{"diffusion", "--sample-steps", "1001"}, exitUsage, "1 to 1000"},
		{"reconstruct nothing", []string{"reconstruct", dir + "/run"}, exitUsage, "pictures"},
		{"interpolate to a jpeg", []string{"interpolate", dir + "/run", "--out", dir + "/g.jpg"}, exitUsage, "a .gif file or a folder"},
		{"interpolate size", []string{"interpolate", dir + "/run", "--scale", "65"}, exitUsage, "--scale: got 65"},
		{"style rate 0", []string{"stylegan", "--d-lr", "0"}, exitUsage, "--d-lr: got 0 vs a number above 0"},
		{"style latent 0", []string{"stylegan", "--latent", "0"}, exitUsage, "--latent: got 0"},
		{"eta of ddpm", []string{"diffusion", "--sampler", "ddpm", "--eta", "0.5"}, exitUsage, "--eta: it is for ddim"},
		{"interpolate fps", []string{"interpolate", dir + "/run", "--fps", "100"}, exitUsage, "--fps"},
		{"interpolate no run", []string{"interpolate", dir + "/empty"}, exitSnapshot, "no run folder"},
		{"sample nothing", []string{"sample"}, exitUsage, "one argument"},
		{"sample no run", []string{"sample", dir + "/empty"}, exitSnapshot, "no run folder"},
		{"sample without snapshot", []string{"sample", dir + "/run"}, exitSnapshot, "no snapshot"},
		{"sample a text file", []string{"sample", text}, exitSnapshot, "safetensors"},
		{"sample to a jpeg", []string{"sample", dir + "/run", "--out", dir + "/g.jpg"}, exitUsage, "vs a .png file or a folder"},
		{"score nothing", []string{"score"}, exitUsage, "pictures"},
		{"score missing", []string{"score", dir + "/p.png"}, exitData, "no such file"},
		{"score broken", []string{"score", dir + "/broken/a.png", "--model", "embedded"}, exitData, "none of 1"},
	}
	if info, err := torch.CUDADevices(); err == nil && info.Count == 0 {
		tests = append(tests, struct {
			name string
			args []string
			code int
			want string
		}{"no cuda", []string{"gan", "--device", "cuda"}, exitUsage, "CUDA"})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			args := test.args
			if slices.Contains([]string{"gan", "stylegan", "vae", "diffusion"}, args[0]) && !strings.Contains(strings.Join(args, " "), "--out") {
				args = append(args, "--out", out())
			}
			code, _, stderr := call(args...)
			require.Equal(t, test.code, code, stderr)
			require.Contains(t, stderr, test.want)
			require.LessOrEqual(t, strings.Count(stderr, "\n"), 6)
			require.NotContains(t, stderr, "goroutine")
			require.Contains(t, stderr, "tigas-train: error: ")
		})
	}
}

// A short run, then everything that is done with it.
func TestRunSampleScore(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "a")
	code, stdout, stderr := call("gan", "--tigas-weight", "0.1", "--tigas-warmup", "0", "--kimg", "0.5", "--ngf", "4", "--ndf", "4",
		"--seed", "1", "--grid", "4", "--threads", "1", "--out", out)
	require.Equal(t, exitOK, code, stderr)
	require.Equal(t, out+"\n", stdout)
	require.Contains(t, stderr, "from the first step", "a weight without warm-up is warned of")
	for _, tick := range ticks(t, out) {
		for _, key := range []string{"step", "kimg", "D", "gp", "G", "tigas", "score", "total"} {
			require.Contains(t, tick, key)
		}
	}
	grid := filepath.Join(dir, "grid.png")
	draw := func() []byte {
		code, _, stderr := call("sample", out, "--n", "6", "--seed", "1", "--out", grid, "--threads", "1")
		require.Equal(t, exitOK, code, stderr)
		data, err := os.ReadFile(grid)
		require.NoError(t, err)
		return data
	}
	code, stdout, stderr = call("score", filepath.Join(out, "samples", "reals.png"), "--threads", "1")
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stdout, "(mean of 16)", "a grid is scored picture by picture")
	first := draw()
	require.Equal(t, first, draw(), "the same seed draws the same pictures")
	img, err := png.Decode(bytes.NewReader(first))
	require.NoError(t, err)
	require.Greater(t, img.Bounds().Dx(), 500)

	// A snapshot alone is enough.
	snapshots, err := filepath.Glob(filepath.Join(out, "snapshots", "*.safetensors"))
	require.NoError(t, err)
	alone := filepath.Join(t.TempDir(), "a.safetensors")
	require.NoError(t, os.Rename(snapshots[len(snapshots)-1], alone))
	code, _, stderr = call("sample", alone, "--n", "6", "--seed", "1", "--out", grid, "--threads", "1")
	require.Equal(t, exitOK, code, stderr)
	data, err := os.ReadFile(grid)
	require.NoError(t, err)
	require.Equal(t, first, data)
	require.NoError(t, os.Rename(alone, snapshots[len(snapshots)-1]))

	pictures := filepath.Join(dir, "pictures")
	code, _, stderr = call("sample", out, "--n", "3", "--out", pictures, "--threads", "1")
	require.Equal(t, exitOK, code, stderr)
	code, stdout, stderr = call("score", pictures, "--model", "embedded", "--json", "--threads", "1")
	require.Equal(t, exitOK, code, stderr)
	var res struct {
		Count int
		Mean  float64
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &res))
	require.Equal(t, 3, res.Count)

	f, err := os.Open(filepath.Join(pictures, "seed0-000000.png"))
	require.NoError(t, err)
	defer f.Close()
	one, _, err := image.DecodeConfig(f)
	require.NoError(t, err)
	require.Equal(t, 32, one.Width)
}

func TestVersionDoctorHelp(t *testing.T) {
	code, stdout, _ := call("version")
	require.Equal(t, exitOK, code)
	require.Contains(t, stdout, "libtorch "+torch.Version())
	code, stdout, stderr := call("doctor")
	require.Equal(t, exitOK, code, stderr)
	for _, word := range []string{"libtorch", "CPU", "CUDA", "cuDNN", "threads", "detector", "cache"} {
		require.Contains(t, stdout, word)
	}
	require.Less(t, strings.Count(stdout, "\n"), 24, "one screen")
	code, stdout, _ = call()
	require.Equal(t, exitOK, code)
	require.Contains(t, stdout, "Exit codes")
}

// An operator without a deterministic form is named, with the flag.
func TestDeterministicNamesTheOperator(t *testing.T) {
	defer func() { require.NoError(t, torch.SetDeterministic(false)) }()
	// put_ has none, on the CPU either.
	detector := detectorFile(t, "torch.sigmoid(x.mean([1, 2, 3]).put_(torch.zeros([1]).long(), x.sum().reshape([1]), False))")
	code, _, stderr := call("gan", "--deterministic", "--kimg", "0.01", "--tigas-model", detector, "--out", filepath.Join(t.TempDir(), "a"))
	require.Equal(t, exitUsage, code, stderr)
	require.Contains(t, stderr, "--deterministic: ")
	require.Contains(t, stderr, "the operator put_ has no deterministic form")
}
