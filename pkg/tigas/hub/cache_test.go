package hub

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// python lays out a file as huggingface_hub does.
func python(t *testing.T, cache, repo, commit, revision string, content []byte) string {
	t.Helper()
	dir := filepath.Join(cache, File{Repo: repo}.folder())
	write(t, filepath.Join(dir, "blobs", sha256Of(content)), content)
	path := filepath.Join(dir, "snapshots", commit, "best_model.pt")
	link(t, "../../blobs/"+sha256Of(content), path)
	if revision != "" {
		write(t, filepath.Join(dir, "refs", revision), []byte(commit))
	}
	return path
}

func age(t *testing.T, path string, hours int) {
	t.Helper()
	when := time.Now().Add(-time.Duration(hours) * time.Hour)
	require.NoError(t, os.Chtimes(path, when, when))
}

func TestLookUpOrder(t *testing.T) {
	c := &Client{Cache: t.TempDir(), HFCache: t.TempDir(), Offline: true}
	find := func() Result {
		t.Helper()
		r, ok, err := c.Find(File{})
		require.NoError(t, err)
		require.True(t, ok)
		require.True(t, r.FromCache)
		fetched, err := c.Fetch(context.Background(), File{}, false)
		require.NoError(t, err)
		require.Equal(t, r, fetched)
		return r
	}
	_, ok, err := (&Client{Cache: filepath.Join(c.Cache, "none")}).Find(File{})
	require.NoError(t, err)
	require.False(t, ok)

	// What is not looked at.
	write(t, filepath.Join(c.Cache, "torchscript", "best_model.pt"), []byte("converted"))
	python(t, c.Cache, "some/body", commit1, "main", []byte("of another repository"))
	python(t, c.HFCache, DefaultRepo, commit2, "", []byte("of an unknown revision"))
	write(t, filepath.Join(c.Cache, "empty", "best_model.pt"), nil)
	link(t, "nowhere", filepath.Join(c.Cache, "dangling", "best_model.pt"))
	require.NoError(t, os.MkdirAll(filepath.Join(c.Cache, "folder", "best_model.pt"), 0o755))
	require.NoError(t, syscall.Mkfifo(filepath.Join(c.Cache, "best_model.pt"), 0o644))
	_, ok, err = c.Find(File{})
	require.ErrorContains(t, err, "best_model.pt")
	require.False(t, ok)
	require.NoError(t, os.Remove(filepath.Join(c.Cache, "best_model.pt")))

	path := python(t, c.HFCache, DefaultRepo, commit1, "main", []byte("of Hugging Face's cache"))
	r := find()
	require.Equal(t, Result{Path: path, SHA256: sha256Of([]byte("of Hugging Face's cache")), Size: 23, Commit: commit1, FromCache: true, Verified: true}, r)

	older, newer := filepath.Join(c.Cache, "a", "best_model.pt"), filepath.Join(c.Cache, "b", "c", "best_model.pt")
	write(t, older, []byte("older"))
	age(t, older, 2)
	require.Equal(t, older, find().Path)
	write(t, newer, []byte("newer"))
	age(t, newer, 1)
	require.Equal(t, newer, find().Path)
	age(t, newer, 3)
	require.Equal(t, older, find().Path)
	unnamed := python(t, c.Cache, DefaultRepo, commit2, "v2", []byte("another revision"))
	require.Equal(t, unnamed, find().Path)

	path = python(t, c.Cache, DefaultRepo, commit1, "main", []byte("main"))
	age(t, path, 9)
	r = find()
	require.Equal(t, []any{path, commit1, true}, []any{r.Path, r.Commit, r.Verified})

	path = filepath.Join(c.Cache, "best_model.pt")
	write(t, path, []byte("by hand"))
	age(t, path, 20)
	r = find()
	require.Equal(t, Result{Path: path, SHA256: sha256Of([]byte("by hand")), Size: 7, FromCache: true}, r)
}

func TestRevisionsAreNotMixedUp(t *testing.T) {
	c := &Client{Cache: t.TempDir(), HFCache: t.TempDir()}
	write(t, filepath.Join(c.Cache, "best_model.pt"), []byte("by hand"))
	write(t, filepath.Join(c.Cache, "a", "best_model.pt"), []byte("below"))
	main := python(t, c.Cache, DefaultRepo, commit1, "main", []byte("main"))
	tag := python(t, c.HFCache, DefaultRepo, commit2, "v2", []byte("v2"))
	for revision, want := range map[string]string{commit1: main, "v2": tag, commit2: tag, "v3": "", commit1[:39] + "0": "", commit1[:8]: ""} {
		r, ok, err := c.Find(File{Revision: revision})
		require.NoError(t, err)
		require.Equal(t, want != "", ok, revision)
		require.Equal(t, want, r.Path, revision)
	}
	_, ok, err := c.Find(File{Repo: "some/fork"})
	require.NoError(t, err)
	require.False(t, ok, "a file of unknown origin is the published one")

	// A ref that is no commit leads nowhere.
	write(t, filepath.Join(c.Cache, "models--H1merka--TIGAS", "refs", "bad"), []byte("../../../../a"))
	_, ok, err = c.Find(File{Revision: "bad"})
	require.NoError(t, err)
	require.False(t, ok)
}

