package checkpoint_test

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
)

func TestRunFolder(t *testing.T) {
	root := t.TempDir()
	r, err := checkpoint.Create(filepath.Join(root, "a"))
	require.NoError(t, err)
	_, err = checkpoint.Open(r.Dir)
	require.ErrorContains(t, err, "no config.json", "a folder is a run when it has its configuration")
	require.NoError(t, r.WriteConfig(map[string]int{"batch": 8}))
	_, err = checkpoint.Create(r.Dir)
	require.ErrorIs(t, err, checkpoint.ErrExists)
	again, err := checkpoint.Open(r.Dir)
	require.NoError(t, err)
	var c map[string]int
	data, err := os.ReadFile(filepath.Join(again.Dir, "config.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &c))
	require.Equal(t, map[string]int{"batch": 8}, c)

	_, err = r.Latest()
	require.ErrorContains(t, err, "has no snapshot")
}

// Runs that start at the same time get numbers of their own; other folders do not disturb.
func TestCreateNext(t *testing.T) {
	root := filepath.Join(t.TempDir(), "runs")
	require.NoError(t, os.MkdirAll(filepath.Join(root, "00007-old"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "photos"), 0o755))
	var mu sync.Mutex
	dirs := map[string]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r, err := checkpoint.CreateNext(root, "gan")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				dirs[filepath.Base(r.Dir)] = true
			}
		})
	}
	wg.Wait()
	require.Len(t, dirs, 8)
	require.Contains(t, dirs, "00008-gan")
	require.Contains(t, dirs, "00015-gan")
}

func TestSaveLoad(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	want := map[string]*torch.Tensor{
		"G.weight": torch.FromSlice(s, []float32{1, -2, float32(math.Inf(1)), 3}, 2, 2),
		"double":   s.Scalar(math.Pi),
		"half":     torch.FromSlice(s, []float32{0.5, -1}).To(torch.Float16),
		"brain":    torch.FromSlice(s, []float32{0.5, -1}).To(torch.BFloat16),
		"steps":    torch.FromSlice(s, []int64{1 << 60}),
		"int32":    torch.FromSlice(s, []int32{-5}),
		"bytes":    torch.FromSlice(s, []uint8{255}),
		"bools":    torch.FromSlice(s, []bool{true, false}),
		"empty":    s.Zeros([]int64{0, 3}),
		"turned":   torch.FromSlice(s, []float64{1, 2, 3, 4, 5, 6}, 2, 3).Transpose(0, 1), // not contiguous
	}
	path := filepath.Join(t.TempDir(), "a.safetensors")
	require.NoError(t, checkpoint.Save(path, maps.All(want), map[string]string{"step": "12"}))
	got, meta, err := checkpoint.Load(s, path, torch.CPU)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"step": "12"}, meta)
	require.Len(t, got, len(want))
	for name, w := range want {
		require.Equal(t, w.DType(), got[name].DType(), name)
		require.Equal(t, w.Shape(), got[name].Shape(), name)
		require.Equal(t, w.RawBytes(), got[name].RawBytes(), name)
	}

	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, data[:len(data)-1], 0o644))
	_, _, err = checkpoint.Load(s, path, torch.CPU)
	require.ErrorContains(t, err, "truncated")
	_, _, err = checkpoint.Load(s, filepath.Join(t.TempDir(), "none"), torch.CPU)
	require.ErrorIs(t, err, os.ErrNotExist)
	// A folder that is not there: nothing is written, nothing is left.
	require.Error(t, checkpoint.Save(filepath.Join(path, "x", "a.safetensors"), maps.All(want), nil))
}
