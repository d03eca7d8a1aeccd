package jit

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/internal/ctorch"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

func TestFilesInArchive(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	m := define(t, s, "def forward(self, x: Tensor):\n    return x\n")
	files := Files{"card.json": "{\"a\": \"ä\\n\"}", "empty.txt": ""}
	data, err := m.BytesWith(files)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "m.pt")
	require.NoError(t, m.SaveWith(path, files))
	onDisk, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, data, onDisk, "to memory and to a file: the same bytes")
	require.Len(t, dir(t, filepath.Dir(path)), 1, "no temporary file stays")
	_, err = LoadBytes(s, data, torch.CPU, "m.pt")
	require.NoError(t, err)

	for name, want := range files {
		text, ok := ReadFile(bytes.NewReader(data), int64(len(data)), name)
		require.True(t, ok, name)
		require.Equal(t, want, text)
	}
	_, ok := ReadFile(bytes.NewReader(data), int64(len(data)), "other")
	require.False(t, ok)
	_, ok = ReadFile(bytes.NewReader(data[:len(data)/2]), int64(len(data)/2), "card.json")
	require.False(t, ok)
	at := bytes.Index(data, []byte(`{"a"`))
	data[at]++ // its checksum is no longer right
	_, ok = ReadFile(bytes.NewReader(data), int64(len(data)), "card.json")
	require.False(t, ok)

	for _, name := range []string{"", ".x", "a/b", `a\b`, "a\x00"} {
		_, err = m.BytesWith(Files{name: "x"})
		require.ErrorContains(t, err, "vs a plain name", "%q", name)
	}
	_, err = m.BytesWith(Files{"a": "\x00"})
	require.ErrorContains(t, err, "without NULs")
}

// A full disk is an error with its number, and does not end the process: the archive's destructor writes its end.
func TestSaveToFullDisk(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	m := define(t, s, "def forward(self, x: Tensor):\n    return x\n")
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("skipped: no /dev/full")
	}
	defer full.Close()
	err = ctorch.JITSaveTo(m.ptr(), nil, full.Fd())
	require.ErrorIs(t, err, syscall.ENOSPC)

	err = m.Save(filepath.Join(t.TempDir(), "nowhere", "m.pt"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func dir(t *testing.T, path string) []os.DirEntry {
	l, err := os.ReadDir(path)
	require.NoError(t, err)
	return l
}

func define(t *testing.T, s *torch.Scope, source string) *Module {
	t.Helper()
	m, err := Define(s, []Named{{Name: "a", Tensor: s.Scalar(1)}}, nil, source)
	require.NoError(t, err)
	return m
}
