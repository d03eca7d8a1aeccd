package checkpoint

import (
	"bytes"
	"fmt"
	"io"
	"iter"

	"github.com/tigas-train/tigas-train/cgo/safetensors"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

var toFile = map[torch.DType]safetensors.DType{
	torch.Float32: safetensors.F32, torch.Float64: safetensors.F64, torch.Float16: safetensors.F16,
	torch.BFloat16: safetensors.BF16, torch.Int64: safetensors.I64, torch.Int32: safetensors.I32,
	torch.Int16: safetensors.I16, torch.Int8: safetensors.I8, torch.Uint8: safetensors.U8, torch.Bool: safetensors.Bool,
}

// Save writes tensors to a safetensors file, in one step: a full disk leaves the old file, or none. One tensor at a time
// is copied to Go memory, so the peak is the largest one.
func Save(path string, tensors iter.Seq2[string, *torch.Tensor], metadata map[string]string) error {
	return safetensors.WriteFile(path, entries(tensors), metadata)
}

func write(w io.Writer, tensors iter.Seq2[string, *torch.Tensor], metadata map[string]string) error {
	return safetensors.Write(w, entries(tensors), metadata)
}

func entries(tensors iter.Seq2[string, *torch.Tensor]) (l []safetensors.Tensor) {
	for name, t := range tensors {
		l = append(l, safetensors.Tensor{Name: name, DType: toFile[t.DType()], Shape: t.Shape(), Data: lazy{t}})
	}
	return l
}

// lazy copies a tensor when it is its turn.
type lazy struct{ t *torch.Tensor }

func (l lazy) WriteTo(w io.Writer) (int64, error) {
	var data []byte
	if err := torch.Try(func() { data = l.t.RawBytes() }); err != nil {
		return 0, err
	}
	return bytes.NewReader(data).WriteTo(w)
}

// Load reads every tensor of a safetensors file into s, on a device.
func Load(s *torch.Scope, path string, d torch.Device) (map[string]*torch.Tensor, map[string]string, error) {
	return LoadSome(s, path, d, func(string) bool { return true })
}

// LoadSome is Load for the tensors whose names want is true for: to draw pictures one needs a quarter of a snapshot.
func LoadSome(s *torch.Scope, path string, d torch.Device, want func(name string) bool) (map[string]*torch.Tensor, map[string]string, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	out := make(map[string]*torch.Tensor, f.Len())
	for _, e := range f.Entries() {
		if !want(e.Name) {
			continue
		}
		dtype := torch.DefaultDType
		for k, v := range toFile {
			if v == e.DType {
				dtype = k
			}
		}
		if dtype == torch.DefaultDType {
			return nil, nil, fmt.Errorf("checkpoint: %s: %s: elements of type %s have no form here", path, e.Name, e.DType)
		}
		data, err := f.Bytes(e.Name)
		if err != nil {
			return nil, nil, err
		}
		if out[e.Name], err = s.FromBytes(data, dtype, d, e.Shape...); err != nil {
			return nil, nil, fmt.Errorf("checkpoint: %s: %s: %w", path, e.Name, err)
		}
	}
	return out, f.Metadata(), nil
}

// Metadata reads the header of a safetensors file.
func Metadata(path string) (map[string]string, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Metadata(), nil
}
