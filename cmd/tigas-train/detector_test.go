package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave/savetest"
)

// checkpointBytes is a trainer's file of a network with random weights.
func checkpointBytes(t *testing.T, a network.Arch, o savetest.TrainerOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, torch.Scoped(func(s *torch.Scope) error {
		g, err := s.NewGenerator(torch.CPU, 3)
		if err != nil {
			return err
		}
		net, err := network.New(s, g, a, torch.CPU)
		if err != nil {
			return err
		}
		var l []savetest.Tensor
		for _, n := range append(net.Params, net.Buffers...) {
			l = append(l, savetest.Tensor{Name: n.Name, DType: n.Tensor.DType().String(), Shape: n.Tensor.Shape(), Data: n.Tensor.RawBytes()})
		}
		return savetest.Write(&b, savetest.Trainer(l, o))
	}))
	return b.Bytes()
}

// smallCheckpoint writes best_model.pt of a small full-mode network.
func smallCheckpoint(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "best_model.pt")
	data := checkpointBytes(t, network.Arch{Mode: network.FullMode, Base: 8, Feature: 16, Blocks: []int{2, 3, 4, 3}}, savetest.TrainerOptions{Epoch: 2})
	require.NoError(t, os.WriteFile(path, data, 0o644))
	return path
}

func TestDetectorConvert(t *testing.T) {
	t.Setenv("TIGAS_CACHE_DIR", t.TempDir())
	in := smallCheckpoint(t)
	for _, logits := range []bool{false, true} {
		out := filepath.Join(t.TempDir(), "new folder", "tigas.pt")
		args := []string{"detector", "convert", in, "-o", out}
		if logits {
			args = append(args, "--logits")
		}
		code, stdout, stderr := call(args...)
		require.Equal(t, exitOK, code, stderr)
		require.Equal(t, out+"\n", stdout)
		require.Contains(t, stderr, "full mode")
		require.Contains(t, stderr, "optimizer_state_dict")

		code, stdout, stderr = call("detector", "info", out, "--json")
		require.Equal(t, exitOK, code, stderr)
		var info detectorInfo
		require.NoError(t, json.Unmarshal([]byte(stdout), &info))
		require.Equal(t, "TorchScript", info.Kind)
		require.Equal(t, network.FullMode, info.Card.Mode)
		require.Equal(t, hashFile(in), info.Card.Source.SHA256)
		require.Equal(t, hashFile(out), info.SHA256)
		require.Equal(t, "passed", info.SelfTest)
		require.Equal(t, info.Card.Parameters, info.Parameters)
		require.Equal(t, map[bool]string{false: "tensor", true: "dict"}[logits], info.Returns)
		require.True(t, info.Logit)
	}
	code, stdout, stderr := call("detector", "info", in)
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stdout, "checkpoint of")
	require.Contains(t, stdout, "layout reduced")
	code, stdout, stderr = call("detector", "info", "embedded")
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stdout, "files are scaled to 32 x 32")
}

// A checkpoint and what was made of it score alike, and a run takes either; the conversion is kept.
func TestCheckpointAsDetector(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("TIGAS_CACHE_DIR", cache)
	in := smallCheckpoint(t)
	out := filepath.Join(t.TempDir(), "tigas.pt")
	code, _, stderr := call("detector", "convert", in, "-o", out, "-q")
	require.Equal(t, exitOK, code, stderr)
	require.Empty(t, stderr)
	pictures := greys(t, map[string]uint8{"a.png": 51, "b.png": 200})
	var scores [2]string
	for i, model := range []string{in, out} {
		code, stdout, stderr := call("score", pictures, "--model", model, "--size", "32", "--threads", "1")
		require.Equal(t, exitOK, code, stderr)
		scores[i] = stdout
	}
	require.Equal(t, scores[0], scores[1])
	kept, err := filepath.Glob(filepath.Join(cache, "torchscript", "*.pt"))
	require.NoError(t, err)
	require.Len(t, kept, 1)

	run := filepath.Join(t.TempDir(), "run")
	code, _, stderr = call("gan", "--tigas-weight", "0.1", "--tigas-model", in, "--tigas-form", "logit", "--tigas-warmup", "0", "--kimg", "0.3",
		"--ngf", "4", "--ndf", "4", "--grid", "2", "--threads", "1", "--out", run)
	require.Equal(t, exitOK, code, stderr)
	// The samples of that run are scored with its detector.
	code, stdout, stderr := call("score", filepath.Join(run, "samples", "reals.png"), "--threads", "1", "--size", "32", "--json")
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stdout, hashFile(in))
}