func TestADamagedFileDoesNotBecomeAnotherRevision(t *testing.T) {
	c := &Client{Cache: t.TempDir(), HFCache: t.TempDir()}
	python(t, c.Cache, DefaultRepo, commit2, "v2", []byte("v2"))
	path := python(t, c.Cache, DefaultRepo, commit1, "main", []byte("main"))
	require.NoError(t, os.WriteFile(path, []byte("mai"), 0o644)) // through the link
	_, ok, err := c.Find(File{})
	check(t, err, ErrChecksum, path, sha256Of([]byte("main")), sha256Of([]byte("mai")))
	require.False(t, ok)
	good := python(t, c.HFCache, DefaultRepo, commit1, "main", []byte("main"))
	r, ok, err := c.Find(File{})
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, good, r.Path)
}

func TestFilesThatCannotBe(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	for _, file := range []File{
		{Repo: ".."}, {Repo: "../x"}, {Repo: "a/../b"}, {Repo: "a/b/c"}, {Repo: "/a"}, {Repo: "a--b"}, {Repo: "a/b.git"}, {Repo: "a b"}, {Repo: "a?b"}, {Repo: "a\nb"},
		{Name: "../x.pt"}, {Name: "/x.pt"}, {Name: "a//b"}, {Name: "a/.."}, {Name: ".hidden"}, {Name: "a\x00"}, {Name: "x.incomplete"}, {Name: "a/"}, {Name: "x.pt?a=b"},
		{Revision: "../main"}, {Revision: "a/../../b"}, {Revision: "/main"}, {Revision: "a\nb"}, {Revision: "main/"}, {Revision: ".."},
	} {
		_, err := c.Fetch(context.Background(), file, false)
		require.Error(t, err, "%q", file)
		require.NotContains(t, err.Error(), "\n")
		_, ok, err := c.Find(file)
		require.Error(t, err)
		require.False(t, ok)
	}
	require.Zero(t, f.heads)
	require.NoDirExists(t, c.Cache)
	require.Equal(t, "H1merka/TIGAS/best_model.pt", File{}.String())
	require.Equal(t, "a/b/c.pt@v1", File{"a/b", "c.pt", "v1"}.String())
}

