package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	commit1 = "1111111111111111111111111111111111111111"
	commit2 = "2222222222222222222222222222222222222222"
	secret  = "hf_secret"
)

// TestMain lets this binary be the second process of a test.
func TestMain(m *testing.M) {
	if job := os.Getenv("HUB_TEST_JOB"); job != "" {
		c := &Client{poll: time.Millisecond}
		if err := json.Unmarshal([]byte(job), c); err != nil {
			panic(err)
		}
		r, err := c.Fetch(context.Background(), File{}, false)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
			panic(err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fake is a hub with a storage on another host, as the real one has them.
type fake struct {
	t            *testing.T
	hub, storage *httptest.Server
	content      []byte
	etag, commit string
	head         func(w http.ResponseWriter, r *http.Request, n int) bool // before the default, true: done; n counts from 1
	redirect     func(w http.ResponseWriter, r *http.Request, n int) bool // the hub's answer to GET
	get          func(w http.ResponseWriter, r *http.Request, n int) bool // the storage's

	mu                     sync.Mutex
	heads, redirects, gets int
	ranges, conditions     []string
	served                 int64
	hubTokens, leaked      []string
}

func bytesOf(n int, seed int64) []byte {
	b := make([]byte, n)
	rand.New(rand.NewSource(seed)).Read(b)
	return b
}

func sha256Of(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// gitOf is what `git hash-object` prints.
func gitOf(b []byte) string {
	h := sha1.Sum(append([]byte("blob "+strconv.Itoa(len(b))+"\x00"), b...))
	return hex.EncodeToString(h[:])
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{t: t, content: bytesOf(300_000, 1), commit: commit1}
	f.etag = sha256Of(f.content)
	f.storage = httptest.NewServer(http.HandlerFunc(f.serveStorage))
	t.Cleanup(f.storage.Close)
	f.hub = httptest.NewServer(http.HandlerFunc(f.serveHub))
	t.Cleanup(f.hub.Close)
	return f
}

func (f *fake) describe(w http.ResponseWriter) {
	w.Header().Set("X-Repo-Commit", f.commit)
	w.Header().Set("X-Linked-Etag", `"`+f.etag+`"`)
	w.Header().Set("X-Linked-Size", strconv.Itoa(len(f.content)))
	w.Header().Set("ETag", `"of the redirect"`)
	w.Header().Set("Location", f.storage.URL+"/lfs/"+f.etag+"?X-Signature=signed-"+secret)
}

func (f *fake) serveHub(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.hubTokens = append(f.hubTokens, r.Header.Get("Authorization"))
	n, hook := &f.redirects, f.redirect
	if r.Method == http.MethodHead {
		n, hook = &f.heads, f.head
	}
	*n++
	nth := *n
	f.mu.Unlock()
	if hook != nil && hook(w, r, nth) {
		return
	}
	if !strings.HasPrefix(r.URL.Path, "/H1merka/TIGAS/resolve/") || !strings.HasSuffix(r.URL.Path, "/best_model.pt") {
		w.Header().Set("X-Error-Code", "EntryNotFound")
		w.WriteHeader(http.StatusNotFound)
		return
	}
	f.describe(w)
	w.WriteHeader(http.StatusFound)
}

func (f *fake) serveStorage(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	if a := r.Header.Get("Authorization"); a != "" {
		f.leaked = append(f.leaked, a)
	}
	f.ranges = append(f.ranges, r.Header.Get("Range"))
	f.conditions = append(f.conditions, r.Header.Get("If-Range"))
	f.gets++
	nth, hook := f.gets, f.get
	f.mu.Unlock()
	if hook != nil && hook(w, r, nth) {
		return
	}
	f.send(w, r, f.content, -1)
}

// send answers with what the Range header asks for of b; after limit bytes of it the connection breaks.
func (f *fake) send(w http.ResponseWriter, r *http.Request, b []byte, limit int) {
	start, status := 0, http.StatusOK
	if s, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		start, _ = strconv.Atoi(strings.TrimSuffix(s, "-"))
		if start >= len(b) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", len(b)))
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		status = http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(b)-1, len(b)))
	}
	body := b[start:]
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if limit >= 0 && limit < len(body) {
		body = body[:limit]
	}
	f.mu.Lock()
	f.served += int64(len(body))
	f.mu.Unlock()
	w.Write(body)
	if limit >= 0 {
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// client is one that does not wait: waits are noted.
type testClient struct {
	*Client
	waits []time.Duration
}

func (f *fake) client(t *testing.T) *testClient {
	c := &testClient{Client: &Client{Endpoint: f.hub.URL, Token: secret, Cache: filepath.Join(t.TempDir(), "models"), poll: time.Millisecond}}
	c.sleep = func(ctx context.Context, d time.Duration) error {
		c.waits = append(c.waits, d)
		return ctx.Err()
	}
	return c
}

// fetch is the published file, force off.
func (c *testClient) fetch() (Result, error) { return c.Fetch(context.Background(), File{}, false) }

func (c *testClient) blob(etag string) string {
	return filepath.Join(c.Cache, "models--H1merka--TIGAS", "blobs", etag)
}

// leavesNothing asserts that no file has a final name.
func (c *testClient) leavesNothing(t *testing.T) {
	t.Helper()
	filepath.WalkDir(c.Cache, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasSuffix(path, ".incomplete") && !strings.HasSuffix(path, ".lock") {
			t.Errorf("%s is left", path)
		}
		return nil
	})
}

// check asserts the form of an error: its kind, one line, "hub: ", and no secret.
func check(t *testing.T, err, kind error, parts ...string) {
	t.Helper()
	require.ErrorIs(t, err, kind)
	text := err.Error()
	require.True(t, strings.HasPrefix(text, "hub: "), text)
	require.NotContains(t, text, "\n")
	require.NotContains(t, text, secret)
	require.NotContains(t, text, "?")
	for _, p := range parts {
		require.Contains(t, text, p)
	}
	for _, other := range []error{ErrOffline, ErrNotFound, ErrAuth, ErrRateLimit, ErrServer, ErrChecksum, ErrNetwork, ErrTooLarge, ErrBusy} {
		if other != kind {
			require.NotErrorIs(t, err, other)
		}
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, b, 0o644))
}

func link(t *testing.T, to, path string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.Symlink(to, path))
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

func TestFetchWritesTheLayoutOfHuggingfaceHub(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	c.UserAgent = "tester/1"
	var agents []string
	f.head = func(w http.ResponseWriter, r *http.Request, n int) bool {
		agents = append(agents, r.UserAgent())
		return false
	}
	var last, total int64
	c.Progress = func(done, of int64) {
		require.GreaterOrEqual(t, done, last)
		last, total = done, of
	}
	r, err := c.fetch()
	require.NoError(t, err)
	repo := filepath.Join(c.Cache, "models--H1merka--TIGAS")
	path := filepath.Join(repo, "snapshots", commit1, "best_model.pt")
	require.Equal(t, Result{Path: path, SHA256: f.etag, Size: 300_000, Commit: commit1, Verified: true}, r)
	require.Equal(t, f.content, read(t, path))
	to, err := os.Readlink(path)
	require.NoError(t, err)
	require.Equal(t, "../../blobs/"+f.etag, to)
	require.Equal(t, commit1, string(read(t, filepath.Join(repo, "refs", "main"))))
	require.Equal(t, []int64{300_000, 300_000}, []int64{last, total})
	require.Equal(t, []string{"tester/1"}, agents)
	require.FileExists(t, filepath.Join(c.Cache, ".locks", "models--H1merka--TIGAS", f.etag+".lock"))
	blobs, err := os.ReadDir(filepath.Join(repo, "blobs"))
	require.NoError(t, err)
	require.Len(t, blobs, 1)

	// The second time nobody is asked.
	r2, err := c.fetch()
	require.NoError(t, err)
	r.FromCache = true
	require.Equal(t, r, r2)
	require.Equal(t, []int{1, 1}, []int{f.heads, f.gets})
}

func TestWithoutSymlinksTheFileIsCopied(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	c.symlink = func(*os.Root, string, string) error { return errors.ErrUnsupported }
	r, err := c.fetch()
	require.NoError(t, err)
	info, err := os.Lstat(r.Path)
	require.NoError(t, err)
	require.True(t, info.Mode().IsRegular())
	require.Equal(t, f.content, read(t, r.Path))
	r, ok, err := c.Find(File{})
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, f.etag, r.SHA256)
}