func TestDetectorBadInput(t *testing.T) {
	t.Setenv("TIGAS_CACHE_DIR", t.TempDir())
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, content, 0o644))
		return path
	}
	other := bytes.Buffer{}
	require.NoError(t, savetest.Write(&other, savetest.StateDict([]savetest.Tensor{{Name: "conv1.weight", Shape: []int64{64, 3, 7, 7}}})))
	whole, err := os.ReadFile(smallCheckpoint(t))
	require.NoError(t, err)
	checkpoint := write("best.pt", whole)
	torchscript := detectorFile(t, "torch.sigmoid(x.mean([1, 2, 3]) * self.a)")
	out := filepath.Join(dir, "out.pt")
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"nothing", []string{"convert"}, exitUsage, "takes one argument"},
		{"missing", []string{"convert", dir + "/none.pt"}, exitData, "no such file"},
		{"folder", []string{"convert", dir}, exitData, "not a regular file"},
		{"text", []string{"convert", write("a.txt", []byte("hello"))}, exitData, "neither a TorchScript archive nor a checkpoint"},
		{"web page", []string{"convert", write("a.html", []byte("<!DOCTYPE html><html>"))}, exitData, "a web page"},
		{"LFS pointer", []string{"convert", write("lfs.pt", []byte("version https://git-lfs.github.com/spec/v1\n"))}, exitData, "Git LFS"},
		{"empty", []string{"convert", write("empty.pt", nil)}, exitData, "empty file"},
		{"truncated", []string{"convert", write("half.pt", whole[:len(whole)/2])}, exitData, "truncated"},
		{"another network", []string{"convert", write("resnet.pt", other.Bytes())}, exitData, "not the weights of a TIGAS detector"},
		{"TorchScript", []string{"convert", torchscript}, exitData, "it can be used as a detector as it is"},
		{"onto itself", []string{"convert", checkpoint, "-o", checkpoint}, exitUsage, "the checkpoint itself"},
		{"out below a file", []string{"convert", checkpoint, "-o", checkpoint + "/x.pt"}, exitOutput, "not a directory"},
		{"info of text", []string{"info", write("b.txt", []byte("hello"))}, exitData, "neither a TorchScript"},
		{"info of logits", []string{"info", detectorFile(t, "x.mean([1, 2, 3]) * 9. - 100. * self.a")}, exitData, "outside [0, 1]"},
		{"info size", []string{"info", "embedded", "--size", "0"}, exitUsage, "--size"},
		{"check without folders", []string{"check", "embedded"}, exitUsage, "--real and --fake"},
		{"check of nothing", []string{"check", "embedded", "--real", dir + "/none", "--fake", "demo"}, exitData, "not found"},
		{"check min", []string{"check", "embedded", "--real", "demo", "--fake", "demo", "--min-auc", "nan"}, exitUsage, "--min-auc"},
		{"check roc", []string{"check", "embedded", "--real", "demo", "--fake", "demo", "--roc", "x.svg"}, exitUsage, ".png"},
		{"unknown", []string{"chekc"}, exitUsage, "unknown command"},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"detector"}, test.args...)
			if test.args[0] == "convert" && len(test.args) == 2 {
				args = append(args, "-o", out)
			}
			code, _, stderr := call(args...)
			require.Equal(t, test.code, code, stderr)
			require.Contains(t, stderr, test.want)
			lines := strings.Count(stderr, "tigas-train: ")
			require.LessOrEqual(t, lines, 2, "an error and perhaps a hint: %s", stderr)
			require.NoFileExists(t, out)
		})
	}
}

// fakeHub serves one file as the hub does.
func fakeHub(t *testing.T, file []byte) (requests *int) {
	t.Helper()
	n := 0
	sum := sha256.Sum256(file)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		if r.URL.Path != "/H1merka/TIGAS/resolve/main/best_model.pt" {
			w.Header().Set("X-Error-Code", "RevisionNotFound")
			http.Error(w, "", http.StatusNotFound)
			return
		}
		w.Header().Set("X-Repo-Commit", "0123456789abcdef0123456789abcdef01234567")
		w.Header().Set("X-Linked-Etag", `"`+hex.EncodeToString(sum[:])+`"`)
		w.Header().Set("X-Linked-Size", fmt.Sprint(len(file)))
		_, _ = w.Write(file)
	}))
	t.Cleanup(server.Close)
	t.Setenv("HF_ENDPOINT", server.URL)
	return &n
}

