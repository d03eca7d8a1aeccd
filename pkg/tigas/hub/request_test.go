package hub

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheTokenStaysAtTheEndpoint(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	_, err := c.fetch()
	require.NoError(t, err)
	require.Equal(t, []string{"Bearer " + secret, "Bearer " + secret}, f.hubTokens)
	require.Equal(t, 1, f.gets)
	require.Empty(t, f.leaked)
}

func TestOwn(t *testing.T) {
	for _, e := range []struct {
		endpoint, to string
		own          bool
	}{
		{"https://huggingface.co", "https://huggingface.co/x", true},
		{"https://huggingface.co", "https://HuggingFace.co:443/x", true},
		{"https://huggingface.co", "http://huggingface.co/x", false},
		{"http://mirror", "https://mirror/x", true},
		{"http://mirror:8080", "https://mirror/x", false},
		{"http://mirror:8080", "http://mirror:8081/x", false},
		{"https://huggingface.co", "https://huggingface.co.evil.example/x", false},
		{"https://huggingface.co", "https://cdn.huggingface.co/x", false},
		{"https://huggingface.co", "https://huggingface.co@evil.example/x", false},
	} {
		endpoint, err := url.Parse(e.endpoint)
		require.NoError(t, err)
		to, err := url.Parse(e.to)
		require.NoError(t, err)
		require.Equal(t, e.own, (&call{endpoint: endpoint}).own(to), "%s -> %s", e.endpoint, e.to)
	}
}

func TestRelativeRedirectOfARenamedRepository(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	renamed := func(w http.ResponseWriter, r *http.Request, n int) bool {
		if r.URL.Path != "/old/name/resolve/main/best_model.pt" {
			return false
		}
		w.Header().Set("Location", "/H1merka/TIGAS/resolve/main/best_model.pt")
		w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}
	f.head, f.redirect = renamed, renamed
	r, err := c.Fetch(context.Background(), File{Repo: "old/name"}, false)
	require.NoError(t, err)
	require.Contains(t, r.Path, "models--old--name")
	require.Equal(t, f.etag, r.SHA256)
	require.Equal(t, []int{2, 2, 1}, []int{f.heads, f.redirects, f.gets})
	for _, token := range f.hubTokens {
		require.Equal(t, "Bearer "+secret, token)
	}
}

// Small files are not in the storage: the hub redirects to another of its own paths, which sends the file.
func TestFileServedByTheHubItself(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	f.etag = gitOf(f.content)
	serve := func(w http.ResponseWriter, r *http.Request, n int) bool {
		w.Header().Set("X-Repo-Commit", commit1)
		if r.URL.Path != "/api/resolve-cache/x" {
			w.Header().Set("Location", "/api/resolve-cache/x")
			w.WriteHeader(http.StatusTemporaryRedirect)
			return true
		}
		w.Header().Set("ETag", `W/"`+f.etag+`"`)
		f.send(w, r, f.content, -1)
		return true
	}
	f.head, f.redirect = serve, serve
	r, err := c.fetch()
	require.NoError(t, err)
	require.Equal(t, Result{Path: r.Path, SHA256: sha256Of(f.content), Size: 300_000, Commit: commit1, Verified: true}, r)
	require.FileExists(t, c.blob(f.etag))
}

// An endpoint may be a short name of the hub.
func TestEndpointThatRedirectsToTheHub(t *testing.T) {
	f := newFake(t)
	alias := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, f.hub.URL+r.URL.Path, http.StatusMovedPermanently)
	}))
	defer alias.Close()
	c := f.client(t)
	c.Endpoint = alias.URL + "/"
	r, err := c.fetch()
	require.NoError(t, err)
	require.Equal(t, f.etag, r.SHA256)
	require.Equal(t, []string{"", ""}, f.hubTokens, "the token is for the alias only")
}

func TestBadRedirects(t *testing.T) {
	for _, e := range []struct{ location, want string }{
		{"", "no address"},
		{"file:///etc/passwd", "no address"},
		{"http://[::1?X-Signature=" + secret, "no address"},
		{"/H1merka/TIGAS/resolve/main/best_model.pt", "without an end"},
	} {
		f := newFake(t)
		c := f.client(t)
		f.head = func(w http.ResponseWriter, r *http.Request, n int) bool {
			w.Header().Set("Location", e.location)
			w.WriteHeader(http.StatusFound)
			return true
		}
		_, err := c.fetch()
		check(t, err, ErrServer, e.want)
		require.LessOrEqual(t, f.heads, 10)
	}
}

