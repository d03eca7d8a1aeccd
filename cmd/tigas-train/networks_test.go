package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/safetensors"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// fromPython is a copy of a network of pkg/models/testdata/make_script.py, which the test may lose.
func fromPython(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "pkg", "models", "testdata", "script", name+".pt"))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), name+".pt")
	require.NoError(t, os.WriteFile(path, b, 0o644))
	return path
}

// scriptTensors are the parameters and buffers of a TorchScript file.
func scriptTensors(t *testing.T, path string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	require.NoError(t, torch.Scoped(func(s *torch.Scope) error {
		m, err := jit.Load(s, path, torch.CPU)
		if err != nil {
			return err
		}
		params, err := m.Parameters(s)
		if err != nil {
			return err
		}
		buffers, err := m.Buffers(s)
		for _, n := range append(params, buffers...) {
			out[n.Name] = n.Tensor.Detach().RawBytes()
		}
		return err
	}))
	return out
}

// Networks of Python are trained, and go back as what they were with other weights; a run of them goes on without the files that
// it was given, to the weights of a run without a break.
func TestTrainNetworksFromPython(t *testing.T) {
	for name, c := range map[string]struct {
		flags []string
		nets  map[string]string // flag: network
		more  []string          // of the summary
	}{
		"gan":             {[]string{"gan", "--loss", "bce"}, map[string]string{"generator": "dcgan", "discriminator": "critic"}, []string{"generator generator.pt 1.37k parameters, critic discriminator.pt"}},
		"generator alone": {[]string{"gan", "--loss", "tigas-only"}, map[string]string{"generator": "linear"}, []string{"generator generator.pt 4.61k parameters"}},
		"vae":             {[]string{"vae", "--recon", "bce", "--net-range", "unit", "--resolution", "16"}, map[string]string{"network": "vae"}, []string{"network.pt ", "5 latent dimensions"}},
		"vae of two":      {[]string{"vae", "--net-range", "raw", "--resolution", "16"}, map[string]string{"encoder": "encoder", "decoder": "decoder"}, []string{"encoder.pt and decoder.pt "}},
		"diffusion":       {[]string{"diffusion", "--resolution", "16", "--sample-steps", "2"}, map[string]string{"network": "denoiser"}, []string{"network.pt "}},
	} {
		t.Run(name, func(t *testing.T) {
			line := append([]string{}, c.flags...)
			files := map[string]string{}
			for flag, net := range c.nets {
				path := fromPython(t, net)
				named := filepath.Join(filepath.Dir(path), flag+".pt")
				require.NoError(t, os.Rename(path, named))
				files[flag] = named
				line = append(line, "--"+flag, named)
			}
			run, said := shortRun(t, line...)
			for _, want := range c.more {
				require.Contains(t, said, want)
			}
			given := map[string]map[string][]byte{}
			for flag, path := range files {
				given[flag] = scriptTensors(t, path)
				copied, err := os.ReadFile(filepath.Join(run, "networks", flag+".pt"))
				require.NoError(t, err)
				original, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Equal(t, original, copied)
			}
			whole, _ := shortRun(t, append(line, "--kimg", "0.05")...)
			require.NoError(t, err(call(append(c.flags[:1:1], "--resume", whole, "--kimg", "0.1")...)))

			for flag, path := range files {
				require.NoError(t, os.Remove(path))
				trained := scriptTensors(t, filepath.Join(run, flag+".pt"))
				changed := 0
				require.Len(t, trained, len(given[flag]))
				for n, was := range given[flag] {
					require.Len(t, trained[n], len(was), n)
					if string(trained[n]) != string(was) {
						changed++
					}
				}
				require.NotZero(t, changed, flag)
			}
			require.NoError(t, err(call(append(c.flags[:1:1], "--resume", run, "--kimg", "0.1")...)))
			for flag := range files {
				require.Equal(t, scriptTensors(t, filepath.Join(whole, flag+".pt")), scriptTensors(t, filepath.Join(run, flag+".pt")))
			}
			out := t.TempDir()
			require.NoError(t, err(call("sample", run, "--n", "4", "--out", filepath.Join(out, "grid.png"))))
			for flag := range files {
				role := []string{"--net", flag}
				require.NoError(t, err(call(append([]string{"export", run, "--torchscript", filepath.Join(out, "net.pt"), "--safetensors", filepath.Join(out, "net.safetensors")}, role...)...)))
				require.Equal(t, scriptTensors(t, filepath.Join(run, flag+".pt")), scriptTensors(t, filepath.Join(out, "net.pt")))
				f, e := safetensors.Open(filepath.Join(out, "net.safetensors"))
				require.NoError(t, e)
				require.Equal(t, len(given[flag]), f.Len())
				require.Equal(t, "pt", f.Metadata()["format"])
				f.Close()
			}
			// The copy in the folder is what the weights belong to.
			for flag := range files {
				path := filepath.Join(run, "networks", flag+".pt")
				b, e := os.ReadFile(path)
				require.NoError(t, e)
				b[len(b)/2] ^= 1
				require.NoError(t, os.WriteFile(path, b, 0o644))
				code, _, said := call("sample", run, "--n", "4", "--out", filepath.Join(out, "grid.png"))
				require.Equal(t, exitSnapshot, code)
				require.Contains(t, said, flag+".pt has changed since the run began")
				require.NoError(t, os.Remove(path))
				code, _, said = call("sample", run, "--n", "4", "--out", filepath.Join(out, "grid.png"))
				require.Equal(t, exitSnapshot, code)
				require.Contains(t, said, "of which its folder has a copy")
				break
			}
		})
	}
}

