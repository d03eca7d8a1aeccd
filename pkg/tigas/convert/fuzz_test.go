package convert_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/pkg/tigas/convert"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave"
	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave/savetest"
)

// enough is the length of the record that stands for all storages: that of the smallest network, and some.
const enough = 5 << 20

// pickled is a file with this pickle, long enough for what its tensors claim. Their storages are not in it: what is opened
// here is not read.
func pickled(t testing.TB, pickle []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, savetest.Archive(&b, "m/", []savetest.Record{{Name: "data.pkl", Data: pickle}, {Name: "data/0", Zeros: enough}}))
	return b.Bytes()
}

// FuzzCheckpoint wants of any pickle an error on one line, or a network whose tensors are there, of the shapes that its text
// has, and no larger than the file.
func FuzzCheckpoint(f *testing.F) {
	for _, m := range []network.Mode{network.FastMode, network.FullMode} {
		for _, root := range []savetest.Value{savetest.StateDict(stateDict(f, small(m))), savetest.Model(stateDict(f, small(m)), 192)} {
			pickle, _, err := savetest.Pickle(root)
			require.NoError(f, err)
			_, err = open(pickled(f, pickle))
			require.NoError(f, err)
			f.Add(pickle)
		}
	}
	few := stateDict(f, small(network.FastMode))[:3]
	for _, root := range []savetest.Value{
		savetest.StateDict(few), savetest.Model(few, -3), savetest.Dict{{Key: "model_state_dict", Value: savetest.List{}}},
		savetest.Dict{{Key: "epoch", Value: 3}, {Key: "x\ny", Value: &few[0]}}, savetest.List{1, 2}, &few[0],
		savetest.Dict{{Key: "state_dict", Value: savetest.Dict{{Key: "module.model.a", Value: &few[0]}}}, {Key: "img_size", Value: 1 << 40}},
	} {
		pickle, _, err := savetest.Pickle(root)
		require.NoError(f, err)
		f.Add(pickle)
	}
	f.Add(wrapped(100))
	f.Fuzz(func(t *testing.T, pickle []byte) {
		data := pickled(t, pickle)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c, err := open(data)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
			t.Fatalf("%d bytes for a pickle of %d", n, len(pickle))
		}
		if err != nil {
			if s := err.Error(); !strings.HasPrefix(s, "convert: folder/best_model.pt: ") || len(s) > 8000 || strings.ContainsAny(s, "\n\r\x1b") || !utf8.ValidString(s) {
				t.Fatalf("got error %q", s)
			}
			return
		}
		if c.ImageSize < 1 || c.ImageSize > 1<<14 || c.Tensors() < 10 {
			t.Fatalf("%d tensors for images of %d", c.Tensors(), c.ImageSize)
		}
		if err := c.Arch.Validate(); err != nil {
			t.Fatal(err)
		}
		if card := c.Card(convert.Options{}); card.ImageSize != c.ImageSize {
			t.Fatalf("%+v", card)
		}
		_ = c.Version()
	})
}

// wrapped is a pickle of one tensor whose name is nothing but wrappers.
func wrapped(n int) []byte {
	name := strings.Repeat("module.", n)
	b := binary.LittleEndian.AppendUint32([]byte("\x80\x02}X"), uint32(len(name)))
	return append(append(b, name...), "ctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x01tQK\x00K\x01\x85K\x01\x85"+
		"\x89ccollections\nOrderedDict\n)RtRs."...)
}

// A name of wrappers was read again for each of them: one of 16 MB took minutes.
func TestManyWrappers(t *testing.T) {
	start := time.Now()
	_, err := open(pickled(t, wrapped(2_000_000)))
	require.True(t, errors.Is(err, network.ErrNotTIGAS), "%.200v", err)
	require.Less(t, time.Since(start), 5*time.Second)
	_, err = open(pickled(t, wrapped(3_000_000)))
	require.True(t, errors.Is(err, torchsave.ErrFormat), "%.200v", err)
}
