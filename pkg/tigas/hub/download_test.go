package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCutConnectionsAreResumed(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	cuts := []int{1, 99_999, 0, 150_000} // bytes of each of the first tries
	f.get = func(w http.ResponseWriter, r *http.Request, n int) bool {
		if n > len(cuts) {
			return false
		}
		f.send(w, r, f.content, cuts[n-1])
		return true
	}
	r, err := c.fetch()
	require.NoError(t, err)
	require.Equal(t, f.content, read(t, r.Path))
	require.Equal(t, []string{"", "bytes=1-", "bytes=100000-", "bytes=100000-", "bytes=250000-"}, f.ranges)
	require.EqualValues(t, 300_000, f.served, "no byte twice")
	require.Equal(t, make([]string, 5), f.conditions, "the checksum tells")
	require.Equal(t, 5, f.redirects, "each try gets an address of its own")
	require.Len(t, c.waits, 4)
	require.Equal(t, 1, f.heads)
}

func TestRetriesAreBoundedAndThePartStays(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	c.Retries = 2
	f.get = func(w http.ResponseWriter, r *http.Request, n int) bool {
		f.send(w, r, f.content, 10_000)
		return true
	}
	_, err := c.fetch()
	check(t, err, ErrNetwork, "unexpected EOF", "3 tries", f.storage.URL)
	require.Equal(t, 3, f.gets)
	require.Equal(t, f.content[:30_000], read(t, c.blob(f.etag)+".incomplete"))
	c.leavesNothing(t)

	f.get = nil
	r, err := c.fetch()
	require.NoError(t, err)
	require.Equal(t, "bytes=30000-", f.ranges[3])
	require.EqualValues(t, 300_000, f.served)
	require.Equal(t, f.etag, r.SHA256)

	// Tries that bring much do not count.
	f = newFake(t)
	f.content = bytesOf(5<<20, 4)
	f.etag = sha256Of(f.content)
	c = f.client(t)
	c.Retries = 1
	f.get = func(w http.ResponseWriter, r *http.Request, n int) bool {
		f.send(w, r, f.content, 1<<20)
		return true
	}
	_, err = c.fetch()
	require.NoError(t, err)
	require.Equal(t, 5, f.gets)

	c = f.client(t)
	c.Retries = -1
	_, err = c.fetch()
	check(t, err, ErrNetwork)
	require.Empty(t, c.waits)
}

func TestPartialFileOfAnotherProcess(t *testing.T) {
	wrongStart := bytesOf(100_000, 9)
	for name, e := range map[string]struct {
		part   func(content []byte) []byte
		ranges []string
		served int64
	}{
		"a part":             {func(b []byte) []byte { return b[:100_000] }, []string{"bytes=100000-"}, 200_000},
		"all of it":          {func(b []byte) []byte { return b }, nil, 0},
		"too much":           {func(b []byte) []byte { return append(b[:len(b):len(b)], 1) }, []string{""}, 300_000},
		"something else":     {func([]byte) []byte { return wrongStart }, []string{"bytes=100000-", ""}, 500_000},
		"all, but different": {func(b []byte) []byte { return bytesOf(len(b), 8) }, []string{""}, 300_000},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			c := f.client(t)
			write(t, c.blob(f.etag)+".incomplete", e.part(f.content))
			r, err := c.fetch()
			require.NoError(t, err)
			require.Equal(t, f.content, read(t, r.Path))
			require.Equal(t, e.ranges, f.ranges)
			require.Equal(t, e.served, f.served)
			require.NoFileExists(t, c.blob(f.etag)+".incomplete")
		})
	}
}

func TestServerThatIgnoresRanges(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	write(t, c.blob(f.etag)+".incomplete", f.content[:250_000])
	f.get = func(w http.ResponseWriter, r *http.Request, n int) bool {
		r.Header.Del("Range")
		f.send(w, r, f.content, map[int]int{1: 100_000, 2: -1}[n])
		return true
	}
	var done []int64
	c.Progress = func(d, _ int64) { done = append(done, d) }
	r, err := c.fetch()
	require.NoError(t, err)
	require.Equal(t, f.content, read(t, r.Path))
	require.Equal(t, []string{"bytes=250000-", "bytes=100000-"}, f.ranges)
	require.EqualValues(t, 400_000, f.served)
	require.Zero(t, done[0], "progress falls to 0")
}