func TestForceReplaces(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	_, err := c.fetch()
	require.NoError(t, err)
	write(t, filepath.Join(c.Cache, "best_model.pt"), []byte("an old one that would hide the new one"))

	f.content, f.commit = bytesOf(200_000, 2), commit2
	f.etag = sha256Of(f.content)
	r, err := c.Fetch(context.Background(), File{}, true)
	require.NoError(t, err)
	require.False(t, r.FromCache)
	require.Equal(t, commit2, r.Commit)
	found, err := c.fetch()
	require.NoError(t, err)
	require.Equal(t, []string{f.etag, commit2}, []string{found.SHA256, found.Commit})
	require.True(t, found.Verified)

	// The same content again is downloaded again, and a failure leaves it.
	gets := f.gets
	_, err = c.Fetch(context.Background(), File{}, true)
	require.NoError(t, err)
	require.Equal(t, gets+1, f.gets)
	f.get = func(w http.ResponseWriter, r *http.Request, n int) bool {
		f.send(w, r, bytesOf(200_000, 3), -1)
		return true
	}
	_, err = c.Fetch(context.Background(), File{}, true)
	check(t, err, ErrChecksum)
	found, err = c.fetch()
	require.NoError(t, err)
	require.Equal(t, f.etag, found.SHA256)
}

