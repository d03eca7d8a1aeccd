package torchsave

import (
	"bytes"
	"io"
)

// maxRepeated is how large a tensor may be that is larger than its storage, as it shows elements many times.
const maxRepeated = 16 << 20

// Read returns the elements of t, a tensor of this file, in row-major order, little endian, their checksum verified. The
// bytes are the caller's.
//
// A tensor may show one element many times. Read refuses one that so becomes larger than its storage and than 16 MB;
// [Tensor.Bytes] tells the size before.
func (f *File) Read(t *Tensor) ([]byte, error) {
	data, err := f.read(t)
	return data, at(f.path, err)
}

func (f *File) read(t *Tensor) ([]byte, error) {
	if t == nil || t.storage == nil {
		return nil, malformed("a tensor of no file")
	}
	st, size := t.storage, t.DType.Size()
	name := "data/" + st.key
	s, err := f.section(name)
	if err != nil {
		return nil, err
	}
	// A storage may be longer than what was said; it is then as good.
	if s.Size() < st.bytes {
		return nil, malformed("storage %s has %d bytes vs %d that its tensors say", quote(st.key), s.Size(), st.bytes)
	}
	n := t.Bytes()
	if n > max(s.Size(), maxRepeated) {
		return nil, malformed("a tensor of shape %s shows the elements of its storage so often that it has %d bytes", brief(t.Shape), n)
	}
	if n == s.Size() && t.contiguous() { // its own storage, as in every file of a module's state
		return f.record(name, n)
	}
	if err = f.verify(name, s); err != nil {
		return nil, err
	}
	dst := make([]byte, n)
	if n == 0 {
		return dst, nil
	}
	run := t.run()
	count := t.Numel() / run
	first, length := t.offset*size, (t.last()+1-t.offset)*size
	var from io.ReaderAt = io.NewSectionReader(s, first, length)
	// Reading 512 bytes takes no longer than asking for a few. What is further apart is asked for one by one, so that
	// many small views of a large storage are not as many times its size.
	if length <= 512*count+64<<10 {
		whole := make([]byte, length)
		if err = readAt(from, whole, 0); err != nil {
			return nil, unreadRecord(name, err)
		}
		from = bytes.NewReader(whole)
	}
	if err = t.gather(dst, from, run*size); err != nil {
		return nil, unreadRecord(name, err)
	}
	return dst, nil
}

// run is the number of elements that lie one after the other wherever the last dimensions are walked through.
func (t *Tensor) run() int64 {
	n := int64(1)
	for i := len(t.Shape) - 1; i >= 0 && (t.Stride[i] == n || t.Shape[i] == 1); i-- {
		n *= t.Shape[i]
	}
	return n
}

// last is the element of the storage that lies furthest behind; there must be one.
func (t *Tensor) last() int64 {
	at := t.offset
	for i, n := range t.Shape {
		at += (n - 1) * t.Stride[i]
	}
	return at
}

// contiguous tells whether the elements lie one after the other.
func (t *Tensor) contiguous() bool { return t.run() == t.Numel() }

// gather writes the elements of t in row-major order, run bytes at a time. from begins at the first one.
func (t *Tensor) gather(dst []byte, from io.ReaderAt, run int64) error {
	size := t.DType.Size()
	at := make([]int64, len(t.Shape))
	off, dims := int64(0), len(t.Shape)
	for n := size; n < run; dims-- { // the last dimensions are in the run
		n *= t.Shape[dims-1]
	}
	for to := int64(0); to < int64(len(dst)); to += run {
		if err := readAt(from, dst[to:to+run], off*size); err != nil {
			return err
		}
		for i := dims - 1; i >= 0; i-- {
			if at[i]++; at[i] < t.Shape[i] {
				off += t.Stride[i]
				break
			}
			off -= (t.Shape[i] - 1) * t.Stride[i]
			at[i] = 0
		}
	}
	return nil
}
