package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

// build puts a file together from its header text and data, without this package's writer.
func build(header string, data ...byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func open(b []byte) (*File, error) { return Read(bytes.NewReader(b), int64(len(b))) }

// specFile is a file put together by hand after the published description of the format: the length of the header
// counts its padding, the entries stand in the header in another order than in the data, there is a scalar, an entry
// without elements, and white space where JSON allows it.
var specFile = []byte("" +
	"\xe8\x00\x00\x00\x00\x00\x00\x00" + // 232 = 53 + 59 + 60 + 56 + 4 bytes of padding
	`{ "__metadata__" : {"format":"pt", "note":"\u00e9"},` + "\n" +
	`"scalar":{"dtype":"I64","shape":[],"data_offsets":[12,20]},` +
	`"none":{"dtype":"F32","shape":[0,3],"data_offsets":[12,12]},` +
	`"w":{"data_offsets":[0,12],"shape":[2,3],"dtype":"F16"}}` +
	"    " +
	"\x00\x3c\x00\x40\x00\x42\x00\x44\x00\x45\x00\x46" + // 1 to 6 as F16
	"\xfe\xff\xff\xff\xff\xff\xff\xff") // -2 as I64

func TestReadsWhatTheSpecificationAllows(t *testing.T) {
	f, err := open(specFile)
	if err != nil {
		t.Fatal(err)
	}
	base := int64(len(specFile) - 20)
	want := []Entry{
		{"w", F16, []int64{2, 3}, base, 12},
		{"none", F32, []int64{0, 3}, base + 12, 0},
		{"scalar", I64, []int64{}, base + 12, 8},
	}
	if got := f.Entries(); !reflect.DeepEqual(got, want) {
		t.Errorf("entries: got %+v, want %+v", got, want)
	}
	if got := f.Names(); !slices.Equal(got, []string{"w", "none", "scalar"}) || f.Len() != 3 {
		t.Errorf("names: got %q", got)
	}
	if got, want := f.Metadata(), map[string]string{"format": "pt", "note": "é"}; !maps.Equal(got, want) {
		t.Errorf("metadata: got %q, want %q", got, want)
	}
	if b, err := f.Bytes("scalar"); err != nil || binary.LittleEndian.Uint64(b) != 1<<64-2 {
		t.Errorf("scalar: got %x, %v", b, err)
	}
	if b, err := f.Bytes("none"); err != nil || len(b) != 0 {
		t.Errorf("none: got %x, %v", b, err)
	}
	r, err := f.Reader("w")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, specFile[base:base+12]) {
		t.Errorf("w: got %x, %v", b, err)
	}
	for name, err := range map[string]error{
		"no entry":     f.ReadEntry("x", nil),
		"wrong length": f.ReadEntry("w", make([]byte, 11)),
	} {
		if err == nil || errors.Is(err, ErrFormat) || !strings.HasPrefix(err.Error(), "safetensors: ") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestReadsEmptyFile(t *testing.T) {
	for _, header := range []string{"{}", "{}      ", `{"__metadata__":{}}`} {
		f, err := open(build(header))
		if err != nil || f.Len() != 0 {
			t.Errorf("%s: got %v", header, err)
		}
	}
}

// one is a header with a single entry of the given members.
func one(members string) string { return `{"a":{` + members + `}}` }

func TestRefusesMalformedFiles(t *testing.T) {
	four := []byte{1, 2, 3, 4}
	two := func(a, b string) string {
		return fmt.Sprintf(`{"a":{"dtype":"U8","shape":[2],"data_offsets":%s},"b":{"dtype":"U8","shape":[2],"data_offsets":%s}}`, a, b)
	}
	good := `"dtype":"F32","shape":[1],"data_offsets":[0,4]`
	if _, err := open(build(one(good), four...)); err != nil {
		t.Fatal(err)
	}
	huge := build("{}")
	copy(huge, "\xff\xff\xff\xff\xff\xff\xff\xff")
	over := build("{}")
	binary.LittleEndian.PutUint64(over, maxHeader+1)
	for _, v := range []struct {
		name, want string
		file       []byte
	}{
		{"empty", "too short", nil},
		{"seven bytes", "too short", []byte("1234567")},
		{"huge header", "header too long", huge},
		{"header over the limit", "header too long", over},
		{"header outside the file", "header ends outside the file", build("{}")[:9]},
		{"no header", "does not start with {", build("")},
		{"space first", "does not start with {", build(" {}")},
		{"array", "does not start with {", build("[]")},
		{"not utf-8", "not valid utf-8", build("{\"\xff\":1}")},
		{"not json", "not valid json", build(`{"a":}`)},
		{"missing comma", "not valid json", build(`{"__metadata__":{} "a":{}}`)},
		{"cut json", "not valid json", build(`{"a":{`)},
		{"two values", "not valid json", build(`{}{}`)},
		{"nul padding", "not valid json", build("{}\x00\x00")},
		{"metadata null", "want an object", build(`{"__metadata__":null}`)},
		{"metadata number", "want a string", build(`{"__metadata__":{"a":1}}`)},
		{"metadata object", "want a string", build(`{"__metadata__":{"a":{}}}`)},
		{"metadata twice", "duplicate name", build(`{"__metadata__":{},"__metadata__":{}}`)},
		{"metadata key twice", "duplicate key", build(`{"__metadata__":{"a":"1","a":"2"}}`)},
		{"entry no object", "want an object", build(`{"a":[]}`)},
		{"entry twice", "duplicate name", build(`{"a":{`+good+`},"a":{`+good+`}}`, four...)},
		{"entry twice by escape", "duplicate name", build(`{"a":{`+good+`},"\u0061":{`+good+`}}`, four...)},
		{"field twice", "duplicate field", build(one(good+`,"shape":[1]`), four...)},
		{"unknown field", "unknown field", build(one(good+`,"codec":"x"`), four...)},
		{"field missing", "want dtype, shape and data_offsets", build(one(`"dtype":"F32","shape":[1]`), four...)},
		{"dtype unknown", "unknown dtype", build(one(`"dtype":"F33","shape":[1],"data_offsets":[0,4]`), four...)},
		{"dtype lower case", "unknown dtype", build(one(`"dtype":"f32","shape":[1],"data_offsets":[0,4]`), four...)},
		{"dtype number", "want a string", build(one(`"dtype":1,"shape":[1],"data_offsets":[0,4]`), four...)},
		{"shape negative", "negative number", build(one(`"dtype":"U8","shape":[-4],"data_offsets":[0,4]`), four...)},
		{"shape minus zero", "negative number", build(one(`"dtype":"U8","shape":[-0],"data_offsets":[0,0]`))},
		{"shape fraction", "not an integer", build(one(`"dtype":"U8","shape":[4.0],"data_offsets":[0,4]`), four...)},
		{"shape exponent", "not an integer", build(one(`"dtype":"U8","shape":[4e0],"data_offsets":[0,4]`), four...)},
		{"shape too large", "not an integer", build(one(`"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,4]`), four...)},
		{"shape string", "want integers", build(one(`"dtype":"U8","shape":["4"],"data_offsets":[0,4]`), four...)},
		{"shape nested", "want integers", build(one(`"dtype":"U8","shape":[[4]],"data_offsets":[0,4]`), four...)},
		{"shape no array", "want an array", build(one(`"dtype":"U8","shape":4,"data_offsets":[0,4]`), four...)},
		{"shape overflow", "size overflows", build(one(`"dtype":"F32","shape":[4611686018427387905,4],"data_offsets":[0,4]`), four...)},
		{"item size overflow", "size overflows", build(one(`"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]`))},
		{"size too small", "size does not match", build(one(`"dtype":"F32","shape":[1],"data_offsets":[0,3]`), four...)},
		{"size too large", "size does not match", build(one(`"dtype":"U8","shape":[3],"data_offsets":[0,4]`), four...)},
		{"offsets one", "got 1 numbers", build(one(`"dtype":"U8","shape":[4],"data_offsets":[4]`), four...)},
		{"offsets three", "got 3 numbers", build(one(`"dtype":"U8","shape":[4],"data_offsets":[0,4,4]`), four...)},
		{"offsets reversed", "end before begin", build(one(`"dtype":"U8","shape":[4],"data_offsets":[4,0]`), four...)},
		{"offsets negative", "negative number", build(one(`"dtype":"U8","shape":[4],"data_offsets":[-4,0]`), four...)},
		{"offsets outside", "ends outside the data", build(one(`"dtype":"U8","shape":[5],"data_offsets":[0,5]`), four...)},
		{"offsets far outside", "ends outside the data", build(one(`"dtype":"U8","shape":[1],"data_offsets":[9223372036854775806,9223372036854775807]`), four...)},
		{"truncated data", "ends outside the data", build(one(good), four[:3]...)},
		{"trailing data", "trailing data", build(one(good), 1, 2, 3, 4, 5)},
		{"trailing data alone", "trailing data", build("{}", 1)},
		{"hole at the start", "hole before", build(one(`"dtype":"U8","shape":[3],"data_offsets":[1,4]`), four...)},
		{"hole", "hole before", build(two("[0,2]", "[3,5]"), 1, 2, 3, 4, 5)},
		{"overlap", "overlaps", build(two("[0,2]", "[1,3]"), four...)},
		{"same place", "overlaps", build(two("[0,2]", "[0,2]"), four...)},
		{"empty inside another", "overlaps", build(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}}`, four...)},
		{"newline in name", "unknown dtype", build(`{"a\nb":{"dtype":"x\ny","shape":[],"data_offsets":[0,0]}}`)},
		{"long name", "unknown dtype", build(`{"` + strings.Repeat("n", 1000) + `":{"dtype":"","shape":[],"data_offsets":[0,0]}}`)},
	} {
		f, err := open(v.file)
		switch {
		case err == nil:
			t.Errorf("%s: no error, got %+v", v.name, f.Entries())
		case !strings.Contains(err.Error(), v.want) || !strings.HasPrefix(err.Error(), "safetensors: "):
			t.Errorf("%s: got error %q, want %q in it", v.name, err, v.want)
		case !errors.Is(err, ErrFormat):
			t.Errorf("%s: error %q is not ErrFormat", v.name, err)
		case strings.Contains(err.Error(), "\n") || len(err.Error()) > 300:
			t.Errorf("%s: error is long: %q", v.name, err)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.safetensors")
	if err := os.WriteFile(path, specFile, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if b, err := f.Bytes("w"); err != nil || len(b) != 12 {
				t.Errorf("got %x, %v", b, err)
			}
		})
	}
	wg.Wait()
	if f.Path() != path {
		t.Errorf("path: got %q", f.Path())
	}
	// The file shrinks while it is open: an error, not a wrong tensor.
	if err := os.Truncate(path, int64(len(specFile)-1)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Bytes("scalar"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("shrunk file: got error %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.Bytes("w"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed file: got error %v", err)
	}

	_, err = Open(path)
	if want := "safetensors: " + path + ": entry \"scalar\" ends outside the data: got offset 20, want at most 19 (file truncated?)"; err == nil || err.Error() != want {
		t.Errorf("truncated file: got error %v, want %s", err, want)
	}
	_, err = Open(filepath.Join(dir, "none"))
	if want := "safetensors: " + dir + "/none: stat: no such file or directory"; err == nil || err.Error() != want || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: got error %v, want %s", err, want)
	}
	if _, err = Open(dir); err == nil || errors.Is(err, ErrFormat) {
		t.Errorf("folder: got error %v", err)
	}
}

// A header may claim far more data than there is; only the header itself may be allocated.
func TestAllocatesNoMoreThanTheFile(t *testing.T) {
	file := build(one(`"dtype":"U8","shape":[1000000000000],"data_offsets":[0,1000000000000]`))
	n := testing.AllocsPerRun(5, func() { open(file) })
	if n > 200 {
		t.Errorf("got %v allocations", n)
	}
	if _, err := Read(bytes.NewReader(file), 1<<50); err == nil {
		t.Error("wrong size: no error")
	}
}
