package hub

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// answers makes the hub answer every HEAD with a status and headers.
func answers(status int, headers ...string) func(http.ResponseWriter, *http.Request, int) bool {
	return func(w http.ResponseWriter, r *http.Request, n int) bool {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		return true
	}
}

func TestRefusals(t *testing.T) {
	for name, e := range map[string]struct {
		status  int
		code    string
		token   string
		kind    error
		parts   []string
		retried bool
	}{
		"401":                   {401, "", "", ErrAuth, []string{"401 Unauthorized", "HF_TOKEN", "conditions"}, false},
		"401 with token":        {401, "", secret, ErrAuth, []string{"token is not accepted", "HF_TOKEN"}, false},
		"401 gated":             {401, "GatedRepo", "", ErrAuth, []string{"accept the conditions at", "/H1merka/TIGAS", "HF_TOKEN"}, false},
		"403 gated":             {403, "GatedRepo", secret, ErrAuth, []string{"accept the conditions at"}, false},
		"403":                   {403, "", secret, ErrAuth, []string{"403 Forbidden", "HF_TOKEN", "conditions"}, false},
		"404 repository":        {404, "RepoNotFound", "", ErrNotFound, []string{"no repository H1merka/TIGAS"}, false},
		"404 revision":          {404, "RevisionNotFound", "", ErrNotFound, []string{"no revision main"}, false},
		"404 file":              {404, "EntryNotFound", "", ErrNotFound, []string{"no file best_model.pt"}, false},
		"404 of something else": {404, "", "", ErrNotFound, []string{"check the endpoint"}, false},
		"407":                   {407, "", "", ErrNetwork, []string{"HTTPS_PROXY"}, false},
		"418":                   {418, "", "", ErrServer, []string{"418"}, false},
		"408":                   {408, "", "", ErrServer, []string{"408"}, true},
		"500":                   {500, "", "", ErrServer, []string{"500 Internal Server Error", "3 tries", "later"}, true},
		"503":                   {503, "", "", ErrServer, []string{"503", "3 tries"}, true},
		"429":                   {429, "", "", ErrRateLimit, []string{"429 Too Many Requests", "wait", "HF_TOKEN"}, true},
		"429 with token":        {429, "", secret, ErrRateLimit, []string{"wait a few minutes"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			c := f.client(t)
			c.Token, c.Retries = e.token, 2
			f.head = answers(e.status, "X-Error-Code", e.code, "X-Error-Message", "said\nthe hub")
			_, err := c.fetch()
			check(t, err, e.kind, append(e.parts, `"said`, f.hub.URL+"/H1merka/TIGAS/resolve/main/best_model.pt")...)
			require.Equal(t, map[bool]int{false: 1, true: 3}[e.retried], f.heads)
			require.Zero(t, f.gets)
			require.NoDirExists(t, c.Cache)
		})
	}
}

// What the hub says to strangers of a repository that does not exist.
func TestMissingOrPrivateRepository(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	f.head = answers(401, "X-Error-Code", "RepoNotFound")
	_, err := c.fetch()
	require.ErrorIs(t, err, ErrAuth)
	require.ErrorIs(t, err, ErrNotFound)
	require.ErrorContains(t, err, "no such repository, or a private one")
	require.ErrorContains(t, err, "HF_TOKEN")
}

func TestServerThatRecovers(t *testing.T) {
	for _, status := range []int{500, 502, 503, 504, 429} {
		f := newFake(t)
		c := f.client(t)
		c.Retries = 4
		f.head = func(w http.ResponseWriter, r *http.Request, n int) bool { return n < 3 && answers(status)(w, r, n) }
		f.redirect = f.head
		f.get = f.head
		r, err := c.fetch()
		require.NoError(t, err, status)
		require.Equal(t, f.etag, r.SHA256)
		require.Equal(t, 3, f.heads)
		require.Len(t, c.waits, 2+2+2, "for the HEAD, the GET at the hub, the GET at the storage")
	}
}

func TestRetryAfter(t *testing.T) {
	for _, e := range []struct {
		headers  []string
		from, to time.Duration
	}{
		{[]string{"Retry-After", "7"}, 7 * time.Second, 7 * time.Second},
		{[]string{"Retry-After", time.Now().Add(20 * time.Second).UTC().Format(http.TimeFormat)}, 10 * time.Second, 20 * time.Second},
		{[]string{"RateLimit", `"api";r=0;t=55`}, 55 * time.Second, 55 * time.Second},
		{[]string{"Retry-After", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)}, firstWait, firstWait},
		{[]string{"Retry-After", "-3"}, firstWait, firstWait},
		{[]string{"Retry-After", "soon"}, firstWait, firstWait},
	} {
		f := newFake(t)
		c := f.client(t)
		f.head = func(w http.ResponseWriter, r *http.Request, n int) bool {
			return n == 1 && answers(429, e.headers...)(w, r, n)
		}
		_, err := c.fetch()
		require.NoError(t, err)
		require.Len(t, c.waits, 1)
		require.GreaterOrEqual(t, c.waits[0], e.from, e.headers)
		require.LessOrEqual(t, c.waits[0], e.to, e.headers)
	}
	// More than anybody waits.
	f := newFake(t)
	c := f.client(t)
	f.head = answers(429, "Retry-After", "3600")
	_, err := c.fetch()
	check(t, err, ErrRateLimit, "wait 1h0m0s")
	require.Empty(t, c.waits)
	require.Equal(t, 1, f.heads)
}