// err is what a call that should succeed said, if it did not.
func err(code int, _, stderr string) error {
	if code == exitOK {
		return nil
	}
	return errors.New(stderr)
}

func TestNetworkFlagsThatDoNotFit(t *testing.T) {
	g, d, v := fromPython(t, "dcgan"), fromPython(t, "critic"), fromPython(t, "vae")
	text := filepath.Join(t.TempDir(), "text.pt")
	require.NoError(t, os.WriteFile(text, []byte("hello"), 0o644))
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"gan", "--generator", "none.pt"}, exitData, "--generator: models: "},
		{[]string{"gan", "--generator", text}, exitData, "got neither a TorchScript archive nor a checkpoint"},
		{[]string{"gan", "--generator", g, "--latent", "7"}, exitData, "dcgan.pt: latents [2 7]: "},
		{[]string{"gan", "--generator", g, "--resolution", "32"}, exitData, "vs images float32 [2 3 32 32]"},
		{[]string{"gan", "--generator", g, "--ngf", "8"}, exitUsage, "--ngf: it is for the program's own network, and --generator names another"},
		{[]string{"gan", "--generator", g}, exitUsage, "--resolution: models: dcgan: got resolution 16"}, // no critic of ours
		{[]string{"gan", "--discriminator", g}, exitData, "dcgan.pt: "},
		{[]string{"gan", "--discriminator", d, "--resolution", "64", "--data", "demo"}, exitOK, ""}, // patches
		{[]string{"gan", "--net-range", "unit"}, exitUsage, "--net-range: it is for networks that --generator, --discriminator name"},
		{[]string{"gan", "--generator", g, "--net-range", "raw"}, exitUsage, `--net-range: got "raw" vs symmetric, unit`},
		{[]string{"vae", "--encoder", v}, exitUsage, "want --network alone, or the other two"},
		{[]string{"vae", "--network", v, "--encoder", v, "--decoder", v}, exitUsage, "want --network alone, or the other two"},
		{[]string{"vae", "--network", v}, exitData, "vae.pt: "}, // for 16 x 16
		{[]string{"vae", "--network", v, "--resolution", "16", "--latent", "6"}, exitUsage, "--latent: got 6, and the network has 5"},
		{[]string{"diffusion", "--network", g}, exitData, "dcgan.pt: "},
		{[]string{"diffusion", "--network", g, "--arch", "small"}, exitUsage, "--arch: it is for the program's own network"},
	} {
		code, _, stderr := call(append(c.args, "--dry-run", "--threads", "1", "--kimg", "0.05")...)
		require.Equal(t, c.code, code, "%v: %s", c.args, stderr)
		require.Contains(t, stderr, c.want)
	}
	run, _ := shortRun(t, "gan", "--generator", g, "--discriminator", d, "--loss", "bce")
	code, _, stderr := call("gan", "--resume", run, "--generator", fromPython(t, "average"), "--kimg", "0.1")
	require.Equal(t, exitSnapshot, code)
	require.Contains(t, stderr, "cannot go on as another network: --generator")
}

// What looks odd about networks is said before they are trained.
func TestAdviceOnNetworks(t *testing.T) {
	_, said := shortRun(t, "gan", "--generator", fromPython(t, "sigmoid"), "--discriminator", fromPython(t, "critic_sigmoid"), "--loss", "bce")
	require.Contains(t, said, "warning: the pictures of sigmoid.pt reach from ")
	require.Contains(t, said, "warning: critic_sigmoid.pt seems to end with a sigmoid")
	_, said = shortRun(t, "gan", "--generator", fromPython(t, "dcgan"), "--discriminator", fromPython(t, "critic"))
	require.Contains(t, said, "warning: critic.pt has a batch norm")
	require.NotContains(t, said, "reach from")
}

