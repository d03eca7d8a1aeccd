package jit

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// FuzzCheck has archives whose insides are changed while their checksums stay right: which member, and what it is then. What
// passes has a pickle that libtorch can believe; it is not given to libtorch here, whose compiler is not what is tested.
func FuzzCheck(f *testing.F) {
	l := membersOf(fixture("python.pt"))
	for i, m := range l {
		if strings.HasSuffix(m.name, "pkl") || strings.HasSuffix(m.name, ".py") {
			f.Add(uint8(i), m.data)
		}
	}
	f.Add(uint8(200), fixture("quantised.pt"))
	for _, b := range forgedArchives() {
		if len(b) < 40_000 {
			f.Add(uint8(200), b)
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, b []byte) {
		if int(i) < len(l) {
			changed := append([]member(nil), l...)
			changed[i].data = b
			b = archiveOf("m/", changed)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		err := check(b)
		d := time.Since(start)
		runtime.ReadMemStats(&after)
		// A member that is compressed a thousandfold is looked through without being kept, unless it is a pickle or a text.
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(1<<20+200*len(b)) {
			t.Fatalf("%d bytes for %d: %v", n, len(b), err)
		}
		if d > 5*time.Second {
			t.Fatalf("took %v for %d bytes", d, len(b))
		}
		if err != nil {
			oneLine(t, err)
			return
		}
		// libtorch and archive/zip see the same: the last 22 bytes, and a member for each entry.
		if n, err := entries(b); err != nil || int(n) != len(must(zip.NewReader(bytes.NewReader(b), int64(len(b)))).File) {
			t.Fatalf("%d entries, %v", n, err)
		}
	})
}

// FuzzArchivePickle is FuzzCheck for the pickle alone. What passes is run by a second, simpler machine that knows only where
// libtorch would read: it must not find a place that is not there.
func FuzzArchivePickle(f *testing.F) {
	storage := storagesOf(fixture("python.pt"))
	for _, name := range []string{"python.pt", "quantised.pt"} {
		for _, m := range membersOf(fixture(name)) {
			if strings.HasSuffix(m.name, "pkl") {
				f.Add(m.data)
			}
		}
	}
	for _, p := range forgeries {
		if len(p.pickle) < 1000 {
			f.Add([]byte("\x80\x02" + p.pickle))
		}
	}
	f.Add([]byte("\x80\x02" + tensorAs("K\x00", "K\x02K\x02\x86", "K\x02K\x01\x86") + "."))
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := checkPickle(b, storage)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(1<<16+300*len(b)) {
			t.Fatalf("%d bytes for %d", n, len(b))
		}
		if err != nil {
			oneLine(t, err)
			return
		}
		if err := simulate(b); err != nil {
			t.Fatal(err)
		}
	})
}

// simulate follows the heights of libtorch's stack and the size of its memory, as torch/csrc/jit/serialization/unpickler.cpp
// moves them, and returns an error where that would be outside.
func simulate(b []byte) error {
	height, memory, at := 0, 0, 2
	var marks []int
	bad := errors.New("libtorch would read outside of its stack or memory")
	number := func(n int) (v int) {
		for i := range n {
			v |= int(b[at+i]) << (8 * i)
		}
		at += n
		return v
	}
	for at < len(b) {
		op := b[at]
		at++
		need, change := 0, 0
		switch op {
		case '.':
			if height != 1 {
				return bad
			}
			return nil
		case '(':
			marks = append(marks, height)
		case 'N', 0x88, 0x89, ')', ']', '}':
			change = 1
		case 'K':
			at, change = at+1, 1
		case 'M':
			at, change = at+2, 1
		case 'J':
			at, change = at+4, 1
		case 'G':
			at, change = at+8, 1
		case 0x8a:
			at, change = at+9, 1
		case 'X':
			n := number(4)
			at, change = at+n, 1
		case 0x85, 0x86, 0x87:
			need = int(op - 0x84)
			change = 1 - need
		case 't', 'e', 'u':
			if len(marks) == 0 || marks[len(marks)-1] > height || op != 't' && marks[len(marks)-1] == 0 {
				return bad
			}
			n := height - marks[len(marks)-1]
			if op == 'u' && n%2 != 0 {
				return bad
			}
			marks = marks[:len(marks)-1]
			change = -n
			if op == 't' {
				change++
			}
		case 'a':
			need, change = 2, -1
		case 's':
			need, change = 3, -2
		case 'q', 'r':
			n := number(map[byte]int{'q': 1, 'r': 4}[op])
			if need = 1; n > memory {
				return bad
			}
			memory = max(memory, n+1)
		case 'h', 'j':
			if n := number(map[byte]int{'h': 1, 'j': 4}[op]); n >= memory {
				return bad
			}
			change = 1
		case 'c':
			for range 2 {
				n := bytes.IndexByte(b[at:], '\n')
				if n < 0 {
					return bad
				}
				at += n + 1
			}
			change = 1
		case 'Q':
			need = 1
		case 0x81:
			need, change = 1, -1
		case 'R', 'b':
			need, change = 2, -1
		default:
			return fmt.Errorf("opcode 0x%02x", op)
		}
		if at > len(b) || height < need {
			return bad
		}
		height += change
	}
	return bad
}

// FuzzLoad gives libtorch what passes, and calls it, well and badly: errors show where in the source they are from, which the
// pickles say. The source itself stays as it is.
func FuzzLoad(f *testing.F) {
	if err := torch.SetNumThreads(1); err != nil {
		f.Fatal(err)
	}
	l := membersOf(fixture("python.pt"))
	for i, m := range l {
		if strings.HasSuffix(m.name, "pkl") {
			f.Add(uint8(i), m.data)
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, b []byte) {
		if int(i) >= len(l) || !strings.HasSuffix(l[i].name, "pkl") {
			return
		}
		changed := append([]member(nil), l...)
		changed[i].data = b
		before := torch.LiveTensors()
		s := torch.NewScope()
		m, err := LoadBytes(s, archiveOf("m/", changed), torch.CPU, "changed.pt")
		if err != nil {
			if err.Error() == "" || strings.ContainsAny(err.Error(), "\n") {
				t.Fatalf("got error %q", err)
			}
		} else {
			for _, args := range [][]any{{s.Ones([]int64{1, 3, 8, 8})}, {s.Ones([]int64{1, 2, 8, 8})}, {s.Ones([]int64{7}), 3}, {"no tensor"}} {
				_, _ = m.Forward(args...)
			}
			_, _ = m.Parameters(s)
			_, _ = m.Buffers(s)
			_, _ = m.Bytes()
		}
		s.Close()
		if n := torch.LiveTensors(); n != before {
			t.Fatalf("%d tensors vs %d", n, before)
		}
	})
}

// FuzzReadFile reads the text of an archive of any kind.
func FuzzReadFile(f *testing.F) {
	f.Add(fixture("python.pt"), "note.txt")
	f.Add(fixture("python.pt"), "")
	f.Add(archiveOf("m/", []member{{"extra/a", []byte("text")}, {"extra/a", nil}}), "a")
	f.Add(archiveOf("extra/extra/", []member{{"a", []byte("text")}}), "extra/a")
	f.Add([]byte("PK\x05\x06"), "a")
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		text, ok := ReadFile(bytes.NewReader(b), int64(len(b)), name)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(1<<20+12*len(b)+4*len(text)) && (ok || n > 4*maxFile) {
			t.Fatalf("%d bytes for %d", n, len(b))
		}
		if len(text) > maxFile {
			t.Fatalf("a text of %d bytes", len(text))
		}
	})
}
