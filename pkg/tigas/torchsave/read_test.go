package torchsave

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave/savetest"
)

// count are n bytes that differ from their neighbours.
func count(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// rooted opens a file and returns its root, a tensor.
func rooted(t *testing.T, root savetest.Value) (*File, *Tensor) {
	f, err := openBytes(saved(root, false))
	require.NoError(t, err)
	return f, f.Root().(*Tensor)
}

// TestViews compares Read with a plain computation for views of every kind, also those that are far apart.
func TestViews(t *testing.T) {
	base := &savetest.Tensor{DType: "int16", Shape: []int64{1 << 20}, Data: count(2 << 20)}
	for _, v := range []savetest.View{
		{Shape: []int64{1 << 20}, Stride: []int64{1}},
		{Shape: []int64{}, Stride: []int64{}, Offset: 7},
		{Shape: []int64{3, 4}, Stride: []int64{4, 1}, Offset: 100},
		{Shape: []int64{4, 3}, Stride: []int64{1, 4}, Offset: 100},
		{Shape: []int64{2, 3, 4}, Stride: []int64{100, 4, 1}},
		{Shape: []int64{2, 1, 4}, Stride: []int64{100, 77, 1}},
		{Shape: []int64{1, 1}, Stride: []int64{1 << 40, 0}, Offset: 1<<20 - 1},
		{Shape: []int64{2, 3}, Stride: []int64{0, 0}, Offset: 5},
		{Shape: []int64{3, 2}, Stride: []int64{1 << 18, 1 << 17}, Offset: 1 << 10},
		{Shape: []int64{3, 5}, Stride: []int64{1 << 18, 1}, Offset: 1 << 10},
		{Shape: []int64{0, 3}, Stride: []int64{3, 1}},
		{Shape: []int64{0}, Stride: []int64{0}, Offset: 1 << 62},
		{Shape: []int64{0, 1 << 62, 1 << 62}, Stride: []int64{1 << 62, 1, 1}},
	} {
		v.Of = base
		f, x := rooted(t, v)
		got, err := f.Read(x)
		require.NoError(t, err, "%+v", v)
		require.Equal(t, len(got), int(x.Bytes()))
		if len(got) > 0 {
			require.Equal(t, gathered(x, base.Data), got, "%v %v", v.Shape, v.Stride)
		}
	}
}

// TestRepeated checks that a tensor may be larger than its file, but not by much.
func TestRepeated(t *testing.T) {
	base := &savetest.Tensor{Shape: []int64{1}, Data: count(4)}
	f, x := rooted(t, savetest.View{Of: base, Shape: []int64{1 << 10, 1 << 12}, Stride: []int64{0, 0}})
	got, err := f.Read(x)
	require.NoError(t, err)
	require.Equal(t, bytes.Repeat(base.Data, 1<<22), got) // 16 MB, the most

	f, x = rooted(t, savetest.View{Of: base, Shape: []int64{1<<22 + 1}, Stride: []int64{0}})
	_, err = f.Read(x)
	require.ErrorIs(t, err, ErrFormat)
	require.ErrorContains(t, err, "shows the elements of its storage so often that it has 16777220 bytes")
}

// TestReadsWhatIsAsked checks that a damaged storage harms nobody but its reader: nothing else looks at it.
func TestReadsWhatIsAsked(t *testing.T) {
	weights := []savetest.Tensor{{Name: "a", Shape: []int64{100}, Data: count(400)}}
	moment := bytes.Repeat([]byte("moment.."), 50)
	trainer := savetest.Trainer(weights, savetest.TrainerOptions{Moments: func(savetest.Tensor, string) []byte { return moment }})
	// The last 65 KB are searched for the directory, so that they belong to another tensor.
	data := saved(trainer.With("last", savetest.Tensor{Shape: []int64{20_000}}), false)
	data = bytes.ReplaceAll(data, moment, bytes.Repeat([]byte("damaged!"), 50))
	reads := &counter{r: bytes.NewReader(data), at: map[int64]bool{}}
	f, err := NewReader(reads, int64(len(data)))
	require.NoError(t, err)
	got, err := f.Read(get(t, f.Root(), "model_state_dict", "a").(*Tensor))
	require.NoError(t, err)
	require.Equal(t, count(400), got)
	for i := range data {
		if bytes.HasPrefix(data[i:], []byte("damaged!")) {
			require.False(t, reads.at[int64(i)], "byte %d was read", i)
		}
	}
	state := get(t, f.Root(), "optimizer_state_dict", "state").(*Dict)
	_, err = f.Read(get(t, state.Items[0].Value, "exp_avg").(*Tensor))
	require.ErrorIs(t, err, ErrFormat)
	require.ErrorContains(t, err, "damaged archive (record")
	require.ErrorContains(t, err, "checksum")
}

// counter remembers which bytes were read.
type counter struct {
	r  io.ReaderAt
	at map[int64]bool
}

func (c *counter) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		c.at[off+int64(i)] = true
	}
	return c.r.ReadAt(p, off)
}

