package hub

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// full is a cache with everything in it that may be.
func full(t *testing.T) (c *Client, bytes int64) {
	t.Helper()
	c = &Client{Cache: filepath.Join(t.TempDir(), "models")}
	tag := []byte("Signature: 8a477f597d28d172789f06886806bc55\n")
	python(t, c.Cache, DefaultRepo, commit1, "main", []byte("one"))
	python(t, c.Cache, "me/fork", commit2, "main", []byte("two"))
	for path, content := range map[string][]byte{
		"best_model.pt":            []byte("by hand"),
		"a/b/best_model.pt":        []byte("below"),
		"torchscript/x.pt":         []byte("converted"),
		"torchscript/y.pt.123.tmp": []byte("half"),
		"x.incomplete":             []byte("part"),
		"models--H1merka--TIGAS/blobs/abc.incomplete":    []byte("part"),
		"models--H1merka--TIGAS/.no_exist/" + commit1:    nil,
		".locks/models--H1merka--TIGAS/abc.lock":         nil,
		"CACHEDIR.TAG":                                   tag,
		"models--me--fork/trees/" + commit2 + ".json":    []byte("{}"),
		"models--me--fork/snapshots/" + commit2 + "/a.b": []byte("c"),
	} {
		write(t, filepath.Join(c.Cache, path), content)
	}
	return c, int64(3+3+2*40+7+5+9+4+4+4+2+1) + int64(len(tag))
}

func TestClear(t *testing.T) {
	c, bytes := full(t)
	freed, err := c.Clear()
	require.NoError(t, err)
	require.Equal(t, bytes, freed)
	left, err := os.ReadDir(c.Cache)
	require.NoError(t, err)
	require.Empty(t, left, "the folder stays, nothing in it")
	freed, err = c.Clear()
	require.NoError(t, err)
	require.Zero(t, freed)
	freed, err = (&Client{Cache: filepath.Join(c.Cache, "none")}).Clear()
	require.NoError(t, err)
	require.Zero(t, freed)
}

func TestClearRefusesWhatIsNotThisCache(t *testing.T) {
	for _, path := range []string{
		"notes.txt", ".bashrc", "my_model.pt", "src/main.go", "a/b/other.pt", "datasets--x/blobs/y", "version.txt", "torchscript/run.sh",
		"models--H1merka--TIGAS/precious.txt", "models--H1merka--TIGAS/mine/x", ".locks/x", "models.txt", "CACHEDIR.TAG.txt",
	} {
		c, _ := full(t)
		write(t, filepath.Join(c.Cache, path), []byte("precious"))
		before := tree(t, c.Cache)
		freed, err := c.Clear()
		require.ErrorContains(t, err, "not of this cache; nothing was deleted", path)
		require.NotContains(t, err.Error(), "\n")
		require.Zero(t, freed)
		require.Equal(t, before, tree(t, c.Cache), path)
	}
	c, _ := full(t)
	write(t, filepath.Join(c.Cache, "CACHEDIR.TAG"), []byte("something else"))
	_, err := c.Clear()
	require.ErrorContains(t, err, `"CACHEDIR.TAG"`)
	require.NoError(t, os.Remove(filepath.Join(c.Cache, "CACHEDIR.TAG")))
	require.NoError(t, os.Mkdir(filepath.Join(c.Cache, "empty"), 0o755))
	_, err = c.Clear()
	require.ErrorContains(t, err, `"empty"`)

	c, _ = full(t)
	c.HFCache = c.Cache
	before := tree(t, c.Cache)
	_, err = c.Clear()
	require.ErrorContains(t, err, "Hugging Face's own cache")
	require.Equal(t, before, tree(t, c.Cache))

	for _, dir := range []string{"/", "/tmp/..", "//"} {
		_, err = (&Client{Cache: dir}).Clear()
		require.ErrorContains(t, err, "root of the file system")
	}
	_, err = (&Client{}).Clear()
	require.ErrorContains(t, err, "no cache folder")
}

func TestClearDoesNotFollowLinks(t *testing.T) {
	c, _ := full(t)
	precious := t.TempDir()
	write(t, filepath.Join(precious, "blobs", "x"), []byte("precious"))
	write(t, filepath.Join(precious, "x.pt"), []byte("precious"))
	before := tree(t, precious)
	require.NoError(t, os.RemoveAll(filepath.Join(c.Cache, "torchscript")))
	require.NoError(t, os.Remove(filepath.Join(c.Cache, "best_model.pt")))
	link(t, precious, filepath.Join(c.Cache, "torchscript"))
	link(t, filepath.Join(precious, "x.pt"), filepath.Join(c.Cache, "best_model.pt"))
	link(t, precious, filepath.Join(c.Cache, "models--x--y"))
	link(t, precious, filepath.Join(c.Cache, "models--H1merka--TIGAS", "snapshots", commit2))
	link(t, precious, filepath.Join(c.Cache, "models--me--fork", "blobs", "dir"))
	link(t, filepath.Join(precious, "x.pt"), filepath.Join(c.Cache, ".locks", "x.lock"))
	_, err := c.Clear()
	require.NoError(t, err)
	require.Equal(t, before, tree(t, precious))
	require.Empty(t, tree(t, c.Cache))

	// A link to a folder under a name that is not ours.
	link(t, precious, filepath.Join(c.Cache, "data"))
	_, err = c.Clear()
	require.ErrorContains(t, err, `"data"`)

	// The cache itself may be one.
	c2, bytes := full(t)
	alias := filepath.Join(t.TempDir(), "alias")
	link(t, c2.Cache, alias)
	freed, err := (&Client{Cache: alias}).Clear()
	require.NoError(t, err)
	require.Equal(t, bytes, freed)
}

// tree maps the paths below dir to contents.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	m := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		m[path] = d.Type().String()
		if d.Type().IsRegular() {
			m[path] += string(read(t, path))
		}
		return nil
	}))
	return m
}
