package torchsave

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// hostile are pickles of about n bytes that try to take more time or memory than n bytes deserve. Each is a head, and a
// body as often as it fits. Most do not end, which a reader finds out after it ran the rest.
var hostile = []struct{ name, head, body string }{
	{"marks", "", "("},
	{"values", "", "N"},
	{"copies", "N", "2"},
	{"integers", "", "M\xff\xff"},
	{"empty lists", "", "]"},
	{"empty dicts", "", "}"},
	{"values made and dropped", "", "N0"},
	{"lists made and dropped", "", "]0"},
	{"marks made and dropped", "", "(0"},
	{"dropped to the mark", "", "(N1"},
	{"tuples of tuples", "N", "\x85"},
	{"tuples twice their tuple", "N", "2\x86"},
	{"lists of lists", "", "]("},
	{"lists of one memory", "]q\x00", "h\x00a"},
	{"a list to itself", "]q\x00", "(h\x00h\x00h\x00h\x00e"},
	{"a tuple of all there is", "(", "Nt("},
	{"a dict with itself", "}q\x00", "h\x00h\x00s"},
	{"a dict of integers", "}(", "M\x01\x02N"},
	{"dicts of one key", "U\x01kq\x00", "}h\x00Ns"},
	{"dicts of nine keys", "", "}(U\x01aNU\x01bNU\x01cNU\x01dNU\x01eNU\x01fNU\x01gNU\x01hNNNu"},
	{"long key again", "X\x00\x00\x10\x00" + strings.Repeat("k", 1<<20) + "q\x00}", "h\x00Ns"},
	{"long key in new dicts", "X\x00\x00\x10\x00" + strings.Repeat("k", 1<<20) + "q\x00", "}h\x00Ns"},
	{"long keys that end differently", longKeys(), "h\x00Ns"},
	{"memory", "N", "q\x00"},
	{"memory without end", "N", "\x94"},
	{"memory far away", "N", "r\x00\x00\x10\x00"},
	{"names", "", "c\n\n"},
	{"long names", "", "c" + strings.Repeat("m", 500) + "\n" + strings.Repeat("n", 500) + "\n"},
	{"names from memory", "X\xf4\x01\x00\x00" + strings.Repeat("m", 500) + "q\x00", "h\x00h\x00\x93"},
	{"calls", "cm\nC\nq\x00)q\x01", "h\x00h\x01R"},
	{"new objects", "cm\nC\nq\x00)q\x01", "h\x00h\x01\x81"},
	{"ordered dicts", "ccollections\nOrderedDict\nq\x00)q\x01", "h\x00h\x01R"},
	{"ordered dicts of a long list", "ccollections\nOrderedDict\nq\x00](" + strings.Repeat("NN\x86", 10_000) + "e\x85q\x01", "h\x00h\x01R"},
	{"ordered dicts of one key", "ccollections\nOrderedDict\nq\x00](" + strings.Repeat("U\x00N\x86", 10_000) + "e\x85q\x01", "h\x00h\x01R"},
	{"one list called", "ctorch\nSize\nq\x00](" + strings.Repeat("N", 10_000) + "e\x85q\x01", "h\x00h\x01R"},
	{"long bytes", "c_codecs\nencode\nq\x00X\x00\x00\x10\x00" + strings.Repeat("k", 1<<20) + "U\x06latin1\x86q\x01", "h\x00h\x01R"},
	{"storages", pidTuple, "h\x00Q"},
	{"storages with a long key", strings.Replace(pidTuple, "U\x010", "X\xf4\x01\x00\x00"+strings.Repeat("k", 500), 1), "h\x00Q"},
	{"tensors", "ctorch._utils\n_rebuild_tensor_v2\nq\x01(" + pid + "K\x00(" + strings.Repeat("K\x01", 64) + "t2tq\x02", "h\x01h\x02R"},
	{"parameters", "ctorch._utils\n_rebuild_parameter\nq\x01(" + rebuilt(pid + "K\x00))")[:len(rebuilt(pid+"K\x00))"))-1] + "\x88tq\x02", "h\x01h\x02R"},
	{"attributes", "cm\nC\n", "Nb"},
	{"short strings", "", "\x8c\x02xx"},
	{"short bytes", "", "C\x01x"},
	{"frames", "", "\x95........"},
	{"protocols", "", "\x80\x02"},
	{"long integers", "", "\x8a\x09xxxxxxxxx"},
}

const pidTuple = "(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x08tq\x00"

// longKeys is a dict with eight long keys that differ at their ends, the last one as value 0.
func longKeys() string {
	var b strings.Builder
	b.WriteString("}")
	for i := range 8 {
		fmt.Fprintf(&b, "X\x00\x00\x02\x00%s%dq%cNs", strings.Repeat("k", 1<<17-1), i, 7-i)
	}
	return b.String()
}

// storagesOf is a pickle of n storages, each with a tensor of its own.
func storagesOf(n int) []byte {
	b := []byte("ctorch._utils\n_rebuild_tensor_v2\nq\x01ctorch\nFloatStorage\nq\x02U\x07storageq\x03U\x03cpuq\x04)q\x05")
	for i := range n {
		b = append(b, "h\x01((h\x03h\x02X\x04\x00\x00\x00"...)
		b = binary.BigEndian.AppendUint32(b, uint32(i)&0x7f7f7f7f)
		b = append(b, "h\x04K\x01tQK\x00h\x05h\x05tR"...)
	}
	return b
}

// TestHostilePickles runs them in a few sizes, the long test as large as a pickle may be.
func TestHostilePickles(t *testing.T) {
	sizes := []int{1 << 10, 1 << 16, 1 << 19}
	if slow {
		sizes = append(sizes, maxPickle/8, maxPickle)
	}
	var most cost
	for _, n := range sizes {
		for _, h := range hostile {
			pickle := append([]byte(h.head), bytes.Repeat([]byte(h.body), max(0, n-len(h.head)-1)/len(h.body))...)
			c, opened, err := examine(pickled(append(pickle, '.')))
			require.NoError(t, err, "%s of %d bytes: %v", h.name, n, opened)
			most.add(c)
			if n == maxPickle {
				t.Logf("%-32s %v: %v", h.name, c, opened)
			}
		}
		pickle := storagesOf(n / 40)
		c, opened, err := examine(pickled(append(pickle, '.')))
		require.NoError(t, err, "%d storages: %v", n/40, opened)
		most.add(c)
	}
	c, opened, err := examine(pickled(make([]byte, maxPickle+1)))
	require.NoError(t, err)
	require.ErrorContains(t, opened, "claims 16777217 bytes vs at most 16777216")
	most.add(c)
	t.Log(most)
}