func TestTwoFetchesDownloadOnce(t *testing.T) {
	// Nothing is sent before both have asked.
	gated := func(t *testing.T) *fake {
		f := newFake(t)
		both := make(chan struct{})
		f.mu.Lock() // other processes have no order with this one
		defer f.mu.Unlock()
		f.head = func(w http.ResponseWriter, r *http.Request, n int) bool {
			if n == 2 {
				close(both)
			}
			return false
		}
		f.get = func(w http.ResponseWriter, r *http.Request, n int) bool { <-both; return false }
		return f
	}
	t.Run("goroutines", func(t *testing.T) {
		f := gated(t)
		c := f.client(t)
		var wg sync.WaitGroup
		var cached atomic.Int32
		for range 2 {
			wg.Go(func() {
				r, err := c.fetch()
				if err != nil || r.SHA256 != f.etag {
					t.Error(r, err)
				}
				if r.FromCache {
					cached.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, cached.Load())
		require.Equal(t, []int{2, 1}, []int{f.heads, f.gets})
	})
	t.Run("processes", func(t *testing.T) {
		f := gated(t)
		job, err := json.Marshal(map[string]any{"Endpoint": f.hub.URL, "Cache": t.TempDir()})
		require.NoError(t, err)
		var wg sync.WaitGroup
		results := make([]Result, 2)
		for i := range 2 {
			wg.Go(func() {
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), "HUB_TEST_JOB="+string(job))
				out, err := cmd.CombinedOutput()
				if err == nil {
					err = json.Unmarshal(out, &results[i])
				}
				if err != nil {
					t.Error(err, string(out))
				}
			})
		}
		wg.Wait()
		f.mu.Lock()
		defer f.mu.Unlock()
		require.Equal(t, []int{2, 1}, []int{f.heads, f.gets})
		require.EqualValues(t, 300_000, f.served)
		require.NotEqual(t, results[0].FromCache, results[1].FromCache)
		require.Equal(t, results[0].Path, results[1].Path)
		require.Equal(t, f.content, read(t, results[0].Path))
	})
}

// Locks hold others off although Clear unlinks them.
func TestLocksThatAreUnlinked(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	defer root.Close()
	var wg sync.WaitGroup
	var inside atomic.Int32
	for range 4 {
		wg.Go(func() {
			for range 200 {
				release, err := lock(context.Background(), root, "x.lock", func(ctx context.Context) error { return pause(ctx, time.Microsecond) })
				if err != nil {
					t.Error(err)
					return
				}
				if inside.Add(1) != 1 {
					t.Error("two have the lock")
				}
				inside.Add(-1)
				root.Remove("x.lock") // the last thing that its holder does
				release()
			}
		})
	}
	wg.Wait()
}

func TestWaitingForALockEnds(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	name := filepath.Join(".locks", "models--H1merka--TIGAS", f.etag+".lock")
	write(t, filepath.Join(c.Cache, name), nil)
	root, err := os.OpenRoot(c.Cache)
	require.NoError(t, err)
	defer root.Close()
	held, err := tryLock(root, name)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f.head = func(w http.ResponseWriter, r *http.Request, n int) bool {
		time.AfterFunc(100*time.Millisecond, cancel) // by then it waits
		return false
	}
	_, err = c.Fetch(ctx, File{}, false)
	check(t, err, context.Canceled, "another process downloads it")
	require.Zero(t, f.gets)
	_, err = c.Clear()
	check(t, err, ErrBusy, "nothing was deleted")
	require.FileExists(t, filepath.Join(c.Cache, name))
	require.NoError(t, held.Close())
	_, err = c.fetch()
	require.NoError(t, err)
	_, err = c.Clear()
	require.NoError(t, err)
}

func TestList(t *testing.T) {
	c := &Client{Cache: t.TempDir()}
	entries, total, err := (&Client{Cache: filepath.Join(c.Cache, "none")}).List()
	require.NoError(t, err)
	require.Empty(t, entries)
	require.Zero(t, total)

	a := python(t, c.Cache, DefaultRepo, commit1, "", []byte("one"))
	link(t, "../../blobs/"+sha256Of([]byte("one")), filepath.Join(c.Cache, "models--H1merka--TIGAS", "snapshots", commit2, "best_model.pt"))
	for _, ref := range []string{"v2", "main"} {
		write(t, filepath.Join(c.Cache, "models--H1merka--TIGAS", "refs", ref), []byte(commit2))
	}
	b := filepath.Join(filepath.Dir(filepath.Dir(a)), commit2, "best_model.pt")
	link(t, "models--H1merka--TIGAS/snapshots/"+commit2+"/best_model.pt", filepath.Join(c.Cache, "best_model.pt"))
	script := filepath.Join(c.Cache, "torchscript", "x.pt")
	write(t, script, []byte("converted"))
	write(t, filepath.Join(c.Cache, "torchscript", "x.json"), []byte("{}"))
	outside := filepath.Join(t.TempDir(), "x.pt")
	write(t, outside, []byte("elsewhere"))
	link(t, outside, filepath.Join(c.Cache, "sub", "best_model.pt"))
	write(t, filepath.Join(c.Cache, "models--H1merka--TIGAS", "blobs", "x.incomplete"), []byte("part"))
	write(t, filepath.Join(c.Cache, "README.md"), []byte("text"))

	entries, total, err = c.List()
	require.NoError(t, err)
	for i := range entries {
		require.WithinDuration(t, time.Now(), entries[i].ModTime, time.Minute)
		entries[i].ModTime = time.Time{}
	}
	require.Equal(t, []Entry{
		{Path: filepath.Join(c.Cache, "models--H1merka--TIGAS", "blobs", "x.incomplete"), Size: 4, Repo: DefaultRepo, Partial: true},
		{Path: b, Size: 3, Repo: DefaultRepo, Commit: commit2, Revisions: []string{"main", "v2"}},
		{Path: filepath.Join(c.Cache, "sub", "best_model.pt"), Size: 9},
		{Path: script, Size: 9, Converted: true},
	}, entries)
	require.EqualValues(t, 4+3+9, total)

	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil)
	_, _, err = (&Client{Cache: filepath.Join(file, "x")}).List()
	require.ErrorIs(t, err, syscall.ENOTDIR)
}

// What is left of a cut download is listed, so that nobody wonders where the disk went.
func TestListShowsUnfinishedDownloads(t *testing.T) {
	c := &Client{Cache: t.TempDir()}
	blobs := filepath.Join(c.Cache, "models--H1merka--TIGAS", "blobs")
	require.NoError(t, os.MkdirAll(blobs, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(blobs, "abc.incomplete"), make([]byte, 300), 0o644))
	entries, total, err := c.List()
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.True(t, entries[0].Partial)
	require.Equal(t, DefaultRepo, entries[0].Repo)
	require.EqualValues(t, 300, total)
	freed, err := c.Clear()
	require.NoError(t, err)
	require.EqualValues(t, 300, freed)
}
