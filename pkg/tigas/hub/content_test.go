package hub

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLengths(t *testing.T) {
	for name, e := range map[string]struct {
		answer func(f *fake, w http.ResponseWriter, r *http.Request)
		want   string
	}{
		"a shorter file": {func(f *fake, w http.ResponseWriter, r *http.Request) { f.send(w, r, f.content[:299_999], -1) }, "299999 bytes vs 300000 announced"},
		"a longer file": {func(f *fake, w http.ResponseWriter, r *http.Request) {
			f.send(w, r, append(f.content[:300_000:300_000], 0), -1)
		}, "300001 bytes vs 300000 announced"},
		"shorter, without a length": {func(f *fake, w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			w.Write(f.content[:299_999])
		}, "299999 bytes vs 300000 announced"},
		"longer, without a length": {func(f *fake, w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			w.Write(append(f.content[:300_000:300_000], 0))
		}, "more than the 300000 bytes announced"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			c := f.client(t)
			f.get = func(w http.ResponseWriter, r *http.Request, n int) bool { e.answer(f, w, r); return true }
			_, err := c.fetch()
			check(t, err, ErrChecksum, e.want, f.storage.URL)
			require.Equal(t, 2, f.gets, "one more try")
			require.Empty(t, f.ranges[1], "from zero")
			require.NoFileExists(t, c.blob(f.etag)+".incomplete")
			c.leavesNothing(t)
		})
	}
}

func TestMissingLengths(t *testing.T) {
	f := newFake(t)
	f.head = func(w http.ResponseWriter, r *http.Request, n int) bool {
		f.describe(w)
		w.Header().Del("X-Linked-Size")
		w.WriteHeader(http.StatusFound)
		return true
	}
	chunked := func(w http.ResponseWriter, r *http.Request, n int) bool {
		w.(http.Flusher).Flush()
		w.Write(f.content)
		return true
	}
	for _, get := range []func(http.ResponseWriter, *http.Request, int) bool{nil, chunked} {
		f.get = get
		c := f.client(t)
		r, err := c.fetch()
		require.NoError(t, err)
		require.Equal(t, f.content, read(t, r.Path))
		require.EqualValues(t, 300_000, r.Size)
	}
	// Neither length nor checksum.
	f.etag = "abc"
	c := f.client(t)
	_, err := c.fetch()
	check(t, err, ErrServer, "neither a length nor a checksum")
	c.leavesNothing(t)
}

func TestMaxSize(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	c.MaxSize = 299_999
	_, err := c.fetch()
	check(t, err, ErrTooLarge, "300000 bytes vs at most 299999")
	require.Zero(t, f.gets)

	f.head = func(w http.ResponseWriter, r *http.Request, n int) bool {
		f.describe(w)
		w.Header().Del("X-Linked-Size")
		w.WriteHeader(http.StatusFound)
		return true
	}
	_, err = c.fetch()
	check(t, err, ErrTooLarge, "300000 bytes vs at most 299999")
	f.get = func(w http.ResponseWriter, r *http.Request, n int) bool {
		w.(http.Flusher).Flush()
		w.Write(f.content)
		return true
	}
	_, err = c.fetch()
	check(t, err, ErrTooLarge, "vs at most 299999")

	f.head = func(w http.ResponseWriter, r *http.Request, n int) bool {
		f.describe(w)
		w.Header().Set("X-Linked-Size", strconv.Itoa(DefaultMaxSize+1))
		w.WriteHeader(http.StatusFound)
		return true
	}
	c.MaxSize = 0
	_, err = c.fetch()
	check(t, err, ErrTooLarge, "at most 8589934592")
}

func TestWrongChecksum(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	other := bytesOf(300_000, 6)
	f.get = func(w http.ResponseWriter, r *http.Request, n int) bool {
		if n > 1 {
			return false
		}
		f.send(w, r, other, -1)
		return true
	}
	r, err := c.fetch()
	require.NoError(t, err)
	require.Equal(t, f.content, read(t, r.Path))
	require.Equal(t, []string{"", ""}, f.ranges)

	for _, etag := range []string{sha256Of(f.content), gitOf(f.content)} {
		f.etag, f.gets, f.ranges = etag, 0, nil
		f.get = func(w http.ResponseWriter, r *http.Request, n int) bool { f.send(w, r, other, -1); return true }
		c = f.client(t)
		_, err = c.fetch()
		got := map[int]string{64: sha256Of(other), 40: gitOf(other)}[len(etag)]
		check(t, err, ErrChecksum, etag, got, f.hub.URL, "try again")
		require.Equal(t, []string{"", ""}, f.ranges)
		require.NoFileExists(t, c.blob(f.etag)+".incomplete")
		c.leavesNothing(t)
	}
}

func TestGitChecksum(t *testing.T) {
	// printf 'hello\n' | git hash-object --stdin
	require.Equal(t, "ce013625030ba8dba906f756967f9e9ca394464a", gitOf([]byte("hello\n")))
	require.NoError(t, etag("ce013625030ba8dba906f756967f9e9ca394464a").compare(sums{blob: gitOf([]byte("hello\n"))}))
	f := newFake(t)
	f.etag = gitOf(f.content)
	r, err := f.client(t).fetch()
	require.NoError(t, err)
	require.True(t, r.Verified)
	require.Equal(t, sha256Of(f.content), r.SHA256)
}

func TestTheBranchMovesMeanwhile(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	f.redirect = func(w http.ResponseWriter, r *http.Request, n int) bool {
		if n == 1 {
			f.content, f.commit = bytesOf(100_000, 11), commit2
			f.etag = sha256Of(f.content)
		}
		return false
	}
	r, err := c.fetch()
	require.NoError(t, err)
	require.Equal(t, commit2, r.Commit)
	require.Equal(t, f.content, read(t, r.Path))
	require.Equal(t, 2, f.heads)

	c = f.client(t)
	f.redirect = func(w http.ResponseWriter, r *http.Request, n int) bool {
		f.content = bytesOf(100_000, int64(100+n))
		f.etag = sha256Of(f.content)
		return false
	}
	_, err = c.fetch()
	check(t, err, ErrServer, "changed on the hub")
}

func TestEncodedBody(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	f.get = func(w http.ResponseWriter, r *http.Request, n int) bool {
		require.Equal(t, "identity", r.Header.Get("Accept-Encoding"))
		w.Header().Set("Content-Encoding", "gzip")
		f.send(w, r, f.content, -1)
		return true
	}
	_, err := c.fetch()
	check(t, err, ErrServer, `"gzip"`)
}
