package tigas

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"syscall"
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

// What is kept is a convenience: something else under its name, that loads and cannot be a loss, is made anew.
func TestKeptDetectorThatFails(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	path, net := checkpoint(t, s, network.FullMode)
	kept := t.TempDir()
	d, err := Open(s, path, OpenOptions{Height: 16, Converted: kept})
	require.NoError(t, err)
	useless, err := os.ReadFile(script(t, "\ndef forward(self, x: Tensor) -> Tensor:\n    return x.mean([1, 2, 3]) + 5. * self.a\n"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(d.Converted, useless, 0o644))
	d, err = Open(s, path, OpenOptions{Height: 16, Converted: kept})
	require.NoError(t, err)
	x := s.Rand(nil, []int64{1, 3, 16, 16})
	require.InDeltaSlice(t, net.ForwardTensor(x).Float32s(), d.Score(x).Float32s(), 1e-6)
}

// faulty fails where nobody but the hash reads: in the optimizer's state.
type faulty struct {
	io.ReaderAt
	at int64
}

func (f faulty) ReadAt(p []byte, off int64) (int, error) {
	if off <= f.at && f.at < off+int64(len(p)) {
		return 0, errors.New("input/output error")
	}
	return f.ReaderAt.ReadAt(p, off)
}

// A file that cannot be read whole has no hash, and nothing may be kept under a wrong one.
func TestReadErrorWhileHashing(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	path, _ := checkpoint(t, s, network.FastMode)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	kept := t.TempDir()
	_, err = openReader(s, faulty{bytes.NewReader(data), int64(len(data)) * 2 / 3}, int64(len(data)), path, OpenOptions{Converted: kept})
	require.ErrorContains(t, err, "input/output error")
	require.Empty(t, entries(t, kept))
}

func TestOpenPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o644))
	s := torch.NewScope()
	defer s.Close()
	_, err := Open(s, pipe, OpenOptions{})
	require.ErrorContains(t, err, "not a regular file")
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

// An operator without a deterministic form, here deep in TorchScript, is named, and what kind of error it is can be asked.
func TestNondeterministicDetectorIsRefused(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	path := script(t, `
def forward(self, x: Tensor) -> Tensor:
    y = torch.put(x, torch.zeros([1]).long(), torch.ones([1]), False)
    return torch.sigmoid(y.mean([1, 2, 3]))
`)
	open(t, s, path)
	require.NoError(t, torch.SetDeterministic(true))
	defer func() { require.NoError(t, torch.SetDeterministic(false)) }()
	_, err := Open(s, path, OpenOptions{Height: 16})
	require.ErrorIs(t, err, torch.ErrNondeterministic)
	require.EqualError(t, err, "tigas: detector "+path+": cannot take images [N 3 16 16]: the operator put_ has no deterministic form")
}

// Bytes and other whole numbers are refused, and a picture without a batch, by a line that says what to do.
func TestImagesThatAreNone(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	det, err := Embedded(s, OpenOptions{})
	require.NoError(t, err)
	for _, x := range []*torch.Tensor{s.Zeros([]int64{2, 3, 32, 32}, torch.Options{DType: torch.Uint8}), s.Zeros([]int64{2, 3, 32, 32}, torch.Options{DType: torch.Int64})} {
		require.ErrorContains(t, torch.Try(func() { det.Score(x) }), "tigas.Score: got images of type "+x.DType().String()+" vs floats: bytes are brought into [0, 1]")
		require.ErrorContains(t, torch.Try(func() { det.Loss(x, LossOptions{}) }), "tigas.Loss: got images of type ")
	}
	require.ErrorContains(t, torch.Try(func() { det.Loss(s.Zeros([]int64{3, 32, 32}), LossOptions{}) }), "tigas.Loss: got images [3 32 32] vs [N 3 H W]")
}

// A device that is not there is said in a line.
func TestOpenOnAbsentDevice(t *testing.T) {
	if torch.CUDA(0).Check() == nil {
		t.Skip("there is CUDA")
	}
	s := torch.NewScope()
	defer s.Close()
	_, err := Embedded(s, OpenOptions{Device: torch.CUDA(0)})
	require.ErrorContains(t, err, "embedded: ")
	require.Less(t, len(err.Error()), 400)
	require.NotContains(t, err.Error(), "\n")
}
