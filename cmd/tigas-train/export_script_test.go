package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave/savetest"
)

// scripts/export_torchscript.py and `detector convert` make the same of a checkpoint; where there is a Python with torch.
func TestExportScript(t *testing.T) {
	const python, script = "/usr/bin/python3", "../../scripts/export_torchscript.py"
	if exec.Command(python, "-c", "import torch").Run() != nil {
		t.Skip("skipped: no Python with torch")
	}
	export := func(args ...string) (string, error) {
		cmd := exec.Command(python, append([]string{script}, args...)...)
		cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1")
		text, err := cmd.CombinedOutput()
		return string(text), err
	}
	for _, mode := range []network.Mode{network.FastMode, network.FullMode} {
		dir := t.TempDir()
		in, theirs, ours := filepath.Join(dir, "best.pt"), filepath.Join(dir, "theirs.pt"), filepath.Join(dir, "ours.pt")
		data := checkpointBytes(t, network.Arch{Mode: mode, Base: 8, Feature: 24, Blocks: []int{2, 3, 4, 3}}, savetest.TrainerOptions{})
		require.NoError(t, os.WriteFile(in, data, 0o644))
		text, err := export(in, theirs, "--trust")
		require.NoError(t, err, text)
		code, _, stderr := call("detector", "convert", in, "-o", ours, "-q")
		require.Equal(t, exitOK, code, stderr)

		s := torch.NewScope()
		defer s.Close()
		x := s.Rand(nil, []int64{2, 3, 20, 28})
		var scores [2][]float32
		for i, path := range []string{theirs, ours} {
			m, err := jit.Load(s, path, torch.CPU)
			require.NoError(t, err)
			scores[i] = m.ForwardTensor(x).Float32s()
		}
		require.InDeltaSlice(t, scores[0], scores[1], 1e-6) // the same operators, float32
	}
	// A network of somebody else's, whose second class is real.
	dir := t.TempDir()
	net, out := filepath.Join(dir, "net.py"), filepath.Join(dir, "net.pt")
	require.NoError(t, os.WriteFile(net, []byte(`
import torch.nn as nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.out = nn.Conv2d(3, 4, 3, 2), nn.Linear(4, 2)

    def forward(self, x):
        return self.out(self.conv(x).relu().mean([2, 3]))
`), 0o644))
	text, err := export("-", out, "--module", net+":Net", "--column", "1", "--mean", ".5", ".5", ".5", "--std", ".2", ".2", ".2", "--resize", "32")
	require.NoError(t, err, text)
	code, _, stderr := call("detector", "info", out)
	require.Equal(t, exitOK, code, stderr)
	text, err = export("-", out)
	require.Error(t, err)
	require.Contains(t, text, "--module")
	require.NotContains(t, text, "Traceback")
}
