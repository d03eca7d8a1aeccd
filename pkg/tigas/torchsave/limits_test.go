package torchsave

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"
)

// What no file may make the reader exceed. 2 s is far above what the largest pickle takes, 64 MB what doc.go promises.
const (
	maxTime  = 2 * time.Second
	maxExtra = 64 << 20
)

// cost is the most that one file has taken.
type cost struct {
	time  time.Duration
	alloc uint64 // bytes, freed ones too
}

func (c *cost) add(d cost) {
	c.time = max(c.time, d.time)
	c.alloc = max(c.alloc, d.alloc)
}

func (c cost) String() string {
	return fmt.Sprintf("at most %v and %.1f MB for a file", c.time.Round(time.Millisecond), float64(c.alloc)/(1<<20))
}

// examine opens data and reads what it holds. The error is what it does that no file may: it is nil whether data is a
// good file or one that is refused as it should be. opened is what Open said.
func examine(data []byte) (c cost, opened, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	var f *File
	for range 3 { // again if it took too long: other programs may run
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		f, opened = NewReader(bytes.NewReader(data), int64(len(data)))
		c.time = time.Since(start)
		runtime.ReadMemStats(&after)
		c.alloc = after.TotalAlloc - before.TotalAlloc
		if c.time < maxTime {
			break
		}
	}
	switch most := uint64(2*len(data) + maxExtra); {
	case c.time > maxTime:
		return c, opened, fmt.Errorf("took %v", c.time)
	case c.alloc > most:
		return c, opened, fmt.Errorf("allocated %d bytes for a file of %d", c.alloc, len(data))
	case opened != nil && f != nil:
		return c, opened, errors.New("a file and an error")
	case opened != nil:
		return c, opened, wellFormed(opened)
	}
	return c, nil, readAll(f)
}

// wellFormed tells whether an error is of the form that the package promises.
func wellFormed(err error) error {
	s := err.Error()
	line := utf8.ValidString(s) && !strings.ContainsAny(s, "\n\r") && len(s) < 1000
	if !errors.Is(err, ErrFormat) || !strings.HasPrefix(s, "torchsave: ") || !line {
		return fmt.Errorf("got the error %q", s)
	}
	return nil
}

// readAll reads the tensors of f, as far as they are small, and compares them with the bytes of their storages.
func readAll(f *File) error {
	left := int64(1 << 20) // bytes
	for _, t := range tensors(f.Root()) {
		n := t.Bytes()
		if left -= n; left < 0 {
			return nil
		}
		got, err := f.Read(t)
		if err != nil {
			if err = wellFormed(err); err != nil {
				return err
			}
			continue
		}
		whole, err := f.record("data/"+t.storage.key, f.size)
		if err != nil {
			return fmt.Errorf("a tensor was read, its storage cannot be: %w", err)
		}
		if want := gathered(t, whole); !bytes.Equal(got, want) {
			return fmt.Errorf("%+v: got %x, want %x", t, got, want)
		}
	}
	return nil
}

// gathered is a plain computation of what Read returns.
func gathered(t *Tensor, storage []byte) []byte {
	offsets := []int64{t.offset}
	for i, n := range t.Shape {
		var next []int64
		for _, o := range offsets {
			for j := range n {
				next = append(next, o+j*t.Stride[i])
			}
		}
		offsets = next
	}
	var out []byte
	size := t.DType.Size()
	for _, o := range offsets {
		out = append(out, storage[o*size:][:size]...)
	}
	return out
}

// tensors are those in v and below, each once. v may contain itself.
func tensors(v Value) []*Tensor {
	var out []*Tensor
	seen := map[any]bool{}
	for todo := []Value{v}; len(todo) > 0; {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		switch v := v.(type) {
		case *List:
			if !seen[v] {
				seen[v] = true
				todo = append(todo, v.Items...)
			}
		case *Dict:
			if !seen[v] {
				seen[v] = true
				for _, e := range v.Items {
					todo = append(todo, e.Key, e.Value)
				}
			}
		case *Tensor:
			if !seen[v] {
				seen[v] = true
				out = append(out, v)
			}
		}
	}
	return out
}