func TestWrongRange(t *testing.T) {
	for _, header := range []string{"bytes 0-299999/300000", "bytes 100001-299999/300000", "", "garbage", "bytes 100000-299999/300001", "bytes 99999999999999999999-1/300000"} {
		f := newFake(t)
		c := f.client(t)
		write(t, c.blob(f.etag)+".incomplete", f.content[:100_000])
		f.get = func(w http.ResponseWriter, r *http.Request, n int) bool {
			if n > 1 {
				return false
			}
			w.Header().Set("Content-Range", header)
			w.WriteHeader(http.StatusPartialContent)
			w.Write(f.content[100_000:])
			return true
		}
		r, err := c.fetch()
		require.NoError(t, err, header)
		require.Equal(t, f.content, read(t, r.Path))
		require.Equal(t, []string{"bytes=100000-", ""}, f.ranges, header)
	}
}

func TestRangeNotSatisfiable(t *testing.T) {
	// The hub does not say a length; what is there is all.
	f := newFake(t)
	c := f.client(t)
	f.head = func(w http.ResponseWriter, r *http.Request, n int) bool {
		f.describe(w)
		w.Header().Del("X-Linked-Size")
		w.WriteHeader(http.StatusFound)
		return true
	}
	write(t, c.blob(f.etag)+".incomplete", f.content)
	r, err := c.fetch()
	require.NoError(t, err)
	require.Equal(t, f.etag, r.SHA256)
	require.EqualValues(t, 0, f.served)
	require.Equal(t, []string{"bytes=300000-"}, f.ranges)

	// The same length, but other bytes: thrown away.
	c = f.client(t)
	write(t, c.blob(f.etag)+".incomplete", bytesOf(300_000, 7))
	r, err = c.fetch()
	require.NoError(t, err)
	require.Equal(t, f.content, read(t, r.Path))
	require.EqualValues(t, 300_000, f.served)

	// More than the server has.
	c = f.client(t)
	write(t, c.blob(f.etag)+".incomplete", bytesOf(300_001, 7))
	r, err = c.fetch()
	require.NoError(t, err)
	require.Equal(t, f.content, read(t, r.Path))

	// A length is known, and the server does not want to go on.
	f = newFake(t)
	c = f.client(t)
	write(t, c.blob(f.etag)+".incomplete", f.content[:1000])
	f.get = func(w http.ResponseWriter, r *http.Request, n int) bool {
		if r.Header.Get("Range") == "" {
			return false
		}
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return true
	}
	r, err = c.fetch()
	require.NoError(t, err)
	require.Equal(t, f.content, read(t, r.Path))
	require.Equal(t, []string{"bytes=1000-", ""}, f.ranges)
}

// Where the etag is no checksum, only a condition keeps two files from being mixed.
func TestEtagThatIsNoChecksum(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	f.etag = "v1-abc"
	write(t, c.blob(f.etag)+".incomplete", f.content[:100_000])
	f.get = func(w http.ResponseWriter, r *http.Request, n int) bool {
		switch n {
		case 1:
			w.Header().Set("ETag", `"one"`)
			f.send(w, r, bytesOf(300_000, 5), 50_000)
		case 2: // another file now, which If-Range turns into a 200
			w.Header().Set("ETag", `"two"`)
			r.Header.Del("Range")
			f.send(w, r, f.content, 60_000)
		default:
			f.send(w, r, f.content, -1)
		}
		return true
	}
	r, err := c.fetch()
	require.NoError(t, err)
	require.Equal(t, f.content, read(t, r.Path))
	require.False(t, r.Verified)
	require.Equal(t, sha256Of(f.content), r.SHA256)
	require.Equal(t, []string{"", "bytes=50000-", "bytes=60000-"}, f.ranges)
	require.Equal(t, []string{"", `"one"`, `"two"`}, f.conditions)
	found, ok, err := c.Find(File{})
	require.NoError(t, err)
	require.True(t, ok)
	require.False(t, found.Verified)
}