func TestDetectorFetch(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "cache")
	t.Setenv("TIGAS_CACHE_DIR", cache)
	t.Setenv("HF_HOME", t.TempDir())
	in := smallCheckpoint(t)
	file, err := os.ReadFile(in)
	require.NoError(t, err)
	requests := fakeHub(t, file)

	code, stdout, stderr := call("detector", "cache")
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stdout, "empty")
	code, stdout, stderr = call("detector", "fetch")
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stderr, "checksum verified")
	path := strings.TrimSpace(stdout)
	require.Equal(t, hashFile(in), hashFile(path))
	asked := *requests

	t.Setenv("HF_HUB_OFFLINE", "1")
	code, stdout, stderr = call("detector", "fetch", "-q")
	require.Equal(t, exitOK, code, stderr)
	require.Equal(t, path+"\n", stdout)
	require.Empty(t, stderr)
	// For one's own pictures that is the detector, and nobody has to name it.
	code, stdout, stderr = call("score", greys(t, map[string]uint8{"a.png": 51}), "--size", "32", "--threads", "1", "--json")
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stdout, hashFile(in))
	code, stdout, stderr = call("detector", "info", "hub")
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stdout, "mode           full")
	require.Equal(t, asked, *requests, "offline")

	code, _, stderr = call("detector", "fetch", "--revision", "v9")
	require.Equal(t, exitData, code)
	require.Contains(t, stderr, "HF_HUB_OFFLINE")
	t.Setenv("HF_HUB_OFFLINE", "")
	code, _, stderr = call("detector", "fetch", "--revision", "v9")
	require.Equal(t, exitData, code)
	require.Contains(t, stderr, "v9")
	code, _, stderr = call("detector", "fetch", "--force", "-q")
	require.Equal(t, exitOK, code, stderr)
	require.Greater(t, *requests, asked)

	code, stdout, stderr = call("detector", "cache")
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stdout, "best_model.pt")
	code, stdout, stderr = call("detector", "cache", "--clear")
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stdout, "freed")
	require.NoFileExists(t, path)
}

// Where there is neither cache nor network, the ways out are named.
func TestNoDetectorForOwnData(t *testing.T) {
	t.Setenv("TIGAS_CACHE_DIR", t.TempDir())
	t.Setenv("HF_HOME", t.TempDir())
	t.Setenv("HF_HUB_OFFLINE", "1")
	pictures := greys(t, map[string]uint8{"a.png": 51})
	for _, args := range [][]string{
		{"score", pictures},
		{"gan", "--data", pictures, "--tigas-weight", "0.1", "--out", filepath.Join(t.TempDir(), "run")},
	} {
		code, _, stderr := call(args...)
		require.Equal(t, exitData, code, stderr)
		require.Contains(t, stderr, "--model FILE")
		require.Contains(t, stderr, "HF_HUB_OFFLINE")
	}
}

func TestHubVariables(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HF_HOME", home)
	t.Setenv("TIGAS_CACHE_DIR", "/somewhere")
	for _, v := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE"} {
		t.Setenv(v, "")
	}
	require.NoError(t, os.WriteFile(filepath.Join(home, "token"), []byte("hf_file\n"), 0o600))
	c, err := newHub()
	require.NoError(t, err)
	require.Equal(t, "hf_file", c.Token)
	require.Equal(t, "/somewhere", c.Cache)
	require.Equal(t, filepath.Join(home, "hub"), c.HFCache)
	require.False(t, c.Offline)

	t.Setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "yes")
	t.Setenv("HF_HUB_CACHE", "/elsewhere")
	t.Setenv("HF_HUB_OFFLINE", "true")
	c, err = newHub()
	require.NoError(t, err)
	require.Empty(t, c.Token)
	require.Equal(t, "/elsewhere", c.HFCache)
	require.True(t, c.Offline)
	t.Setenv("HF_TOKEN", " hf_variable ")
	c, err = newHub()
	require.NoError(t, err)
	require.Equal(t, "hf_variable", c.Token)

	t.Setenv("HF_HUB_DOWNLOAD_TIMEOUT", "soon")
	_, err = newHub()
	require.ErrorContains(t, err, "HF_HUB_DOWNLOAD_TIMEOUT")
}
