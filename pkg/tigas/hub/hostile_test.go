package hub

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// describedBy makes the hub describe the file by another commit and etag. Headers with control characters never arrive.
func describedBy(f *fake, commit, etag string) {
	tell := func(w http.ResponseWriter, r *http.Request, n int) bool {
		f.describe(w)
		w.Header().Set("X-Repo-Commit", commit)
		w.Header().Set("X-Linked-Etag", etag)
		w.WriteHeader(http.StatusFound)
		return true
	}
	f.head, f.redirect = tell, tell
}

func TestCommitsThatAreNone(t *testing.T) {
	for _, commit := range []string{"../../../../x", "..", ".", "/etc", "main", strings.Repeat("1", 41), strings.Repeat("A", 40), commit1 + "/x", "1\t1"} {
		f := newFake(t)
		c := f.client(t)
		describedBy(f, commit, `"`+f.etag+`"`)
		_, err := c.fetch()
		check(t, err, ErrServer, "commit")
		require.Zero(t, f.gets)
		require.NoDirExists(t, c.Cache)
	}
}

func TestEtagsThatCouldBePaths(t *testing.T) {
	for _, e := range []string{`"../../../x"`, `".."`, `"/etc/passwd"`, `"a/b"`, `".hidden"`, `"x.incomplete"`, `"a\b"`, "\"a\tb\"", `"` + strings.Repeat("a", 200) + `"`, `W/"a b"`, `"ä"`} {
		f := newFake(t)
		c := f.client(t)
		describedBy(f, commit1, e)
		r, err := c.fetch()
		require.NoError(t, err, e)
		require.False(t, r.Verified)
		require.Equal(t, f.content, read(t, r.Path))
		blobs, err := os.ReadDir(filepath.Join(c.Cache, "models--H1merka--TIGAS", "blobs"))
		require.NoError(t, err)
		require.Len(t, blobs, 1, e)
		require.Regexp(t, `^etag-[0-9a-f]{32}$`, blobs[0].Name())
		above, err := os.ReadDir(filepath.Dir(c.Cache))
		require.NoError(t, err)
		require.Len(t, above, 1, "nothing beside the cache")
	}
}

func TestParseEtag(t *testing.T) {
	for header, want := range map[string]string{
		`"abc"`: "abc", `W/"abc"`: "abc", "abc": "abc", ` "abc" `: "abc", "": "", `""`: "", `W/""`: "", `"W"`: "W",
		`"` + commit1 + `"`: commit1, `"5f-6a1b.2_3"`: "5f-6a1b.2_3",
	} {
		require.Equal(t, etag(want), parseEtag(header), header)
	}
	require.NotEqual(t, parseEtag("a/b"), parseEtag("a/c"))
	require.False(t, parseEtag("a/b").checkable())
	require.True(t, etag(strings.Repeat("aB", 32)).checkable())
	require.False(t, etag(strings.Repeat("a", 63)).checkable())
}

// Whoever may write into the cache must not make us write elsewhere.
func TestLinksOutOfTheCacheAreNotWrittenThrough(t *testing.T) {
	repo := "models--H1merka--TIGAS"
	for _, place := range []string{repo, repo + "/blobs", repo + "/snapshots", repo + "/snapshots/" + commit1, repo + "/refs", ".locks", ".locks/" + repo} {
		f := newFake(t)
		c := f.client(t)
		precious := t.TempDir()
		link(t, precious, filepath.Join(c.Cache, place))
		_, err := c.fetch()
		require.ErrorContains(t, err, "leads out of the cache", place)
		require.NotContains(t, err.Error(), "\n")
		require.Empty(t, tree(t, precious), place)
	}
	// Links in place of files are replaced, whatever they lead to.
	f := newFake(t)
	for _, place := range []string{repo + "/blobs/" + f.etag, repo + "/blobs/" + f.etag + ".incomplete", repo + "/snapshots/" + commit1 + "/best_model.pt", repo + "/refs/main"} {
		c := f.client(t)
		precious := filepath.Join(t.TempDir(), "precious")
		write(t, precious, []byte("precious"))
		link(t, precious, filepath.Join(c.Cache, place))
		if strings.HasPrefix(place, repo+"/snapshots") { // known to no ref, but below the cache: take the other way
			write(t, filepath.Join(c.Cache, repo, "refs", "main"), []byte(commit2))
			require.NoError(t, os.Remove(precious))
		}
		r, err := c.fetch()
		require.NoError(t, err, place)
		require.Equal(t, f.content, read(t, r.Path), place)
		if b, err := os.ReadFile(precious); err == nil {
			require.Equal(t, "precious", string(b), place)
		}
		info, err := os.Lstat(c.blob(f.etag))
		require.NoError(t, err)
		require.True(t, info.Mode().IsRegular())
		require.Equal(t, commit1, string(read(t, filepath.Join(c.Cache, repo, "refs", "main"))))
	}
}
