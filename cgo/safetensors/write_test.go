package safetensors

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func f32(v ...float32) Raw {
	var b Raw
	for _, x := range v {
		u := math.Float32bits(x)
		b = append(b, byte(u), byte(u>>8), byte(u>>16), byte(u>>24))
	}
	return b
}

func TestGolden(t *testing.T) {
	for _, v := range []struct {
		tensors  []Tensor
		metadata map[string]string
		want     string
	}{
		{nil, nil, "\x08\x00\x00\x00\x00\x00\x00\x00{}      "},
		{nil, map[string]string{}, "\x08\x00\x00\x00\x00\x00\x00\x00{}      "},
		{nil, map[string]string{"framework": "pt"}, "\x28\x00\x00\x00\x00\x00\x00\x00" + `{"__metadata__":{"framework":"pt"}}     `},
		{
			[]Tensor{{"attn.0", F32, []int64{1, 2, 3}, f32(0, 1, 2, 3, 4, 5)}}, nil,
			"\x40\x00\x00\x00\x00\x00\x00\x00" + `{"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}}` +
				"\x00\x00\x00\x00\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40\x00\x00\x80\x40\x00\x00\xa0\x40",
		},
		{
			[]Tensor{{"b<\"\n", U8, nil, Raw{7}}, {"a", BF16, []int64{0}, nil}, {"c", Bool, []int64{2}, Raw{1, 0}}},
			map[string]string{"z": "1", "a": "&"},
			"\xc8\x00\x00\x00\x00\x00\x00\x00" + `{"__metadata__":{"a":"&","z":"1"},"b<\"\n":{"dtype":"U8","shape":[],"data_offsets":[0,1]},` +
				`"a":{"dtype":"BF16","shape":[0],"data_offsets":[1,1]},"c":{"dtype":"BOOL","shape":[2],"data_offsets":[1,3]}}` +
				"  \x07\x01\x00",
		},
	} {
		var b bytes.Buffer
		if err := Write(&b, v.tensors, v.metadata); err != nil {
			t.Fatal(err)
		}
		if b.String() != v.want {
			t.Errorf("got  %q\nwant %q", b.String(), v.want)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	var tensors []Tensor
	for i, d := range []DType{Bool, U8, I8, F8E5M2, F8E4M3, I16, U16, F16, BF16, I32, U32, F32, F64, I64, U64} {
		shape := []int64{int64(i), 3}[:i%3]
		n, err := ByteSize(d, shape)
		if err != nil {
			t.Fatal(err)
		}
		data := make(Raw, n)
		for j := range data {
			data[j] = byte(i + j)
		}
		tensors = append(tensors, Tensor{"layer " + string(d) + " \u2028 ü", d, shape, data})
	}
	metadata := map[string]string{"format": "pt", "": "empty", "json": `{"a":[1,2]}`}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := WriteFile(path, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !maps.Equal(f.Metadata(), metadata) || f.Len() != len(tensors) {
		t.Errorf("got metadata %q and %d entries", f.Metadata(), f.Len())
	}
	for i, e := range f.Entries() {
		want := tensors[i]
		got, err := f.Bytes(e.Name)
		if err != nil || e.Name != want.Name || e.DType != want.DType || !slices.Equal(e.Shape, want.Shape) ||
			!bytes.Equal(got, want.Data.(Raw)) {
			t.Errorf("entry %d: got %+v, %v, want %+v", i, e, err, want)
		}
	}
}

// source writes n bytes in pieces, then fails with err.
type source struct {
	n   int
	err error
}

func (s source) WriteTo(w io.Writer) (int64, error) {
	for i := range s.n {
		w.Write([]byte{byte(i)}) // errors are ignored on purpose: too much must be noticed all the same
	}
	return int64(s.n), s.err
}

func TestWriteRefuses(t *testing.T) {
	four := []int64{4}
	failed := errors.New("device lost")
	for _, v := range []struct {
		name, want string
		tensors    []Tensor
		metadata   map[string]string
	}{
		{"reserved name", "reserved", []Tensor{{"__metadata__", U8, four, source{4, nil}}}, nil},
		{"name twice", "duplicate name", []Tensor{{"a", U8, four, source{4, nil}}, {"a", U8, four, source{4, nil}}}, nil},
		{"name not utf-8", "not valid utf-8", []Tensor{{"\xff", U8, four, source{4, nil}}}, nil},
		{"metadata not utf-8", "not valid utf-8", nil, map[string]string{"a": "\xff"}},
		{"dtype", "unknown dtype", []Tensor{{"a", "F4", four, source{4, nil}}}, nil},
		{"negative", "negative dimension", []Tensor{{"a", U8, []int64{-4}, source{4, nil}}}, nil},
		{"overflow", "size overflows", []Tensor{{"a", U8, []int64{1 << 40, 1 << 40}, source{4, nil}}}, nil},
		{"sum overflows", "file too large", []Tensor{{"a", U8, []int64{1 << 62}, source{}}, {"b", U8, []int64{1 << 62}, source{}}}, nil},
		{"no data", "no data", []Tensor{{"a", U8, four, nil}}, nil},
		{"too little", "too little data: got 3 bytes, want 4", []Tensor{{"a", U8, four, source{3, nil}}}, nil},
		{"too much", "too much data", []Tensor{{"a", U8, four, source{5, nil}}}, nil},
		{"too much at once", "too much data", []Tensor{{"a", U8, four, Raw{1, 2, 3, 4, 5}}}, nil},
		{"source fails", "device lost", []Tensor{{"a", U8, four, source{2, failed}}}, nil},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "m")
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := WriteFile(path, v.tensors, v.metadata)
		if err == nil || !strings.Contains(err.Error(), v.want) || !strings.HasPrefix(err.Error(), "safetensors: "+path+": ") {
			t.Errorf("%s: got error %v, want %q", v.name, err, v.want)
		}
		checkOld(t, v.name, dir)
		if err := Write(io.Discard, v.tensors, v.metadata); err == nil {
			t.Errorf("%s: Write gave no error", v.name)
		}
	}
	if err := WriteFile("m", []Tensor{{"a", U8, four, source{2, failed}}}, nil); !errors.Is(err, failed) {
		t.Errorf("error of the source is not kept: %v", err)
	}
}

// checkOld checks that a failed write left the old file and nothing else.
func checkOld(t *testing.T, name, dir string) {
	t.Helper()
	if b, err := os.ReadFile(filepath.Join(dir, "m")); err != nil || string(b) != "old" {
		t.Errorf("%s: old file is now %q, %v", name, b, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%s: left behind %v", name, entries)
	}
}

type panics struct{}

func (panics) WriteTo(io.Writer) (int64, error) { panic("boom") }

func TestPanicLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "m"), []byte("old"), 0o600)
	func() {
		defer func() { recover() }()
		WriteFile(filepath.Join(dir, "m"), []Tensor{{"a", U8, []int64{1}, panics{}}}, nil)
	}()
	checkOld(t, "panic", dir)
}

func TestWriteFileErrorsNameThePathOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "m")
	err := WriteFile(path, nil, nil)
	if want := "safetensors: " + path + ": open: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

type fullWriter struct{ left int }

var errFull = errors.New("no space left")

func (w *fullWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.left -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestWriteReportsAFullWriter(t *testing.T) {
	tensors := []Tensor{{"a", U8, []int64{200000}, make(Raw, 200000)}, {"b", U8, []int64{2}, Raw{1, 2}}}
	var b bytes.Buffer
	if err := Write(&b, tensors, nil); err != nil {
		t.Fatal(err)
	}
	for _, room := range []int{0, 1, 8, 100, 70000, b.Len() - 1} {
		if err := Write(&fullWriter{room}, tensors, nil); !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: got error %v", room, err)
		}
	}
	if err := Write(&fullWriter{b.Len()}, tensors, nil); err != nil {
		t.Errorf("room for all: got error %v", err)
	}
}
