package savetest_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave/savetest"
)

func floats(v ...float32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// weights are a small network's, one tensor from a GPU.
func weights() []savetest.Tensor {
	return []savetest.Tensor{
		{Name: "stem.0.weight", Shape: []int64{2, 2}, Data: floats(1, 2, 3, 4), Location: "cuda:0"},
		{Name: "stem.1.weight", Shape: []int64{2}, Data: floats(5, 6)},
		{Name: "stem.1.running_var", Shape: []int64{2}, Data: floats(7, 8)},
		{Name: "stem.1.num_batches_tracked", DType: "int64", Data: binary.LittleEndian.AppendUint64(nil, 9)},
	}
}

// everything holds each kind of value.
func everything() savetest.Dict {
	base := &savetest.Tensor{Shape: []int64{2, 3}, Data: floats(0, 1, 2, 3, 4, 5)}
	long := savetest.List{}
	for i := range 2001 { // three batches, the last one of a single element
		long = append(long, i)
	}
	return savetest.Trainer(weights(), savetest.TrainerOptions{Epoch: 1, GlobalStep: 1 << 40, AMP: true}).
		With("values", savetest.List{nil, true, false, 0, 255, 256, 65535, 65536, -1, math.MinInt32, int64(math.MinInt64), 0.1,
			math.Inf(-1), "ä\n", savetest.Tuple{}, savetest.Tuple{1}, savetest.Tuple{1, 2}, savetest.Tuple{1, 2, 3},
			savetest.Tuple{1, 2, 3, 4}, savetest.Pairs(7, "seven"), savetest.OrderedDict{}, savetest.Raw("}")}).
		With("long", long).
		With("base", base).With("again", base).
		With("view", savetest.View{Of: base, Offset: 1, Shape: []int64{2, 2}, Stride: []int64{1, 3}}).
		With("parameter", savetest.Tensor{Shape: []int64{1}, Parameter: true, RequiresGrad: true}).
		With("half", savetest.Tensor{DType: "float16", Shape: []int64{0, 3}}).
		With("drop", 1).Without("drop")
}

// TestPythonReadsIt lets torch load what was written. The statements fail if a value is not what was meant.
func TestPythonReadsIt(t *testing.T) {
	const script = `
import sys, math
try:
    import torch
except ImportError:
    sys.exit(77)
m = torch.nn.Module()
m.stem = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False), torch.nn.BatchNorm1d(2))
for path in sys.argv[1:]:
    d = torch.load(path, map_location="cpu")
    assert list(d)[:9] == ["epoch", "global_step", "model_state_dict", "optimizer_state_dict", "scheduler_state_dict",
        "scaler_state_dict", "best_val_loss", "train_history", "val_history"]
    assert d["epoch"] == 1 and d["global_step"] == 1 << 40 and d["best_val_loss"] == math.inf and len(d["val_history"]) == 2
    s = d["model_state_dict"]
    assert s._metadata["stem.1"] == {"version": 2} and s._metadata[""] == {"version": 1}
    m.load_state_dict(s, strict=False)
    assert m.stem[0].weight.tolist() == [[1, 2], [3, 4]] and m.stem[1].num_batches_tracked.item() == 9
    o = torch.optim.AdamW([{"params": [m.stem[0].weight]}, {"params": [m.stem[1].weight]}])
    o.load_state_dict(d["optimizer_state_dict"])
    assert o.state[m.stem[1].weight]["step"].item() == 2**40 and o.state[m.stem[0].weight]["exp_avg"].tolist() == [[0, 0], [0, 0]]
    assert d["values"] == [None, True, False, 0, 255, 256, 65535, 65536, -1, -2**31, -2**63, 0.1, -math.inf, "ä\n", (), (1,),
        (1, 2), (1, 2, 3), (1, 2, 3, 4), {7: "seven"}, {}, {}], d["values"]
    assert d["long"] == list(range(2001))
    assert d["base"] is d["again"] and d["view"].tolist() == [[1, 4], [2, 5]]
    d["view"][0, 0] = 9
    assert d["base"].tolist() == [[0, 9, 2], [3, 4, 5]]
    assert isinstance(d["parameter"], torch.nn.Parameter) and d["parameter"].requires_grad
    assert d["half"].dtype == torch.float16 and d["half"].shape == (0, 3)
`
	args := []string{"-c", script}
	for i, f := range []savetest.Format{{}, {Folder: "best_model", Newer: true}} {
		path := filepath.Join(t.TempDir(), strconv.Itoa(i)+".pt")
		var b bytes.Buffer
		require.NoError(t, f.Write(&b, everything()))
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
		args = append(args, path)
	}
	cmd := exec.Command("/usr/bin/python3", args...)
	out, err := cmd.CombinedOutput()
	if s := cmd.ProcessState; s == nil || s.ExitCode() == 77 {
		t.Skip("no python3 with torch")
	}
	require.NoError(t, err, "%s", out)
}

// TestArchive checks what torch's own archives have: no compression, data at multiples of 64, sums that are right.
func TestArchive(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, savetest.Format{Folder: "m", Newer: true}.Write(&b, everything()))
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	for _, e := range z.File {
		at, err := e.DataOffset()
		require.NoError(t, err)
		require.Zero(t, at%64, e.Name)
		require.Equal(t, zip.Store, e.Method, e.Name)
		require.True(t, strings.HasPrefix(e.Name, "m/"), e.Name)
		r, err := e.Open()
		require.NoError(t, err)
		n, err := io.Copy(io.Discard, r)
		require.NoError(t, err)
		require.EqualValues(t, e.UncompressedSize64, n)
	}
}

func TestRefuses(t *testing.T) {
	for _, c := range []struct {
		want string
		v    savetest.Value
	}{
		{"cannot save a complex128", savetest.List{1i}},
		{`no element type "int3"`, savetest.Tensor{DType: "int3"}},
		{"3 bytes vs 8 of shape [2]", savetest.Tensor{Shape: []int64{2}, Data: make([]byte, 3)}},
		{"more than zip holds", savetest.Tensor{Shape: []int64{1 << 31}}},
	} {
		require.ErrorContains(t, savetest.Write(io.Discard, c.v), c.want)
	}
	require.Error(t, savetest.WriteFile(filepath.Join(t.TempDir(), "none", "m.pt"), 1))
}

// BenchmarkWrite writes the file of a trainer, 220 MB.
func BenchmarkWrite(b *testing.B) {
	for b.Loop() {
		v := savetest.Trainer([]savetest.Tensor{{Name: "w", Shape: []int64{18 << 20}}}, savetest.TrainerOptions{})
		require.NoError(b, savetest.Write(io.Discard, v))
	}
}
