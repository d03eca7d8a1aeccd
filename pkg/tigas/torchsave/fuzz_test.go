package torchsave

import "testing"

// FuzzOpen checks that no file makes the reader exceed its limits, and that what can be read is what the file holds. The
// corpus has files of torch and of savetest, and what the fuzzer found.
func FuzzOpen(f *testing.F) {
	for _, b := range bases() {
		f.Add(b)
	}
	for _, b := range hostileArchives() {
		if len(b) < 20<<10 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, opened, err := examine(data); err != nil {
			t.Fatalf("%v; opened: %v", err, opened)
		}
	})
}

// FuzzPickle is FuzzOpen for the pickle alone, which the fuzzer cannot reach through the archive's sums.
func FuzzPickle(f *testing.F) {
	for _, b := range bases()[:8] {
		f.Add(unpacked(b)[0].Data)
	}
	for _, h := range hostile {
		if len(h.head) < 1<<10 {
			f.Add([]byte(h.head + h.body + h.body + "."))
		}
	}
	for _, s := range []string{"]q\x00h\x00a.", "}q\x00h\x00h\x00s.", rebuilt(pid + "K\x01K\x02\x85K\x01\x85\x88N}")} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, pickle []byte) {
		if _, opened, err := examine(pickled(pickle)); err != nil {
			t.Fatalf("%v; opened: %v", err, opened)
		}
		// A pickle that is right does not become wrong by more memory.
		v, err := unpickle(pickle, len(pickle)+maxValues)
		if err != nil {
			return
		}
		for _, x := range tensors(v) {
			if err := x.check(); err != nil {
				t.Fatal(err)
			}
			if x.Bytes() < 0 || x.Bytes() >= 1<<60 {
				t.Fatalf("%+v: %d bytes", x, x.Bytes())
			}
		}
	})
}
