package checkpoint

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPictures(t *testing.T) {
	r, err := Create(filepath.Join(t.TempDir(), "run"))
	require.NoError(t, err)
	write := func(path string) { require.NoError(t, os.WriteFile(path, []byte(filepath.Base(path)), 0o644)) }
	write(r.Picture("fakes", 12_800))
	write(r.Picture("fakes", 0))
	write(r.Picture("fakes", 1_000_000_000))
	write(r.Picture("scores", 12_800))
	write(r.Sample("reals.png"))
	write(r.Sample("fakes000008.png")) // of an earlier version
	for _, name := range []string{"notes.txt", "fakes12.png", ".fakes000001.000.png.tmp", "FAKES000001.png"} {
		write(r.Sample(name))
	}
	require.NoError(t, os.Mkdir(r.Sample("fakes000002.000.png"), 0o755))
	require.NoError(t, syscall.Mkfifo(r.Sample("fakes000003.000.png"), 0o644))
	secret := filepath.Join(t.TempDir(), "secret.png")
	write(secret)
	require.NoError(t, os.Symlink(secret, r.Sample("fakes000004.000.png")))

	l, err := r.Pictures()
	require.NoError(t, err)
	type at struct {
		kind string
		kimg float64
	}
	var got []at
	for _, p := range l {
		got = append(got, at{p.Kind, p.Kimg})
		text, err := p.Read()
		require.NoError(t, err)
		require.Equal(t, filepath.Base(p.Path()), string(text))
	}
	require.Equal(t, []at{{"fakes", 0}, {"fakes", 8}, {"fakes", 12.8}, {"fakes", 1_000_000}, {"reals", 0}, {"scores", 12.8}}, got)

	// What takes a picture's place after it was listed is not followed out of the folder.
	require.NoError(t, os.Remove(l[0].Path()))
	require.NoError(t, os.Symlink(secret, l[0].Path()))
	_, err = l[0].Read()
	require.ErrorContains(t, err, "out of the run folder")
	none := Run{Dir: t.TempDir()}
	l, err = none.Pictures()
	require.NoError(t, err)
	require.Empty(t, l)
}