// TestDamagedView checks that the sum of a storage is compared for views too, which are not read as a whole.
func TestDamagedView(t *testing.T) {
	base := &savetest.Tensor{Shape: []int64{1 << 18}, Data: count(1 << 20)}
	data := saved(savetest.View{Of: base, Shape: []int64{2}, Stride: []int64{1}}, false)
	data[bytes.Index(data, base.Data)+1<<19] ^= 1 // a byte that the view does not show
	f, err := openBytes(data)
	require.NoError(t, err)
	for range 2 {
		_, err = f.Read(f.Root().(*Tensor))
		require.ErrorIs(t, err, ErrFormat)
		require.ErrorContains(t, err, "checksum")
	}
}

// TestGoroutines reads a file from several goroutines; it is for the race detector.
func TestGoroutines(t *testing.T) {
	f := openFixture(t, "small.pt")
	all := tensors(f.Root())
	first := make([][]byte, len(all))
	for i, x := range all {
		first[i] = must(f.Read(x))
	}
	f = openFixture(t, "small.pt") // nothing verified yet
	all = tensors(f.Root())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, x := range all {
				if got, err := f.Read(x); err != nil || !bytes.Equal(got, first[i]) {
					t.Errorf("tensor %d: got %x, %v", i, got, err)
				}
			}
		})
	}
	wg.Wait()
}

// TestOwner checks that what Read returned may be changed.
func TestOwner(t *testing.T) {
	f := openFixture(t, "small.pt")
	for _, name := range []string{"whole", "slice", "expanded"} {
		x := get(t, f.Root(), "tensors", name).(*Tensor)
		a := must(f.Read(x))
		want := bytes.Clone(a)
		clear(a)
		require.Equal(t, want, must(f.Read(x)), name)
	}
}

func TestClosed(t *testing.T) {
	path := filepath.Join("testdata", "small.pt")
	f, err := Open(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, info.Size(), f.Size())
	x := get(t, f.Root(), "tensors", "whole").(*Tensor)
	require.NoError(t, f.Close())
	_, err = f.Read(x)
	require.ErrorIs(t, err, os.ErrClosed)
	require.NotErrorIs(t, err, ErrFormat)
	require.ErrorContains(t, err, "torchsave: "+path+": ")
	require.ErrorIs(t, f.Close(), os.ErrClosed)

	f, err = openBytes(fixture("small.pt"))
	require.NoError(t, err)
	require.NoError(t, f.Close()) // nothing to close
	_, err = f.Read(get(t, f.Root(), "tensors", "whole").(*Tensor))
	require.NoError(t, err)
}