func TestExport(t *testing.T) {
	run, _ := shortRun(t, "gan", "--ngf", "4", "--ndf", "4", "--latent", "8")
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	code, stdout, stderr := call("export", run, "--torchscript", file("g.pt"), "--safetensors", file("g.safetensors"))
	require.Equal(t, exitOK, code, stderr)
	require.Equal(t, file("g.pt")+"\n"+file("g.safetensors")+"\n", stdout)
	require.Contains(t, stderr, "forward(latents [N, 8]) gives pictures in [-1, 1]")
	f, e := safetensors.Open(file("g.safetensors"))
	require.NoError(t, e)
	defer f.Close()
	tensors := scriptTensors(t, file("g.pt"))
	require.Len(t, tensors, f.Len())
	for name, want := range tensors {
		got, e := f.Bytes(name)
		require.NoError(t, e)
		require.Equal(t, want, got, name)
	}
	archive, e := os.Open(file("g.pt"))
	require.NoError(t, e)
	defer archive.Close()
	info, e := archive.Stat()
	require.NoError(t, e)
	about, ok := jit.ReadFile(archive, info.Size(), "tigas-train.json")
	require.True(t, ok)
	var parsed struct {
		Network, Command string
		Averaged         bool
		Options          struct{ Latent int }
	}
	require.NoError(t, json.Unmarshal([]byte(about), &parsed))
	require.Equal(t, "generator gan true 8", strings.Join([]string{parsed.Network, parsed.Command, map[bool]string{true: "true"}[parsed.Averaged], "8"}, " "))
	require.Equal(t, 8, parsed.Options.Latent)
	require.NoError(t, err(call("export", run, "--raw", "--torchscript", file("raw.pt"))))
	require.NotEqual(t, tensors, scriptTensors(t, file("raw.pt")))
	// It is a network of another run.
	again, said := shortRun(t, "gan", "--generator", file("g.pt"))
	require.Contains(t, said, "generator g.pt ")
	require.FileExists(t, filepath.Join(again, "generator.pt"))

	snapshot, e := findSnapshot(run)
	require.NoError(t, e)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{run}, exitUsage, "got neither --torchscript nor --safetensors"},
		{[]string{run, "--torchscript", file("g.png")}, exitUsage, `--torchscript: got`},
		{[]string{run, "--torchscript", ""}, exitUsage, `--torchscript: got an empty name`},
		{[]string{run, "--safetensors", file("g.pt")}, exitUsage, "vs a .safetensors file"},
		{[]string{snapshot, "--safetensors", snapshot}, exitUsage, "is one of the files to read"},
		{[]string{run, "--torchscript", file("x.pt"), "--net", "encoder"}, exitUsage, `--net: got "encoder" vs one of generator, discriminator, for this run of gan`},
		{[]string{dir, "--torchscript", file("x.pt")}, exitSnapshot, ""},
		{[]string{run, "--torchscript", filepath.Join(run, "log.jsonl", "x.pt")}, exitOutput, "log.jsonl"},
	} {
		code, stdout, stderr := call(append([]string{"export"}, c.args...)...)
		require.Equal(t, c.code, code, "%v: %s", c.args, stderr)
		require.Contains(t, stderr, c.want)
		require.Empty(t, stdout)
	}
	require.NoFileExists(t, file("x.pt"))
	vae, _ := shortRun(t, "vae", "--width", "4")
	code, _, stderr = call("export", vae, "--torchscript", file("x.pt"), "--net", "decoder")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, `--net: got "decoder" vs one of network, for this run of vae`)
}

// What comes back is a module that Python trains further.
func TestTrainedNetworksInPython(t *testing.T) {
	const python = "/usr/bin/python3"
	if exec.Command(python, "-c", "import torch").Run() != nil {
		t.Skip("no python3 with torch")
	}
	run, _ := shortRun(t, "gan", "--generator", fromPython(t, "dcgan"), "--discriminator", fromPython(t, "critic"), "--loss", "bce")
	cmd := exec.Command(python, "-c", `
import sys, torch
g, d = torch.jit.load(sys.argv[1]), torch.jit.load(sys.argv[2])
assert not g.training and [k for k, _ in g.named_parameters()] == ["0.weight", "1.weight", "1.bias", "3.weight", "4.weight", "4.bias", "6.weight"], g.state_dict().keys()
assert g.state_dict()["1.num_batches_tracked"] > 0
g.train()
loss = d(g(torch.randn(4, 5, 1, 1))).mean()
loss.backward()
assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in list(g.parameters()) + [next(d.parameters())])
before = g.state_dict()["1.running_mean"].clone()
g(torch.randn(4, 5, 1, 1))
assert not torch.equal(before, g.state_dict()["1.running_mean"])
`, filepath.Join(run, "generator.pt"), filepath.Join(run, "discriminator.pt"))
	out, e := cmd.CombinedOutput()
	require.NoError(t, e, string(out))
}

