package tigas

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave/savetest"
)

// checkpoint writes a trainer's file of a small network with random weights, and returns its path and the network.
func checkpoint(t *testing.T, s *torch.Scope, m network.Mode) (string, *jit.Module) {
	t.Helper()
	g, err := s.NewGenerator(torch.CPU, 5)
	require.NoError(t, err)
	net, err := network.New(s, g, network.Arch{Mode: m, Base: 8, Feature: 16, Blocks: []int{2, 3, 4, 3}}, torch.CPU)
	require.NoError(t, err)
	var l []savetest.Tensor
	for _, n := range append(net.Params, net.Buffers...) {
		l = append(l, savetest.Tensor{Name: n.Name, DType: n.Tensor.DType().String(), Shape: n.Tensor.Shape(), Data: n.Tensor.RawBytes()})
	}
	path := filepath.Join(t.TempDir(), "best_model.pt")
	require.NoError(t, savetest.WriteFile(path, savetest.Trainer(l, savetest.TrainerOptions{Epoch: 3})))
	out, err := net.Export(s)
	require.NoError(t, err)
	return path, out
}

func TestOpenCheckpoint(t *testing.T) {
	for _, mode := range []network.Mode{network.FastMode, network.FullMode} {
		t.Run(string(mode), func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			path, net := checkpoint(t, s, mode)
			kept := filepath.Join(t.TempDir(), "torchscript")
			x := s.Rand(nil, []int64{2, 3, 20, 12})
			want := net.ForwardTensor(x).Float32s()
			var first string
			for try := range 3 {
				d, err := Open(s, path, OpenOptions{Height: 16, Logit: true, Converted: kept})
				require.NoError(t, err)
				require.InDeltaSlice(t, want, d.Score(x).Float32s(), 1e-6) // batch norms are folded: float32
				require.Equal(t, 256, d.ImageSize)
				require.Equal(t, mode, d.Card.Mode)
				require.Equal(t, int64(3), *d.Card.Source.Epoch)
				require.True(t, d.HasLogit())
				require.Len(t, d.SHA256, 64)
				require.FileExists(t, d.Converted)
				files, err := os.ReadDir(kept)
				require.NoError(t, err)
				require.Len(t, files, 1)
				if try == 0 {
					first = d.SHA256
				}
				require.Equal(t, first, d.SHA256)
				if try == 1 { // a damaged one is made anew
					require.NoError(t, os.WriteFile(d.Converted, []byte("PK\x03\x04 and nothing"), 0o644))
				}
			}
			loaded, err := jit.Load(s, filepath.Join(kept, entries(t, kept)[0]), torch.CPU)
			require.NoError(t, err)
			require.Equal(t, want, loaded.ForwardTensor(x).Float32s())
		})
	}
}

func entries(t *testing.T, dir string) (names []string) {
	l, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range l {
		names = append(names, e.Name())
	}
	return names
}

// A folder that cannot be written is no reason to fail.
func TestOpenCheckpointWithoutCache(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	path, _ := checkpoint(t, s, network.FastMode)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	for _, dir := range []string{"", filepath.Join(file, "below")} {
		d, err := Open(s, path, OpenOptions{Converted: dir})
		require.NoError(t, err)
		require.Empty(t, d.Converted)
	}
}

// The loss of a checkpoint with a dict, as `detector convert --logits` writes it, and its logit form.
func TestLossOfDict(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	d := open(t, s, script(t, `
def logit(self, x: Tensor) -> Tensor:
    return self.a * x.mean([1, 2, 3]) + self.b

def forward(self, x: Tensor) -> Dict[str, Tensor]:
    return {"score": torch.sigmoid(self.logit(x)), "logits": x.mean([2, 3])}
`))
	require.Equal(t, "dict", d.Output)
	require.False(t, d.HasLogit())
	d, err := Open(s, script(t, `
def logit(self, x: Tensor) -> Tensor:
    return self.a * x.mean([1, 2, 3]) + self.b

def forward(self, x: Tensor) -> Dict[str, Tensor]:
    return {"score": torch.sigmoid(self.logit(x)), "logits": x.mean([2, 3])}
`), OpenOptions{Logit: true})
	require.NoError(t, err)
	require.True(t, d.HasLogit())
	x := s.Full([]int64{1, 3, 4, 4}, 0.5)
	loss, _ := d.Loss(x, LossOptions{Form: Logit})
	require.InDelta(t, math.Log1p(math.Exp(-(1.7*0.5 - 0.4))), loss.Float64(), 1e-6) // float32
}