// TestNotAFile opens what is none. A pipe that nobody writes to must not hang.
func TestNotAFile(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(filepath.Join(dir, "none.pt"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NotErrorIs(t, err, ErrFormat)
	require.ErrorContains(t, err, "none.pt: stat: no such file")
	_, err = Open(dir)
	require.ErrorContains(t, err, "not a regular file")
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	_, err = Open(pipe)
	require.ErrorContains(t, err, "not a regular file")
	_, err = NewReader(bytes.NewReader(nil), -1)
	require.ErrorIs(t, err, ErrFormat)
}

// failing is a disk that fails at one byte.
type failing struct {
	r  io.ReaderAt
	at int64
}

var errDisk = errors.New("input/output error")

func (f *failing) ReadAt(p []byte, off int64) (int, error) {
	if off <= f.at && f.at < off+int64(len(p)) {
		return 0, errDisk
	}
	return f.r.ReadAt(p, off)
}

// TestDisk checks that a disk that fails, wherever, is not taken for a damaged file, and that a file which became shorter
// is.
func TestDisk(t *testing.T) {
	data := saved(savetest.Model([]savetest.Tensor{{Name: "a", Shape: []int64{3}, Data: count(12)}}, 256), true)
	failed := 0
	for i := range data {
		f, err := NewReader(&failing{bytes.NewReader(data), int64(i)}, int64(len(data)))
		if err == nil {
			_, err = f.Read(get(t, f.Root(), "model_state_dict", "a").(*Tensor))
		}
		if err != nil {
			failed++
			require.ErrorIs(t, err, errDisk, "byte %d", i)
			require.NotErrorIs(t, err, ErrFormat, "byte %d", i)
		}
	}
	require.Greater(t, failed, len(data)/2) // all but the records that nobody reads
	for i := range len(data) - 22 {         // of the last 22 bytes, the end of the directory, some are 0
		_, err := NewReader(bytes.NewReader(data[:i]), int64(len(data)))
		require.ErrorIs(t, err, ErrFormat, "%d bytes", i)
	}
}

// TestStranger reads tensors that are not of the file.
func TestStranger(t *testing.T) {
	f := openFixture(t, "small.pt")
	for _, x := range []*Tensor{nil, {}, {DType: Float32, Shape: []int64{1}, Stride: []int64{1}}} {
		_, err := f.Read(x)
		require.ErrorContains(t, err, "a tensor of no file")
	}
}

// TestStorages checks what a storage must be for its tensors.
func TestStorages(t *testing.T) {
	pickle, _, err := savetest.Pickle(savetest.Tensor{Shape: []int64{2}})
	require.NoError(t, err)
	for _, c := range []struct {
		name, want string
		records    []savetest.Record
	}{
		{"long enough", "", []savetest.Record{{Name: "data/0", Data: count(8)}}},
		{"longer", "", []savetest.Record{{Name: "data/0", Data: count(64)}}},
		{"shorter", `storage "0" has 7 bytes vs 8`, []savetest.Record{{Name: "data/0", Data: count(7)}}},
		{"missing", `no record "data/0"`, nil},
		{"directory", `no record "data/0"`, []savetest.Record{{Name: "data/0/"}}},
	} {
		f, err := openBytes(pickled(pickle, c.records...))
		require.NoError(t, err, c.name)
		got, err := f.Read(f.Root().(*Tensor))
		if c.want == "" {
			require.NoError(t, err, c.name)
			require.Equal(t, count(8), got, c.name)
			continue
		}
		require.ErrorIs(t, err, ErrFormat, c.name)
		require.ErrorContains(t, err, c.want, c.name)
	}
}

// TestLocations reads what was saved on a GPU, beside what was not.
func TestLocations(t *testing.T) {
	f, err := openBytes(saved(savetest.StateDict([]savetest.Tensor{
		{Name: "gpu", Shape: []int64{3}, Data: count(12), Location: "cuda:0"},
		{Name: "cpu", Shape: []int64{3}, Data: count(12)},
		{Name: strings.Repeat("long ", 40), DType: "float64", Data: count(8), Location: "mps"},
	}), true))
	require.NoError(t, err)
	for _, e := range f.Root().(*Dict).Items {
		x := e.Value.(*Tensor)
		require.Equal(t, count(int(x.Bytes())), must(f.Read(x)))
	}
}

// TestTrainer reads the nine keys of a trainer's file.
func TestTrainer(t *testing.T) {
	weights := []savetest.Tensor{{Name: "head.weight", Shape: []int64{2, 2}, Data: count(16)}, {Name: "head.bias", Shape: []int64{2}}}
	f, err := openBytes(saved(savetest.Trainer(weights, savetest.TrainerOptions{Epoch: 1, GlobalStep: 1 << 40, Bare: true}), false))
	require.NoError(t, err)
	var keys []Value
	for _, e := range f.Root().(*Dict).Items {
		keys = append(keys, e.Key)
	}
	require.Equal(t, []Value{"epoch", "global_step", "model_state_dict", "optimizer_state_dict", "scheduler_state_dict",
		"scaler_state_dict", "best_val_loss", "train_history", "val_history"}, keys)
	require.Equal(t, int64(1<<40), get(t, f.Root(), "global_step"))
	require.Equal(t, math.Inf(1), get(t, f.Root(), "best_val_loss"))
	require.Nil(t, get(t, f.Root(), "scheduler_state_dict"))
	require.Len(t, get(t, f.Root(), "val_history").(*List).Items, 2)
	require.Equal(t, count(16), must(f.Read(get(t, f.Root(), "model_state_dict", "head.weight").(*Tensor))))
	state := get(t, f.Root(), "optimizer_state_dict", "state").(*Dict)
	require.Len(t, state.Items, 2)
	step := must(f.Read(get(t, state.Items[1].Value, "step").(*Tensor)))
	require.Equal(t, float32(1<<40), math.Float32frombits(binary.LittleEndian.Uint32(step)))
}