func TestOtherRepositoriesNamesAndRevisions(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	var asked []string
	f.head = func(w http.ResponseWriter, r *http.Request, n int) bool {
		asked = append(asked, r.RequestURI)
		f.describe(w)
		w.WriteHeader(http.StatusFound)
		return true
	}
	f.redirect = func(w http.ResponseWriter, r *http.Request, n int) bool {
		f.describe(w)
		w.WriteHeader(http.StatusFound)
		return true
	}
	r, err := c.Fetch(context.Background(), File{Repo: "me/fork", Name: "run/7/a.pt", Revision: "refs/pr/1"}, false)
	require.NoError(t, err)
	repo := filepath.Join(c.Cache, "models--me--fork")
	require.Equal(t, filepath.Join(repo, "snapshots", commit1, "run/7/a.pt"), r.Path)
	to, err := os.Readlink(r.Path)
	require.NoError(t, err)
	require.Equal(t, "../../../../blobs/"+f.etag, to)
	require.Equal(t, commit1, string(read(t, filepath.Join(repo, "refs/refs/pr/1"))))

	// The same bytes under another revision are not downloaded again.
	r, err = c.Fetch(context.Background(), File{Repo: "me/fork", Name: "run/7/a.pt", Revision: commit1}, false)
	require.NoError(t, err)
	require.True(t, r.FromCache)
	f.commit = commit2
	r, err = c.Fetch(context.Background(), File{Repo: "me/fork", Name: "run/7/a.pt", Revision: "v2"}, false)
	require.NoError(t, err)
	require.True(t, r.FromCache)
	require.Equal(t, commit2, r.Commit)
	require.Equal(t, 1, f.gets)
	require.Equal(t, []string{"/me/fork/resolve/refs%2Fpr%2F1/run/7/a.pt", "/me/fork/resolve/v2/run/7/a.pt"}, asked)
}
