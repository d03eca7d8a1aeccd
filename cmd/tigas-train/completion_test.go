package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// completed asks as the scripts of the shells do: the words, and what to do with them by cobra's numbers.
func completed(t *testing.T, line ...string) (words []string, directive string) {
	t.Helper()
	code, stdout, stderr := call(append([]string{"__completeNoDesc"}, line...)...)
	require.Equal(t, exitOK, code, stderr)
	l := strings.Split(strings.TrimSpace(stdout), "\n")
	return l[:len(l)-1], l[len(l)-1]
}

func TestCompletion(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("TIGAS_TRAIN_BATHC", "3") // of which completion says nothing
	for _, file := range []string{"runs/00000-gan-demo/config.json", "runs/notes/text", "detector.pt", "run.yaml", "other/config.json",
		"runs/00000-gan-demo/snapshots/a.safetensors"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, nil, 0o644))
	}
	const none, noFiles, extensions, folders = ":0", ":4", ":8", ":16" // 6: no space either
	for _, c := range []struct {
		line      []string
		words     []string
		directive string
	}{
		{[]string{"gan", "--loss", ""}, []string{"wgan-gp", "wgan-clip", "nonsaturating", "hinge", "bce", "tigas-only"}, noFiles},
		{[]string{"gan", "--arch", ""}, []string{"dcgan", "resnet"}, noFiles},
		{[]string{"diffusion", "--arch", "de"}, []string{"demo"}, noFiles},
		{[]string{"diffusion", "--schedule", ""}, []string{"cosine", "linear", "sigmoid"}, noFiles},
		{[]string{"stylegan", "--cfg", "paper2"}, []string{"paper256"}, noFiles},
		{[]string{"gan", "--device", ""}, []string{"cpu", "cuda"}, noFiles},
		{[]string{"gan", "--tigas-model", ""}, []string{"embedded", "hub", "detector.pt", "other/", "runs/"}, ":6"},
		{[]string{"gan", "--tigas-model", "d"}, []string{"detector.pt"}, noFiles},
		{[]string{"gan", "--resume", ""}, []string{"runs/00000-gan-demo", "auto", "latest", "other/", "runs/"}, ":6"},
		{[]string{"gan", "--resume", "runs/"}, []string{"runs/00000-gan-demo", "runs/notes/"}, ":6"},
		{[]string{"gan", "--config", ""}, []string{"yaml", "yml", "json"}, extensions},
		{[]string{"gan", "--out", ""}, []string{}, folders},
		{[]string{"gan", "--kimg", ""}, []string{}, noFiles},
		{[]string{"gan", "--tigas-we"}, []string{"--tigas-weight"}, noFiles},
		{[]string{"gan", ""}, []string{}, noFiles},
		{[]string{"sample", "runs/0"}, []string{"runs/00000-gan-demo"}, noFiles},
		{[]string{"sample", "runs/00000-gan-demo", ""}, []string{}, noFiles},
		{[]string{"export", ""}, []string{"runs/00000-gan-demo", "other/", "runs/"}, ":6"},
		{[]string{"export", "runs/00000-gan-demo/snapshots/"}, []string{"runs/00000-gan-demo/snapshots/a.safetensors"}, noFiles},
		{[]string{"export", "runs/00000-gan-demo", ""}, []string{}, noFiles},
		{[]string{"export", "--net", ""}, []string{"generator", "discriminator", "decoder", "encoder", "network"}, noFiles},
		{[]string{"export", "--net", "de"}, []string{"decoder"}, noFiles},
		{[]string{"export", "--torchscript", ""}, []string{"pt"}, extensions},
		{[]string{"export", "--safetensors", ""}, []string{"safetensors"}, extensions},
		{[]string{"gan", "--generator", ""}, []string{"pt"}, extensions},
		{[]string{"gan", "--discriminator", ""}, []string{"pt"}, extensions},
		{[]string{"vae", "--encoder", ""}, []string{"pt"}, extensions},
		{[]string{"vae", "--decoder", ""}, []string{"pt"}, extensions},
		{[]string{"diffusion", "--network", ""}, []string{"pt"}, extensions},
		{[]string{"report", "runs/00000-gan-demo", "o"}, []string{"other/"}, ":6"},
		{[]string{"config", "show", "v"}, []string{"vae"}, noFiles},
		{[]string{"config", "show", "gan", "--lo"}, []string{"--log-format", "--loss"}, noFiles},
		{[]string{"config", "init", "d"}, []string{"diffusion"}, noFiles},
		{[]string{"score", ""}, []string{}, none},
		{[]string{"de"}, []string{"detector"}, noFiles},
	} {
		words, directive := completed(t, c.line...)
		require.Equal(t, c.words, words, "%q", c.line)
		require.Equal(t, c.directive, directive, "%q", c.line)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		code, stdout, stderr := call("completion", shell)
		require.Equal(t, exitOK, code, stderr)
		require.Contains(t, stdout, "__complete")
	}
}
