package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func text(s string) func(*os.File) error {
	return func(f *os.File) error {
		_, err := f.WriteString(s)
		return err
	}
}

// only checks that dir holds one file, with that content.
func only(t *testing.T, dir, name, want string) {
	t.Helper()
	l, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, l, 1)
	got, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	require.NoError(t, Write(path, text("one")))
	only(t, dir, "a", "one")
	require.NoError(t, Write(path, text("two")))
	only(t, dir, "a", "two")

	failed := errors.New("no space")
	require.ErrorIs(t, Write(path, func(f *os.File) error { return errors.Join(text("half")(f), failed) }), failed)
	only(t, dir, "a", "two")
	require.Panics(t, func() { _ = Write(path, func(*os.File) error { panic("boom") }) })
	only(t, dir, "a", "two")
}

func TestUmask(t *testing.T) {
	old := syscall.Umask(0o027)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "a")
	require.NoError(t, Write(path, text("x")))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o640), info.Mode())
}

func TestLinksAreFollowed(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	target := filepath.Join(other, "target")
	require.NoError(t, os.WriteFile(target, []byte("old"), 0o644))
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(target, link))
	require.NoError(t, Write(link, text("new")))
	only(t, other, "target", "new")
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&fs.ModeSymlink)
}

// A pipe stands for whatever is no file: a device as output was once replaced by one.
func TestWhatIsNoFileIsNotReplaced(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o644))
	require.EqualError(t, Write(pipe, text("x")), "not a regular file")
	require.EqualError(t, Write(filepath.Dir(pipe), text("x")), "not a regular file")
	info, err := os.Stat(pipe)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&fs.ModeNamedPipe)

	err = Write(filepath.Join(t.TempDir(), "none", "a"), text("x"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.EqualError(t, err, "open: no such file or directory")
}

func TestOpenRegular(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o644))
	require.NoError(t, syscall.Mkfifo(pipe, 0o644))
	f, err := OpenRegular(file)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	for _, path := range []string{pipe, dir} {
		_, err = OpenRegular(path)
		require.EqualError(t, err, path+" is not a regular file")
	}
	_, err = OpenRegular(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}