func TestStalledBody(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	c.Stall, c.Retries = 150*time.Millisecond, 1
	f.get = func(w http.ResponseWriter, r *http.Request, n int) bool {
		w.Header().Set("Content-Length", "300000")
		w.Write(f.content[:1000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	_, err := c.fetch()
	check(t, err, ErrNetwork, "no byte for 150ms")
	require.Equal(t, 2, f.gets)
	require.Len(t, read(t, c.blob(f.etag)+".incomplete"), 1000)

	// A slow one that does not stall: longer than Stall as a whole.
	c = f.client(t)
	c.Stall = 250 * time.Millisecond
	f.get = func(w http.ResponseWriter, r *http.Request, n int) bool {
		w.Header().Set("Content-Length", "300000")
		for i := range 10 {
			time.Sleep(30 * time.Millisecond)
			w.Write(f.content[i*30_000 : (i+1)*30_000])
			w.(http.Flusher).Flush()
		}
		return true
	}
	gets := f.gets
	_, err = c.fetch()
	require.NoError(t, err)
	require.Equal(t, gets+1, f.gets)

	// A hub that takes the request and says nothing.
	c = f.client(t)
	c.Stall, c.Retries = 30*time.Millisecond, -1
	f.head = func(w http.ResponseWriter, r *http.Request, n int) bool { <-r.Context().Done(); return true }
	_, err = c.fetch()
	check(t, err, ErrNetwork, "no byte for 30ms", f.hub.URL)
}

func TestCancelKeepsThePart(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f.get = func(w http.ResponseWriter, r *http.Request, n int) bool {
		w.Header().Set("Content-Length", "300000")
		w.Write(f.content[:120_000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	c.Progress = func(done, _ int64) {
		if done == 120_000 {
			cancel()
		}
	}
	_, err := c.Fetch(ctx, File{}, false)
	check(t, err, context.Canceled, "kept and resumed")
	require.Equal(t, f.content[:120_000], read(t, c.blob(f.etag)+".incomplete"))
	require.Empty(t, c.waits)
	c.leavesNothing(t)

	f.get = nil
	_, err = c.fetch()
	require.NoError(t, err)
	require.Equal(t, "bytes=120000-", f.ranges[1])

	// Between two tries.
	c = f.client(t)
	ctx, cancel = context.WithCancel(context.Background())
	c.sleep = func(ctx context.Context, d time.Duration) error { cancel(); return pause(ctx, d) }
	f.head = func(w http.ResponseWriter, r *http.Request, n int) bool { w.WriteHeader(503); return true }
	_, err = c.Fetch(ctx, File{}, false)
	check(t, err, context.Canceled)

	// A deadline.
	c = f.client(t)
	ctx, cancel = context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	f.head = func(w http.ResponseWriter, r *http.Request, n int) bool { <-r.Context().Done(); return true }
	_, err = c.Fetch(ctx, File{}, false)
	check(t, err, context.DeadlineExceeded)
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=200k"); err != nil {
		t.Skip("no small file system here:", err)
	}
	defer syscall.Unmount(dir, 0)
	f := newFake(t)
	c := f.client(t)
	c.Cache = dir
	_, err := c.fetch()
	check(t, err, syscall.ENOSPC, "no space left", dir, "kept and resumed")
	require.Empty(t, c.waits)
	kept := read(t, c.blob(f.etag)+".incomplete")
	require.NotEmpty(t, kept)
	require.Equal(t, f.content[:len(kept)], kept)
	c.leavesNothing(t)

	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=2m"))
	_, err = c.fetch()
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("bytes=%d-", len(kept)), f.ranges[len(f.ranges)-1])
}

func TestCacheThatCannotBeWritten(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil)
	c.Cache = filepath.Join(file, "models")
	_, err := c.fetch()
	check(t, err, syscall.ENOTDIR, c.Cache, "choose a cache folder")

	c.Cache = ""
	_, err = c.fetch()
	require.ErrorContains(t, err, "no cache folder")

	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	c.Cache = t.TempDir()
	require.NoError(t, os.Chmod(c.Cache, 0o500))
	_, err = c.fetch()
	check(t, err, os.ErrPermission, c.Cache, "choose a cache folder")
}

func TestWaitsGrowAndEnd(t *testing.T) {
	k := &call{Client: &Client{Retries: 9}}
	var waits []time.Duration
	k.sleep = func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }
	err := k.retry(context.Background(), func() (bool, error) {
		return false, &failure{kinds: []error{ErrNetwork}, what: "x", again: true}
	})
	require.ErrorIs(t, err, ErrNetwork)
	s := time.Second
	require.Equal(t, []time.Duration{s / 2, s, 2 * s, 4 * s, 8 * s, 16 * s, 30 * s, 30 * s, 30 * s}, waits)
	calls := 0
	require.EqualError(t, k.retry(context.Background(), func() (bool, error) { calls++; return false, errors.New("final") }), "final")
	require.Equal(t, 1, calls)
}