func TestRefusalsOfTheStorage(t *testing.T) {
	// An address that has expired: the next one is good.
	f := newFake(t)
	c := f.client(t)
	f.get = func(w http.ResponseWriter, r *http.Request, n int) bool { return n == 1 && answers(403)(w, r, n) }
	_, err := c.fetch()
	require.NoError(t, err)
	require.Equal(t, 2, f.redirects)

	c = f.client(t)
	c.Retries = 1
	f.get = answers(403)
	_, err = c.fetch()
	check(t, err, ErrServer, "403 Forbidden", "storage", "2 tries", f.storage.URL+"/lfs/")
	c.leavesNothing(t)

	// The hub itself refuses the GET.
	c = f.client(t)
	f.redirect = answers(403, "X-Error-Code", "GatedRepo")
	_, err = c.fetch()
	check(t, err, ErrAuth, "conditions")
}

func TestAnswersThatAreNotOfTheHub(t *testing.T) {
	for _, e := range []struct {
		headers []string
		want    string
	}{
		{nil, "without X-Repo-Commit"},
		{[]string{"X-Repo-Commit", commit1}, "without an ETag"},
		{[]string{"X-Repo-Commit", commit1, "ETag", `""`}, "without an ETag"},
		{[]string{"X-Repo-Commit", commit1, "ETag", `"a"`, "X-Linked-Size", "-5"}, "length"},
		{[]string{"X-Repo-Commit", commit1, "ETag", `"a"`, "X-Linked-Size", "0"}, "length"},
		{[]string{"X-Repo-Commit", commit1, "ETag", `"a"`, "X-Linked-Size", "many"}, "length"},
	} {
		f := newFake(t)
		c := f.client(t)
		f.head = answers(200, e.headers...)
		_, err := c.fetch()
		check(t, err, ErrServer, e.want, "log-in page")
		require.Zero(t, f.redirects)
	}
	f := newFake(t)
	c := f.client(t)
	_, err := c.Fetch(context.Background(), File{Revision: commit2}, false)
	check(t, err, ErrServer, commit1, commit2)
	f.get = answers(204)
	_, err = c.fetch()
	check(t, err, ErrServer, "204 No Content")
	c.leavesNothing(t)
}

func TestOffline(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	c.Offline = true
	_, err := c.fetch()
	check(t, err, ErrOffline, c.Cache, "copy the file there as best_model.pt")
	_, err = c.Fetch(context.Background(), File{}, true)
	check(t, err, ErrOffline, "anew")
	require.NoDirExists(t, c.Cache)

	c.Offline = false
	_, err = c.fetch()
	require.NoError(t, err)
	c.Offline = true
	r, err := c.fetch()
	require.NoError(t, err)
	require.True(t, r.FromCache)
	require.True(t, r.Verified)
	require.Equal(t, 1, f.heads)

	// Damaged: said, not used.
	write(t, c.blob(f.etag), f.content[:1000])
	_, err = c.fetch()
	check(t, err, ErrChecksum, f.etag, sha256Of(f.content[:1000]), "damaged")
	c.Offline = false
	r, err = c.fetch()
	require.NoError(t, err)
	require.False(t, r.FromCache)
	require.Equal(t, f.content, read(t, r.Path))
}

func TestTokensAndEndpointsThatCannotBe(t *testing.T) {
	f := newFake(t)
	for _, token := range []string{secret + "\n", "a b", "hf_\x00", "hf_ä"} {
		c := f.client(t)
		c.Token = token
		_, err := c.fetch()
		check(t, err, ErrAuth, "HF_TOKEN")
		require.NotContains(t, err.Error(), token)
	}
	for _, endpoint := range []string{"huggingface.co", "ftp://h/", "https://", "https://h/?a=" + secret, "://", "https://h#x"} {
		c := f.client(t)
		c.Endpoint = endpoint
		_, err := c.fetch()
		require.ErrorContains(t, err, "endpoint", endpoint)
		require.NotContains(t, err.Error(), secret)
	}
	require.Zero(t, f.heads)
}