// A run goes on with its own copy, whatever stands now where the file was, however it was named, and under another folder.
func TestResumeWithNetworksThatMoved(t *testing.T) {
	here := map[string]string{"dcgan": fromPython(t, "dcgan"), "average": fromPython(t, "average")}
	t.Chdir(t.TempDir())
	copyOf := func(name, to string) {
		b, e := os.ReadFile(here[name])
		require.NoError(t, e)
		require.NoError(t, os.WriteFile(to, b, 0o644))
	}
	copyOf("dcgan", "g.pt")
	line := []string{"gan", "--generator", "g.pt", "--loss", "tigas-only", "--batch", "8", "--grid", "2", "--threads", "1", "--seed", "1"}
	require.NoError(t, err(call(append(line, "--kimg", "0.05", "--out", "a")...)))
	before := scriptTensors(t, "a/generator.pt")
	copyOf("average", "g.pt") // another network under the old name
	require.NoError(t, os.Rename("a", "b"))
	require.NoError(t, err(call(append(line, "--kimg", "0.1", "--resume", "b")...)))
	require.NotEqual(t, before, scriptTensors(t, "b/generator.pt"))
	require.NoError(t, os.Remove("g.pt"))
	require.NoError(t, err(call("gan", "--resume", "b", "--kimg", "0.15")))
	require.NoError(t, err(call("sample", "b", "--n", "4", "--out", "grid.png")))
	code, _, said := call("gan", "--resume", "b", "--kimg", "0.2", "--generator", "other.pt")
	require.Equal(t, exitSnapshot, code)
	require.Contains(t, said, "cannot go on as another network: --generator")

	// What is written at the end is made again where it is missing, and only there; while the run goes on it is not there.
	require.NoError(t, os.Remove("b/generator.pt"))
	require.NoError(t, err(call("gan", "--resume", "b")))
	require.FileExists(t, "b/generator.pt")
	code, _, _ = call("gan", "--resume", "b", "--kimg", "50", "--max-time", "1s")
	require.Equal(t, exitInterrupt, code)
	require.NoFileExists(t, "b/generator.pt")
	code, _, said = call("export", "b", "--torchscript", "b/networks/generator.pt")
	require.Equal(t, exitUsage, code)
	require.Contains(t, said, "is one of the files to read")

	// A configuration that does not know of the copy.
	text, e := os.ReadFile("b/config.json")
	require.NoError(t, e)
	var c map[string]any
	require.NoError(t, json.Unmarshal(text, &c))
	delete(c, "networks")
	text, e = json.Marshal(c)
	require.NoError(t, e)
	require.NoError(t, os.WriteFile("b/config.json", text, 0o644))
	code, _, said = call("gan", "--resume", "b", "--kimg", "0.2")
	require.Equal(t, exitSnapshot, code)
	require.Contains(t, said, "its configuration does not say where its generator is")
}

func TestFlagsOfOwnNetworksByOtherWays(t *testing.T) {
	g := fromPython(t, "dcgan")
	t.Setenv("TIGAS_TRAIN_NGF", "8")
	code, _, said := call("gan", "--generator", g, "--loss", "tigas-only", "--dry-run")
	require.Equal(t, exitUsage, code)
	require.Contains(t, said, "--ngf: it is for the program's own network")
	t.Setenv("TIGAS_TRAIN_NGF", "")
	t.Setenv("TIGAS_TRAIN_NET_RANGE", "unit") // does no harm where there are no such networks
	require.NoError(t, err(call("gan", "--dry-run", "--threads", "1")))
	v := fromPython(t, "vae")
	code, _, said = call("vae", "--encoder", v, "--decoder", v, "--resolution", "16", "--dry-run")
	require.Equal(t, exitUsage, code)
	require.Contains(t, said, "got the same network twice: one that is both goes to --network")
	code, _, said = call("vae", "--network", v, "--resolution", "16", "--dry-run", "--net-range", "symmetric", "--threads", "1")
	require.Equal(t, exitOK, code, said)
	require.Contains(t, said, "warning: the pictures of vae.pt reach from ")
}
