package safetensors

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf8"
)

// Tensor is one tensor to write.
type Tensor struct {
	Name  string // valid UTF-8, not "__metadata__", different from all others of the file
	DType DType
	Shape []int64     // empty or nil for a scalar
	Data  io.WriterTo // writes the elements: row-major, little endian; [Raw] for bytes at hand; nil if there are none
}

// Raw is data that is in memory, as the Data of a [Tensor].
type Raw []byte

// WriteTo writes the bytes to w.
func (r Raw) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(r)
	return int64(n), err
}

// Write writes a file with the tensors in the given order. The same arguments give the same bytes: metadata is sorted
// by key, and left out if it is empty.
//
// Each tensor's Data is written once, after the header, so data can be fetched piece by piece from wherever it is.
// Write fails before writing anything if a name, type, shape or the metadata cannot be stored, and afterwards if w
// fails or if a tensor's Data writes more or fewer bytes than its type and shape say.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	return at("", write(w, tensors, metadata))
}

func write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	entries, err := layout(tensors, metadata)
	if err != nil {
		return err
	}
	text, err := encodeHeader(entries, metadata)
	if err != nil {
		return err
	}
	bw := bufio.NewWriterSize(w, 1<<16) // models have many small tensors
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], uint64(len(text)))
	bw.Write(length[:]) // bufio keeps the first error for Flush
	bw.Write(text)
	for i, t := range tensors {
		if err := writeData(bw, t.Data, entries[i].Size); err != nil {
			return fmt.Errorf("entry %s: %w", quote(t.Name), err)
		}
	}
	return bw.Flush()
}

// layout checks what is to be written and gives each tensor its place.
func layout(tensors []Tensor, metadata map[string]string) ([]Entry, error) {
	for k, v := range metadata {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return nil, fmt.Errorf("metadata is not valid utf-8: got %s: %s", quote(k), quote(v))
		}
	}
	entries := make([]Entry, len(tensors))
	seen := make(map[string]bool, len(tensors))
	var end int64
	for i, t := range tensors {
		switch {
		case !utf8.ValidString(t.Name):
			return nil, fmt.Errorf("name is not valid utf-8: got %s", quote(t.Name))
		case t.Name == metadataKey:
			return nil, fmt.Errorf("name is reserved: got %s", quote(t.Name))
		case seen[t.Name]:
			return nil, fmt.Errorf("duplicate name %s", quote(t.Name))
		}
		seen[t.Name] = true
		size, err := ByteSize(t.DType, t.Shape)
		if err != nil {
			return nil, fmt.Errorf("entry %s: %w", quote(t.Name), err)
		}
		if size > math.MaxInt64-maxHeader-8-end {
			return nil, fmt.Errorf("entry %s: file too large", quote(t.Name))
		}
		if t.Data == nil && size > 0 {
			return nil, fmt.Errorf("entry %s: no data: want %d bytes", quote(t.Name), size)
		}
		entries[i] = Entry{Name: t.Name, DType: t.DType, Shape: t.Shape, Offset: end, Size: size}
		end += size
	}
	return entries, nil
}

// writeData writes exactly size bytes of data.
func writeData(w io.Writer, data io.WriterTo, size int64) error {
	if data == nil {
		return nil
	}
	lw := &limitedWriter{w: w, left: size}
	if _, err := data.WriteTo(lw); err != nil {
		return err
	}
	if lw.over {
		return fmt.Errorf("%w: want %d bytes", errTooMuch, size)
	}
	if lw.left != 0 {
		return fmt.Errorf("too little data: got %d bytes, want %d", size-lw.left, size)
	}
	return nil
}

var errTooMuch = errors.New("too much data")

// limitedWriter passes on at most left bytes, so that one tensor cannot spill over into the next.
type limitedWriter struct {
	w    io.Writer
	left int64
	over bool // more was written, even if the writer ignored the error
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		l.over = true
		return 0, fmt.Errorf("%w: want %d bytes fewer", errTooMuch, int64(len(p))-l.left)
	}
	n, err := l.w.Write(p)
	l.left -= int64(n)
	return n, err
}
