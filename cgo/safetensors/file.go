package safetensors

import (
	"os"

	"github.com/tigas-train/tigas-train/cgo/atomicfile"
)

// WriteFile writes a file as [Write] does, and puts it at path in one step, see [atomicfile.Write]: on any error an older
// file at path stays as it was.
func WriteFile(path string, tensors []Tensor, metadata map[string]string) error {
	return at(path, atomicfile.Write(path, func(f *os.File) error { return write(bareWriter{f}, tensors, metadata) }))
}

// bareWriter is a file whose errors do not name it.
type bareWriter struct{ f *os.File }

func (w bareWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	return n, atomicfile.Bare(err)
}
