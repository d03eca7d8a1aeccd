package torchsave

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave/savetest"
)

func openBytes(data []byte) (*File, error) { return NewReader(bytes.NewReader(data), int64(len(data))) }

func isScript(err error) bool { return errors.Is(err, ErrTorchScript) }

// must is v; the errors of savetest are mistakes of the test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// pack is an archive with these records.
func pack(prefix string, records []savetest.Record) []byte {
	var b bytes.Buffer
	must(0, savetest.Archive(&b, prefix, records))
	return b.Bytes()
}

// saved is a file of torch 1.13, or of a newer one.
func saved(root savetest.Value, newer bool) []byte {
	var b bytes.Buffer
	must(0, savetest.Format{Newer: newer}.Write(&b, root))
	return b.Bytes()
}

// pickled is a file with this pickle.
func pickled(pickle []byte, records ...savetest.Record) []byte {
	return pack("m/", append([]savetest.Record{{Name: "data.pkl", Data: pickle}}, records...))
}

// unpacked are the records of a file, their names complete.
func unpacked(data []byte) []savetest.Record {
	z := must(zip.NewReader(bytes.NewReader(data), int64(len(data))))
	var out []savetest.Record
	for _, e := range z.File {
		r := must(e.Open())
		out = append(out, savetest.Record{Name: e.Name, Data: must(io.ReadAll(r))})
	}
	return out
}

func fixture(name string) []byte { return must(os.ReadFile(filepath.Join("testdata", name))) }

// TestArchivesOfTorch checks that the archives of savetest, which the tests below are made of, are those of torch to the
// byte, but for the date in the directory.
func TestArchivesOfTorch(t *testing.T) {
	for _, name := range []string{"small.pt", "proto4.pt", "foreign.pt"} {
		want := fixture(name)
		prefix := strings.TrimSuffix(name, ".pt") + "/"
		records := unpacked(want)
		for i := range records {
			records[i].Name = strings.TrimPrefix(records[i].Name, prefix)
		}
		got := pack(prefix, records)
		require.Len(t, got, len(want))
		for i := range want {
			if want[i] != got[i] { // the only bytes that differ are time and date of an entry of the directory
				at := bytes.LastIndex(want[:i], []byte("PK\x01\x02"))
				require.True(t, at >= 0 && i-at >= 12 && i-at < 16, "%s: byte %d", name, i)
			}
		}
	}
}
