package torchsave

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave/savetest"
)

// none is the pickle of None.
var none = []byte("\x80\x02N.")

// TestFolders checks where the pickle may lie.
func TestFolders(t *testing.T) {
	for _, c := range []struct {
		want  string
		names []string
	}{
		{"", []string{"data.pkl"}},
		{"", []string{"m/data.pkl", "m/version", "other/x", ".tmp"}},
		{"", []string{"../data.pkl", "../../etc/passwd", "/etc/passwd", `..\x`}}, // nothing is ever written
		{"", []string{"m/data.pkl", "n/m/data.pkl", "m/xdata.pkl", "n/code/x.py"}},
		{"", []string{"\xff\xfe/data.pkl", "\xff\xfe/data/\x80"}},
		{"without data.pkl", nil},
		{"without data.pkl", []string{"m/n/data.pkl", "mdata.pkl", "m/data.pkl/"}},
		{"two pickles", []string{"m/data.pkl", "n/data.pkl"}},
		{"two pickles", []string{"m/data.pkl", "data.pkl"}},
		{"two pickles", []string{"m/data.pkl", "m/data.pkl"}},
		{`two records "data/0"`, []string{"m/data.pkl", "m/data/0", "m/data/0"}},
		{"a TorchScript archive", []string{"m/data.pkl", "m/constants.pkl"}},
		{"a TorchScript archive", []string{"m/code/x.py", "m/data.pkl"}},
	} {
		var records []savetest.Record
		for _, n := range c.names {
			records = append(records, savetest.Record{Name: n, Data: none})
		}
		f, err := openBytes(pack("", records))
		if c.want == "" {
			require.NoError(t, err, "%q", c.names)
			require.Nil(t, f.Root())
			continue
		}
		require.ErrorIs(t, err, ErrFormat, "%q", c.names)
		require.ErrorContains(t, err, c.want, "%q", c.names)
		require.NoError(t, wellFormed(err))
	}
}

// TestByteOrder checks the record of newer files.
func TestByteOrder(t *testing.T) {
	for order, want := range map[string]string{
		"little": "", "big": "big-endian", "\xff\n": `the byte order "\xff\n"`, "": `the byte order ""`,
		strings.Repeat("x", 17): "claims 17 bytes vs at most 16",
	} {
		_, err := openBytes(pickled(none, savetest.Record{Name: "byteorder", Data: []byte(order)}))
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, ErrFormat)
		require.ErrorContains(t, err, want)
	}
}

// entry is the place of a record's entry in the directory of data.
func entry(data []byte, name string) int {
	for at := 0; ; at++ {
		at += bytes.Index(data[at:], []byte("PK\x01\x02"))
		if string(data[at+46:][:binary.LittleEndian.Uint16(data[at+28:])]) == name {
			return at
		}
	}
}

// deflated is an archive whose pickle is compressed: a bomb of a megabyte of zeros.
func deflated() []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	must(must(z.Create("m/data.pkl")).Write(make([]byte, 1<<20)))
	must(0, z.Close())
	return b.Bytes()
}

