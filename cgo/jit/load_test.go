package jit_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

func TestSaveLoad(t *testing.T) {
	s := scope(t)
	m := net(t, s)
	check(t, m.Train(false))
	x := s.Randn(nil, []int64{2, 3, 8, 8})
	want := m.ForwardTensor(x).Float32s()

	data, err := m.Bytes()
	check(t, err)
	a, err := jit.LoadBytes(s, data, torch.CPU, "memory")
	check(t, err)
	clear(data) // the module keeps nothing of it
	near(t, "bytes", a.ForwardTensor(x), want)

	path := filepath.Join(t.TempDir(), "net.pt")
	check(t, m.Save(path))
	b, err := jit.Load(s, path, torch.CPU)
	check(t, err)
	near(t, "file", b.ForwardTensor(x), want)
	if on, err := b.IsTraining(); on || err != nil {
		t.Errorf("mode: got %v, %v", on, err)
	}
	p, err := b.Parameters(s)
	check(t, err)
	if !p[0].Tensor.IsGradRequired() || !slices.Equal(names(p), []string{"weight", "bias", "gamma", "beta"}) {
		t.Errorf("parameters: got %v", names(p))
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	check(t, err)
	if len(entries) != 1 {
		t.Errorf("got %d files vs 1: %v", len(entries), entries)
	}
	says(t, m.Save(filepath.Join(path, "below a file")), "jit: save: ", "not a directory")
}

// archive is a ZIP archive of files without contents, as far as telling kinds apart needs.
func archive(t *testing.T, names ...string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, n := range names {
		_, err := w.Create(n)
		check(t, err)
	}
	check(t, w.Close())
	return b.Bytes()
}

func TestLoadErrors(t *testing.T) {
	s := scope(t)
	good, err := net(t, s).Bytes()
	check(t, err)
	const want = "; want a TorchScript file, as torch.jit.save writes it"
	for _, test := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "jit: load empty: got an empty file" + want},
		{"text", []byte("hello, world"), "jit: load text: got neither a TorchScript archive nor a checkpoint" + want},
		{"one byte", []byte{'P'}, "jit: load one byte: got neither a TorchScript archive nor a checkpoint" + want},
		{"old pickle", []byte("\x80\x02\x8a\x0al\xfc"), "jit: load old pickle: got a pickle of an old torch.save" + want},
		{"checkpoint", archive(t, "model/data.pkl", "model/data/0", "model/version"), "jit: load checkpoint: got a torch.save checkpoint (weights only, no code)" + want},
		{"hollow", archive(t, "model/data.pkl", "model/constants.pkl", "model/version"), "jit: load hollow: "},
		{"half", good[:len(good)/2], "jit: load half: "},
		{"almost", good[:len(good)-1], "jit: load almost: "},
		{"head", slices.Concat(good[:8], []byte("constants.pkl")), "jit: load head: "},
	} {
		_, err := jit.LoadBytes(s, test.data, torch.CPU, test.name)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got  %v\nwant %q", err, test.want)
		}
	}
	// Damage anywhere gives an error or a module, never the end of the process.
	n := 0
	for i := 0; i < len(good); i += 97 {
		bad := slices.Clone(good)
		bad[i] ^= 0x55
		if m, err := jit.LoadBytes(s, bad, torch.CPU, "damaged"); err != nil {
			n++
		} else if _, err := m.Methods(); err != nil {
			t.Error(err)
		}
	}
	if n < 10 {
		t.Errorf("got %d errors of damaged files", n)
	}
	_, err = jit.Load(s, filepath.Join(t.TempDir(), "absent.pt"), torch.CPU)
	if says(t, err, "jit: load: ", "absent.pt"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v vs ErrNotExist", err)
	}
	if info, _ := torch.CUDADevices(); info.Count == 0 {
		_, err = jit.LoadBytes(s, good, torch.CUDA(0), "good")
		says(t, err, "jit: load good: ")
	}
}
