package safetensors

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

// FuzzRead checks that no file makes Read panic, that an accepted file can be read to the last byte, and that writing
// it again gives a file with the same content.
func FuzzRead(f *testing.F) {
	f.Add(specFile)
	f.Add(build("{}"))
	f.Add(build(one(`"dtype":"F32","shape":[1],"data_offsets":[0,4]`), 1, 2, 3, 4))
	f.Add(build(one(`"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]`)))
	f.Add(build(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}`, 1, 2, 3, 4))
	f.Add(build(`{"__metadata__":{"a":"b"},"a":{"dtype":"BOOL","shape":[],"data_offsets":[0,1]},"b":{"dtype":"I8","shape":[0],"data_offsets":[0,0]}}`, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := open(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("not ErrFormat: %v", err)
			}
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
