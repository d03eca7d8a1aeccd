package jit

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

const source = `
def forward(self, x: Tensor) -> Tensor:
    y = torch.batch_norm(x, self.w, self.b, self.mean, self.var, self.training, 0.1, 1e-5, False)
    return torch.sigmoid(y * self.w)

def pair(self, x: Tensor, n: int):
    return x, {"n": n, "half": [0.5, 1.5]}, None

def fail(self, x: Tensor) -> Tensor:
    assert x.size(0) == 7, "seven wanted"
    return x
`

func define(t *testing.T, s *torch.Scope) *Module {
	t.Helper()
	m, err := Define(s, []Named{{"w", s.Full([]int64{3}, 2).RequiresGrad(true)}, {"b", s.Zeros([]int64{3}).RequiresGrad(true)}},
		[]Named{{"mean", s.Zeros([]int64{3})}, {"var", s.Ones([]int64{3})}}, source)
	require.NoError(t, err)
	return m
}

func TestSaveLoadFreezeClone(t *testing.T) {
	before := torch.LiveTensors()
	root := torch.NewScope()
	m := define(t, root)
	on, err := m.IsTraining()
	require.NoError(t, err)
	require.True(t, on)
	_, err = m.Freeze(root)
	require.Error(t, err, "a module in training mode is not frozen")
	require.NoError(t, m.Train(false))

	path := filepath.Join(t.TempDir(), "m.pt")
	require.NoError(t, m.Save(path))
	loaded, err := Load(root, path, torch.CPU)
	require.NoError(t, err)
	frozen, err := m.Freeze(root)
	require.NoError(t, err)
	clone, err := m.Clone(root)
	require.NoError(t, err)

	x := root.Randn(nil, []int64{4, 3}).RequiresGrad(true)
	want := m.ForwardTensor(x)
	grad := torch.Grad(want.Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0].Float32s()
	for name, other := range map[string]*Module{"loaded": loaded, "frozen": frozen, "clone": clone} {
		got := other.ForwardTensor(x)
		require.InDeltaSlice(t, floats(want), floats(got), 1e-6, name)
		g := torch.Grad(got.Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0].Float32s()
		require.InDeltaSlice(t, grad, g, 1e-6, name)
	}
	params, err := clone.Parameters(root)
	require.NoError(t, err)
	require.Equal(t, "w", params[0].Name)
	torch.NoGrad(func() { params[0].Tensor.Zero_() })
	require.InDeltaSlice(t, floats(want), floats(m.ForwardTensor(x)), 0, "a clone has tensors of its own")
	buffers, err := m.Buffers(root)
	require.NoError(t, err)
	require.Len(t, buffers, 2)
	require.NoError(t, m.To(torch.CPU, torch.Float64))
	require.Equal(t, torch.Float64, m.ForwardTensor(x.To(torch.Float64)).DType())
	root.Close()
	require.Equal(t, before, torch.LiveTensors())
}

func floats(x *torch.Tensor) (out []float64) {
	for _, v := range x.Float32s() {
		out = append(out, float64(v))
	}
	return out
}

func TestResultsOfAnyShape(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	m := define(t, s)
	x := s.Ones([]int64{2, 3})
	out, err := m.Call("pair", x, 5)
	require.NoError(t, err)
	tuple := out.(Tuple)
	require.Len(t, tuple, 3)
	require.Equal(t, []int64{2, 3}, tuple[0].(*torch.Tensor).Shape())
	require.Nil(t, tuple[2])
	methods, err := m.Methods()
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"forward", "pair", "fail"}, methods)
	_, err = m.Call("fail", x)
	require.ErrorContains(t, err, "seven wanted")
	require.NotContains(t, err.Error(), "\n")
	_, err = m.Call("nothing", x)
	require.Error(t, err)
	_, err = m.Forward(x, x)
	require.Error(t, err)
}

func TestWrapDropsWhatIsNotUsed(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	inner, err := Define(s, nil, nil, "def forward(self, x: Tensor):\n    return x * 2., x @ x\n")
	require.NoError(t, err)
	require.NoError(t, inner.Train(false))
	w, err := inner.Wrap(s, "def forward(self, x: Tensor) -> Tensor:\n    return self.net.forward(x)[0]\n")
	require.NoError(t, err)
	x := s.Ones([]int64{2, 3}) // x @ x fails for this shape
	_, err = w.Forward(x)
	require.Error(t, err)
	f, err := w.Freeze(s)
	require.NoError(t, err)
	require.Equal(t, []float32{2, 2, 2, 2, 2, 2}, f.ForwardTensor(x).Float32s())
}

func TestBadFilesAndSources(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	good, err := define(t, s).Bytes()
	require.NoError(t, err)
	for want, data := range map[string][]byte{
		"empty file":            {},
		"neither a TorchScript": []byte("hello"),
		"old torch.save":        []byte("\x80\x02}q\x00."),
		"weights only":          []byte("PK\x03\x04 data.pkl"),
		"half":                  good[:len(good)/2],
	} {
		path := filepath.Join(t.TempDir(), "m.pt")
		require.NoError(t, os.WriteFile(path, data, 0o644))
		_, err := Load(s, path, torch.CPU)
		require.ErrorContains(t, err, path)
		if want != "half" {
			require.ErrorContains(t, err, want)
		}
		require.NotContains(t, err.Error(), "\n")
	}
	_, err = Define(s, nil, nil, "def forward(self, x: Tensor):\n    return x +\n")
	require.Error(t, err)
	_, err = Define(s, []Named{{"a.b", s.Ones([]int64{1})}}, nil, "def forward(self, x: Tensor):\n    return x\n")
	require.ErrorContains(t, err, "identifier")
	err = torch.Try(func() {
		inner := torch.NewScope()
		m := define(t, inner)
		inner.Close()
		_, _ = m.Forward(s.Ones([]int64{2, 3}))
	})
	require.ErrorIs(t, err, torch.ErrClosed)
}

// A frozen module is called by many goroutines at once, each with tensors of its own.
func TestConcurrentForward(t *testing.T) {
	root := torch.NewScope()
	defer root.Close()
	m := define(t, root)
	require.NoError(t, m.Train(false))
	f, err := m.Freeze(root)
	require.NoError(t, err)
	want := floats(f.ForwardTensor(root.Ones([]int64{5, 3})))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 30 {
				if err := torch.Scoped(func(s *torch.Scope) error {
					x := s.Ones([]int64{5, 3}).RequiresGrad(true)
					y := f.ForwardTensor(x)
					torch.Grad(y.Sum(), []*torch.Tensor{x}, torch.GradOptions{})
					for i, v := range floats(y) {
						if v != want[i] {
							t.Errorf("got %v vs %v", v, want[i])
						}
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