func TestRedirectFromHTTPSToHTTP(t *testing.T) {
	f := newFake(t)
	tls := httptest.NewTLSServer(http.HandlerFunc(f.serveHub))
	defer tls.Close()
	c := f.client(t)
	c.Endpoint, c.HTTP = tls.URL, tls.Client()
	_, err := c.fetch()
	check(t, err, ErrServer, "from https to http://")
	require.Zero(t, f.gets)
}

func TestCertificateThatNobodyKnows(t *testing.T) {
	f := newFake(t)
	tls := httptest.NewUnstartedServer(http.HandlerFunc(f.serveHub))
	tls.Config.ErrorLog = log.New(io.Discard, "", 0)
	tls.StartTLS()
	defer tls.Close()
	c := f.client(t)
	c.Endpoint = tls.URL
	_, err := c.fetch()
	check(t, err, ErrNetwork, "certificate", "install its certificate")
	require.Empty(t, c.waits, "another try has the same certificate")
}

func TestRefusedConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l.Close()
	f := newFake(t)
	c := f.client(t)
	c.Endpoint, c.Retries = "http://user:"+secret+"@"+l.Addr().String(), 3
	_, err = c.fetch()
	check(t, err, ErrNetwork, "refused", "http://"+l.Addr().String()+"/H1merka/TIGAS/resolve/main/best_model.pt", "HTTPS_PROXY", "4 tries")
	require.Equal(t, []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}, c.waits)
}

func TestNameWithoutAddress(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	c.HTTP = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "hub.invalid", Server: "10.0.0.1", IsNotFound: true}
	}}}
	_, err := c.fetch()
	check(t, err, ErrNetwork, "no address found for hub.invalid")
	require.Empty(t, c.waits)
}

// A name that cannot be resolved in the middle is a line that broke.
func TestNameWithoutAddressMeanwhile(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	f.get = func(w http.ResponseWriter, r *http.Request, n int) bool {
		f.send(w, r, f.content, map[int]int{1: 1000, 2: -1}[n])
		return true
	}
	dials := 0
	c.HTTP = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials++; dials == 4 { // HEAD, GET at the hub and at the storage, and now GET again
			return nil, &net.DNSError{Err: "no such host", Name: "hub.invalid", IsNotFound: true}
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}}
	r, err := c.fetch()
	require.NoError(t, err)
	require.Equal(t, f.etag, r.SHA256)
	require.Len(t, c.waits, 2)
	require.Equal(t, []string{"", "bytes=1000-"}, f.ranges)
}

func TestProxyOfTheGivenClient(t *testing.T) {
	f := newFake(t)
	var through []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		through = append(through, r.Method+" "+r.URL.Host)
		if r.URL.Host == "hub.invalid" {
			f.serveHub(w, r)
		} else {
			f.serveStorage(w, r)
		}
	}))
	defer proxy.Close()
	u, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	tr := &http.Transport{Proxy: http.ProxyURL(u)}
	defer tr.CloseIdleConnections()
	c := f.client(t)
	c.Endpoint, c.HTTP = "http://hub.invalid", &http.Client{Transport: tr}
	r, err := c.fetch()
	require.NoError(t, err)
	require.Equal(t, f.etag, r.SHA256)
	storage, err := url.Parse(f.storage.URL)
	require.NoError(t, err)
	require.Equal(t, []string{"HEAD hub.invalid", "GET hub.invalid", "GET " + storage.Host}, through)
	require.Nil(t, c.HTTP.CheckRedirect, "the given client is not changed")
}

// The variables are read once by a process, so it takes another one.
func TestProxyOfTheEnvironment(t *testing.T) {
	f := newFake(t)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host != "hub.invalid" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		f.serveHub(w, r)
	}))
	defer proxy.Close()
	job, err := json.Marshal(map[string]any{"Endpoint": "http://hub.invalid", "Cache": t.TempDir()})
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	// The storage is at 127.0.0.1, which is asked without a proxy.
	cmd.Env = append(os.Environ(), "HUB_TEST_JOB="+string(job), "HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), f.etag)
	f.mu.Lock()
	defer f.mu.Unlock()
	require.Equal(t, 1, f.heads)
}

func TestDefaultTransport(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	k, err := c.begin(File{}.filled())
	require.NoError(t, err)
	require.Zero(t, k.http.Timeout, "a download may take as long as it takes")
	tr := k.http.Transport.(*http.Transport)
	require.NotZero(t, tr.ResponseHeaderTimeout)
	require.NotZero(t, tr.TLSHandshakeTimeout)
	c.Endpoint = ""
	k, err = c.begin(File{}.filled())
	require.NoError(t, err)
	require.Equal(t, "https://huggingface.co/H1merka/TIGAS/resolve/main/best_model.pt", k.url.String())
}
