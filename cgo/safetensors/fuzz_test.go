package safetensors

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"
)

// mostAllocated is what reading a file may allocate, freed bytes too: two thirds are tokens, which are freed at once.
func mostAllocated(file []byte) uint64 { return uint64(1<<17 + 100*len(file)) }

// opened is open, and an error if it took more memory than the file pays for or gave a text that is not one line.
func opened(b []byte) (f *File, err, bad error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err = open(b)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > mostAllocated(b) {
		return f, err, fmt.Errorf("%d bytes allocated for a file of %d", n, len(b))
	}
	if err == nil {
		return f, nil, nil
	}
	if s := err.Error(); !errors.Is(err, ErrFormat) || !strings.HasPrefix(s, "safetensors: ") || len(s) > 500 ||
		strings.ContainsAny(s, "\n\r\x1b") || !utf8.ValidString(s) {
		return f, err, fmt.Errorf("got error %q", s)
	}
	return f, err, nil
}

// FuzzRead checks that no file makes Read panic, that an accepted file can be read to the last byte, that writing it again
// gives a file with the same content, and what it costs.
func FuzzRead(f *testing.F) {
	f.Add(specFile)
	f.Add(build("{}"))
	f.Add(build(one(`"dtype":"F32","shape":[1],"data_offsets":[0,4]`), 1, 2, 3, 4))
	f.Add(build(one(`"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]`)))
	f.Add(build(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}`, 1, 2, 3, 4))
	f.Add(build(`{"__metadata__":{"a":"b"},"a":{"dtype":"BOOL","shape":[],"data_offsets":[0,1]},"b":{"dtype":"I8","shape":[0],"data_offsets":[0,0]}}`, 1))
	for _, text := range hostileHeaders(200) {
		f.Add(build(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err, bad := opened(b)
		if bad != nil {
			t.Fatal(bad)
		}
		if err != nil {
			return
		}
		var tensors []Tensor
		total := 0
		for _, e := range file.Entries() {
			data, err := file.Bytes(e.Name)
			if err != nil {
				t.Fatal(err)
			}
			total += len(data)
			tensors = append(tensors, Tensor{e.Name, e.DType, e.Shape, Raw(data)})
		}
		if total > len(b) {
			t.Fatalf("%d bytes of data in a file of %d", total, len(b))
		}
		var out bytes.Buffer
		if err := Write(&out, tensors, file.Metadata()); err != nil {
			t.Fatal(err)
		}
		again, err := open(out.Bytes())
		if err != nil {
			t.Fatalf("written again: %v", err)
		}
		if !reflect.DeepEqual(again.Names(), file.Names()) {
			t.Fatalf("names: got %q, want %q", again.Names(), file.Names())
		}
		for _, tensor := range tensors {
			data, err := again.Bytes(tensor.Name)
			if err != nil || !bytes.Equal(data, tensor.Data.(Raw)) {
				t.Fatalf("%q: got %x, %v", tensor.Name, data, err)
			}
		}
	})
}

// hostileHeaders are headers of n parts each that try to take more memory or time than their length deserves.
func hostileHeaders(n int) map[string]string {
	entries := make([]string, n)
	for i := range entries {
		entries[i] = fmt.Sprintf(`"%x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, i)
	}
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf(`"%x":""`, i)
	}
	return map[string]string{
		"entries":         "{" + strings.Join(entries, ",") + "}",
		"the same entry":  "{" + strings.Repeat(entries[0]+",", n) + entries[0] + "}",
		"dimensions":      one(`"dtype":"U8","shape":[` + strings.Repeat("0,", n) + `0],"data_offsets":[0,0]`),
		"offsets":         one(`"dtype":"U8","shape":[0],"data_offsets":[` + strings.Repeat("0,", n) + `0]`),
		"metadata":        `{"__metadata__":{` + strings.Join(keys, ",") + "}}",
		"brackets":        one(`"dtype":"U8","shape":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `,"data_offsets":[0,0]`),
		"braces":          strings.Repeat(`{"a":`, n) + "{}" + strings.Repeat("}", n),
		"a long name":     `{"` + strings.Repeat("n", n) + `":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`,
		"escapes":         `{"` + strings.Repeat(`\u0000`, n) + `":{"dtype":"U9","shape":[0],"data_offsets":[0,0]}}`,
		"a long number":   one(`"dtype":"U8","shape":[` + strings.Repeat("9", n) + `],"data_offsets":[0,0]`),
		"spaces":          "{" + strings.Repeat(" \n", n) + "}",
		"a long type":     one(`"dtype":"` + strings.Repeat("x", n) + `","shape":[0],"data_offsets":[0,0]`),
		"unknown members": one(`"` + strings.Repeat("x\\n", n) + `":1`),
	}
}

func TestHostileHeaders(t *testing.T) {
	for name, text := range hostileHeaders(20_000) {
		file := build(text)
		f, err, bad := opened(file)
		if bad != nil {
			t.Errorf("%s: %v", name, bad)
		}
		if want := name == "entries" || name == "metadata" || name == "a long name" || name == "spaces" || name == "dimensions"; want != (err == nil) {
			t.Errorf("%s: got error %v", name, err)
		}
		if name == "entries" && f != nil && f.Len() != 20_000 {
			t.Errorf("%d entries", f.Len())
		}
	}
}