// hostileArchives are archives that claim what is not so. The text is part of the error.
func hostileArchives() map[string][]byte {
	le := binary.LittleEndian
	good := func() []byte { return pickled(none, savetest.Record{Name: "data/0", Data: count(100)}) }
	change := func(f func(b []byte)) []byte {
		b := good()
		f(b)
		return b
	}
	at := entry(good(), "m/data.pkl")
	end := len(good()) - 22 // the directory's end, zip64's 76 bytes before
	outside := pickled(none)
	for _, i := range []int{20, 24} {
		le.PutUint32(outside[entry(outside, "m/data.pkl")+i:], uint32(len(outside)-10))
	}
	out := map[string][]byte{
		"is compressed":            deflated(),
		"claims 4 bytes and 5":     change(func(b []byte) { b[at+24]++ }),
		"claim more than its":      change(func(b []byte) { le.PutUint32(b[at+20:], 1<<31) }),
		"ends outside the file":    outside,
		"checksum":                 change(func(b []byte) { b[at+16]++ }),
		"not a valid zip file":     change(func(b []byte) { le.PutUint32(b[at+42:], 1) }),
		"unexpected EOF":           change(func(b []byte) { le.PutUint32(b[at+42:], 1<<31) }),
		"(not a valid zip file)":   change(func(b []byte) { b[end+20] = 200 }),
		"damaged archive (n":       change(func(b []byte) { b[at] = 'X' }),
		"damaged archive":          change(func(b []byte) { le.PutUint16(b[end+10:], 0xffff); le.PutUint64(b[end-20+8:], 1<<63+5) }),
		"damaged archive (not a":   change(func(b []byte) { le.PutUint16(b[end+10:], 0xffff); le.PutUint64(b[end-76+48:], 1<<63+5) }),
		"damaged archive (":        change(func(b []byte) { le.PutUint16(b[end+10:], 0xffff); le.PutUint64(b[end-76+40:], 1<<62) }),
		"the archive's directory ": crowded(1 << 17),
	}
	// A record of data.pkl's bytes again and again: each entry points at the same place.
	many := []savetest.Record{{Name: "data.pkl", Data: none}, {Name: "data/0", Data: count(1 << 16)}}
	for i := range 100 {
		many = append(many, savetest.Record{Name: fmt.Sprintf("data/%03d", i)})
	}
	b := pack("m/", many)
	from := entry(b, "m/data/0")
	for i := range 100 {
		to := entry(b, fmt.Sprintf("m/data/%03d", i))
		copy(b[to+16:to+28], b[from+16:]) // checksum and sizes
		copy(b[to+42:to+46], b[from+42:]) // place
	}
	out["records claim more than"] = b
	return out
}

// crowded has a directory with many entries of nothing.
func crowded(n int) []byte {
	records := []savetest.Record{{Name: "data.pkl", Data: none}}
	for i := range n {
		records = append(records, savetest.Record{Name: fmt.Sprintf("%05x", i)})
	}
	return pack("", records)
}

func TestHostileArchives(t *testing.T) {
	var most cost
	for want, data := range hostileArchives() {
		c, opened, err := examine(data)
		require.NoError(t, err, want)
		require.ErrorContains(t, opened, want)
		most.add(c)
	}
	t.Log(most)
}

// TestCrowded has the largest directory that is read, nearly: it must not cost more than was promised either.
func TestCrowded(t *testing.T) {
	data := crowded(40_000)
	require.Less(t, 41_000*51, maxDirectory)
	c, opened, err := examine(data)
	require.NoError(t, err)
	require.NoError(t, opened)
	t.Log(c)
}

// TestZip64 reads an archive that says the sizes and places of its records in 64 bits, as those over 4 GB do.
func TestZip64(t *testing.T) {
	data := pickled(none)
	at := entry(data, "m/data.pkl")
	le := binary.LittleEndian
	extra := le.AppendUint64(le.AppendUint64(le.AppendUint64([]byte{1, 0, 24, 0}, 4), 4), 0)
	for i := at + 20; i < at+28; i++ {
		data[i] = 0xff
	}
	le.PutUint32(data[at+42:], 1<<32-1)
	le.PutUint16(data[at+30:], uint16(len(extra)))
	name := at + 46 + len("m/data.pkl")
	data = append(data[:name:name], append(extra, data[name:]...)...)
	for _, i := range []int{len(data) - 22 + 12, len(data) - 98 + 40} { // the length of the directory
		le.PutUint32(data[i:], le.Uint32(data[i:])+uint32(len(extra)))
	}
	le.PutUint64(data[len(data)-42+8:], uint64(len(data)-98))
	f, err := openBytes(data)
	require.NoError(t, err)
	require.Nil(t, f.Root())
}
