package torchsave

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// want is what testdata/make.py says about a tensor.
type want struct {
	DType DType
	Shape []int64
	Hex   string
	Grad  bool
}

func openFixture(t *testing.T, name string) *File {
	f, err := Open(filepath.Join("testdata", name))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

// get walks down string keys.
func get(t *testing.T, v Value, keys ...string) Value {
	for _, k := range keys {
		d, ok := v.(*Dict)
		require.True(t, ok, "%q of a %T", k, v)
		v, ok = d.Get(k)
		require.True(t, ok, "no %q", k)
	}
	return v
}

// TestTensors reads files of torch 1.13.1 and compares each tensor with what torch itself had, bit for bit.
func TestTensors(t *testing.T) {
	text, err := os.ReadFile("testdata/small.json")
	require.NoError(t, err)
	var wants map[string]want
	require.NoError(t, json.Unmarshal(text, &wants))
	require.Len(t, wants, 20)
	for _, name := range []string{"small.pt", "proto4.pt"} {
		f := openFixture(t, name)
		d := get(t, f.Root(), "tensors").(*Dict)
		require.Len(t, d.Items, len(wants))
		for _, e := range d.Items {
			w, x := wants[e.Key.(string)], e.Value.(*Tensor)
			require.Equal(t, w.DType, x.DType, "%s: %s", name, e.Key)
			require.Equal(t, w.Shape, x.Shape, "%s: %s", name, e.Key)
			require.Equal(t, w.Grad, x.RequiresGrad, "%s: %s", name, e.Key)
			data, err := f.Read(x)
			require.NoError(t, err)
			require.Equal(t, w.Hex, hex.EncodeToString(data), "%s: %s", name, e.Key)
			require.EqualValues(t, len(data), x.Bytes())
		}
	}
}

// TestValues checks everything else in these files; the values stand in testdata/make.py.
func TestValues(t *testing.T) {
	for _, name := range []string{"small.pt", "proto4.pt"} {
		root := openFixture(t, name).Root()
		for key, want := range map[string]Value{
			"none": nil, "true": true, "false": false, "int": int64(5), "negative": int64(-70000), "big": int64(1 << 40),
			"minus": int64(-1 << 40), "float": 0.1, "inf": math.Inf(1), "text": "ä\n", "bytes": []byte{0, 0xff},
			"list":  &List{[]Value{int64(1), &List{[]Value{int64(2), &List{[]Value{int64(3), int64(4)}}}}, &Dict{}}},
			"tuple": &List{[]Value{int64(1), int64(2), int64(3), int64(4)}}, "set": &List{[]Value{int64(1)}},
			"size": &List{[]Value{int64(2), int64(3)}},
		} {
			require.Equal(t, want, get(t, root, key), "%s: %s", name, key)
		}
		require.Equal(t, "an integer of more than 64 bits", get(t, root, "huge").(*Opaque).Name)

		var keys []Value
		for _, e := range get(t, root, "model_state_dict").(*Dict).Items {
			keys = append(keys, e.Key)
		}
		require.Equal(t, []Value{"0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var",
			"1.num_batches_tracked"}, keys, name)

		state := get(t, root, "optimizer_state_dict", "state").(*Dict)
		require.Len(t, state.Items, 4)
		for i, e := range state.Items {
			require.Equal(t, int64(i), e.Key)
			require.Equal(t, DType("float32"), get(t, e.Value, "exp_avg_sq").(*Tensor).DType)
		}
		groups := get(t, root, "optimizer_state_dict", "param_groups").(*List)
		require.Equal(t, 1e-3, get(t, groups.Items[0], "lr"))
		_, ok := root.(*Dict).Get("no such key")
		require.False(t, ok)
	}
}

// TestForeign checks that what a pickle would call is named and not made, and that the weights beside it can be read.
func TestForeign(t *testing.T) {
	f := openFixture(t, "foreign.pt")
	for key, want := range map[string]string{
		"function": "posix.system", "class": "torch.nn.modules.linear.Linear", "numpy": "numpy.core.multiarray.scalar",
		"dtype": "torch.float32", "device": "torch.device", "model": "torch.nn.modules.container.Sequential",
		"default": "collections.defaultdict",
	} {
		require.Equal(t, want, get(t, f.Root(), key).(*Opaque).Name, key)
	}
	data, err := f.Read(get(t, f.Root(), "model_state_dict", "0.weight").(*Tensor))
	require.NoError(t, err)
	require.Len(t, data, 3*2*4)
	require.Len(t, tensors(f.Root()), 7) // not those of the model, which went into an Opaque
}

// TestRefusedByName checks that files which people take for checkpoints are called what they are.
func TestRefusedByName(t *testing.T) {
	tar := make([]byte, 512)
	copy(tar[257:], "ustar")
	small, err := os.ReadFile("testdata/small.pt")
	require.NoError(t, err)
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"empty", "an empty file", nil},
		{"one byte", "not a zip archive", []byte("P")},
		{"lfs", "Git LFS pointer", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")},
		{"html", "a web page", []byte("\n<!DOCTYPE html><html>")},
		{"html with a byte order mark", "a web page", []byte("\xef\xbb\xbf<HTML>")},
		{"safetensors", "a safetensors file", []byte("\x08\x00\x00\x00\x00\x00\x00\x00{}      ")},
		{"tar", "a tar file", tar},
		{"half", "the file is truncated", small[:len(small)/2]},
		{"one byte short", "damaged archive", small[:len(small)-1]},
		{"another zip", "without data.pkl", pack("", nil)},
	} {
		_, err := openBytes(c.data)
		require.ErrorIs(t, err, ErrFormat, c.name)
		require.ErrorContains(t, err, c.want, c.name)
		require.NotErrorIs(t, err, ErrTorchScript, c.name)
	}
	for name, want := range map[string]string{
		"legacy.pt": "the format of torch before 1.6", "script.pt": "a TorchScript archive", "bare.pkl": "a bare pickle",
	} {
		path := filepath.Join("testdata", name)
		_, err := Open(path)
		require.ErrorIs(t, err, ErrFormat, name)
		require.ErrorContains(t, err, "torchsave: "+path+": "+want)
		require.Equal(t, name == "script.pt", err != nil && isScript(err), name)
	}
}
