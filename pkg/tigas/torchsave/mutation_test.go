package torchsave

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave/savetest"
)

// bases are the files that others are made of: those of every producer, of torch 1.13 and of a newer one.
func bases() [][]byte {
	weights := []savetest.Tensor{
		{Name: "stem.0.weight", Shape: []int64{4, 3, 3, 3}, Data: count(432), Location: "cuda:0"},
		{Name: "stem.0.bias", Shape: []int64{4}, Data: count(16)},
		{Name: "stem.1.weight", Shape: []int64{4}, Data: count(16), Parameter: true, RequiresGrad: true},
		{Name: "stem.1.running_mean", Shape: []int64{4}, Data: count(16)},
		{Name: "stem.1.num_batches_tracked", DType: "int64", Data: count(8)},
		{Name: "head.weight", DType: "bfloat16", Shape: []int64{2, 4}, Data: count(16)},
		{Name: "statistical_estimator.prototypes_initialized", DType: "bool", Data: []byte{1}},
	}
	base := &weights[0]
	trainer := savetest.Trainer(weights, savetest.TrainerOptions{Epoch: 2, GlobalStep: 1 << 33, AMP: true})
	return [][]byte{
		saved(trainer, false), saved(trainer, true), saved(savetest.StateDict(weights), false),
		saved(savetest.Model(weights, 256), true),
		saved(savetest.List{base, savetest.View{Of: base, Offset: 1, Shape: []int64{3, 2}, Stride: []int64{2, 9}},
			savetest.View{Of: base, Shape: []int64{5, 5}, Stride: []int64{0, 1}}}, false),
		fixture("small.pt"), fixture("proto4.pt"), fixture("foreign.pt"), fixture("script.pt"), fixture("legacy.pt"),
	}
}

// mutate returns a file that is a little different from one of the bases. The number decides how.
func mutate(bases [][]byte, number uint64) []byte {
	r := rand.New(rand.NewPCG(number, 1))
	b := bytes.Clone(bases[r.IntN(len(bases))])
	flip := func(b []byte, most int) {
		for range 1 + r.IntN(most) {
			if len(b) > 0 {
				b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			}
		}
	}
	if !bytes.HasPrefix(b, []byte("PK")) {
		flip(b, 4)
		return b[:r.IntN(len(b)+1)]
	}
	switch r.IntN(8) {
	case 0: // cut
		return b[:r.IntN(len(b)+1)]
	case 1: // anywhere
		flip(b, 8)
		return b
	case 2: // the directory and its end
		flip(b[bytes.Index(b, []byte("PK\x01\x02")):], 4)
		return b
	case 3: // a field of the directory or of a record's head
		at := bytes.Index(b, []byte("PK\x01\x02"))
		if r.IntN(4) == 0 {
			at = 0
		}
		at += r.IntN(len(b) - at - 8)
		odd := []uint64{0, 1, 1<<16 - 1, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1<<63 - 1, 1 << 63, 1<<64 - 1, uint64(len(b))}
		le := binary.LittleEndian.AppendUint64(nil, odd[r.IntN(len(odd))])
		copy(b[at:], le[:[]int{1, 2, 4, 8}[r.IntN(4)]])
		return b
	}
	// The others keep the sums right, so that what is wrong reaches the machine.
	records := unpacked(b)
	i := slices.IndexFunc(records, func(r savetest.Record) bool { return strings.HasSuffix(r.Name, "/data.pkl") })
	switch p := &records[i].Data; r.IntN(8) {
	case 0, 1:
		flip(*p, 6)
	case 2: // any record
		flip(records[r.IntN(len(records))].Data, 3)
	case 3: // the end of another pickle, or of this one
		other := unpacked(bases[r.IntN(5)])[0].Data
		*p = append((*p)[:r.IntN(len(*p))], other[r.IntN(len(other)):]...)
	case 4: // a piece again
		from := r.IntN(len(*p))
		to := min(len(*p), from+1+r.IntN(60))
		*p = slices.Insert(*p, r.IntN(len(*p)), bytes.Repeat((*p)[from:to], 1+r.IntN(20))...)
	case 5: // without a piece
		from := r.IntN(len(*p))
		*p = slices.Delete(*p, from, min(len(*p), from+1+r.IntN(12)))
	case 6: // other opcodes
		const opcodes = "().012NJKMGXTUBC]}aesudtlqrhjcQRb\x80\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8f\x90\x91\x93\x94\x95\x81\x92"
		for range 1 + r.IntN(5) {
			at, op := r.IntN(len(*p)), opcodes[r.IntN(len(opcodes))]
			if r.IntN(2) == 0 {
				(*p)[at] = op
			} else {
				*p = slices.Insert(*p, at, op)
			}
		}
	case 7: // records in another order, without one, or one longer or shorter
		r.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		last := &records[len(records)-1]
		switch r.IntN(3) {
		case 0:
			records = records[:len(records)-1]
		case 1:
			last.Data = append(last.Data, 0)
		case 2:
			last.Data = last.Data[:len(last.Data)/2]
		}
	}
	return pack("", records)
}

// TestMutations reads files that are damaged in thousands of ways, each by its number. Whatever is read must be what the
// archive holds: see examine.
func TestMutations(t *testing.T) {
	const n = 10_000
	all := bases()
	var most cost
	good := 0
	for i := range n {
		data := mutate(all, uint64(i))
		c, opened, err := examine(data)
		require.NoError(t, err, "mutation %d: %v", i, opened)
		most.add(c)
		if opened == nil {
			good++
		}
	}
	t.Logf("%d of %d files could be opened; %v", good, n, most)
	// Tests that only ever see refused files would test little, and so would those that see none.
	require.Greater(t, good, n/10)
	require.Less(t, good, n*9/10)
}

// TestPieces cuts a file after every byte, and changes every byte of it. Until the directory only the sums can tell.
func TestPieces(t *testing.T) {
	data := saved(savetest.Model([]savetest.Tensor{{Name: "a", Shape: []int64{3}, Data: count(12)}}, 256), true)
	for i := range data {
		_, opened, err := examine(data[:i])
		require.NoError(t, err, "%d bytes", i)
		require.ErrorIs(t, opened, ErrFormat, "%d bytes", i)
		changed := bytes.Clone(data)
		changed[i] ^= 0xff
		_, _, err = examine(changed)
		require.NoError(t, err, "byte %d", i)
	}
}
