package hub

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Defaults for the fields of [Client] that are zero.
const (
	DefaultEndpoint = "https://huggingface.co"
	DefaultRetries  = 5
	DefaultStall    = 30 * time.Second
	DefaultMaxSize  = 8 << 30
)

// Client fetches files of the hub into a cache. Only Cache must be set. It may be used by several goroutines if HTTP may and
// Progress may; its fields must not be changed meanwhile.
type Client struct {
	Endpoint  string        // http or https URL of the hub; "": DefaultEndpoint
	Token     string        // of a Hugging Face account, sent to the endpoint's own host only; "": none
	Offline   bool          // never ask the network
	Cache     string        // where files are kept; upstream's package has ~/.cache/tigas/models
	HFCache   string        // Hugging Face's own cache, searched but never written; "": none
	HTTP      *http.Client  // nil: proxies of the environment, bounded waits. Its CheckRedirect is not used
	Retries   int           // tries after the first one that got nothing new; 0: DefaultRetries, negative: none
	Stall     time.Duration // a try ends when no byte came for so long; 0: DefaultStall
	MaxSize   int64         // longer files are refused; 0: DefaultMaxSize
	UserAgent string        // "": Go's

	// Progress, if not nil, hears how many bytes are there, of how many; total is -1 as long as nobody knows. It is called
	// by the goroutine that called Fetch, for every piece that was read. done starts at what a previous try left and falls
	// to 0 where a file has to be started anew.
	Progress func(done, total int64)

	// For tests; nil or 0 is what a user gets.
	sleep   func(context.Context, time.Duration) error
	symlink func(root *os.Root, to, name string) error
	poll    time.Duration // between two looks at a lock that is held
}

// call is one Fetch: a file of the client, and how to ask for it.
type call struct {
	*Client
	file     File
	endpoint *url.URL
	url      *url.URL // of the file
	http     *http.Client
}

func (c *Client) begin(f File) (*call, error) {
	text := c.Endpoint
	if text == "" {
		text = DefaultEndpoint
	}
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, &failure{kinds: []error{ErrName}, what: "the endpoint is not an http or https URL without a query"} // not shown: it may hold a password
	}
	for _, r := range c.Token {
		if r <= ' ' || r > '~' {
			return nil, &failure{kinds: []error{ErrAuth}, what: "the token holds a blank or a character that tokens do not have", advice: "set HF_TOKEN to the token alone"}
		}
	}
	at, err := url.Parse(u.String() + "/" + f.Repo + "/resolve/" + url.PathEscape(f.Revision) + "/" + f.Name)
	if err != nil {
		return nil, &failure{kinds: []error{ErrName}, what: "the endpoint is not an http or https URL without a query"}
	}
	k := &call{Client: c, file: f, endpoint: u, url: at}
	if c.HTTP != nil {
		h := *c.HTTP
		k.http = &h
	} else {
		k.http = &http.Client{Transport: transport()}
	}
	// Redirects are followed by hand: the first answer is the one that describes the file, and the token stays here.
	k.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return k, nil
}

// end closes the connections of a client that was made for this call, whose goroutines would outlive it.
func (k *call) end() {
	if k.HTTP == nil {
		k.http.CloseIdleConnections()
	}
}

// transport has a limit for everything but the body: a detector takes a quarter of an hour on a slow line, and what must
// not happen there is silence, see Client.Stall.
func transport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   15 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		ExpectContinueTimeout: time.Second,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true,
	}
}

func (c *Client) retries() int {
	switch {
	case c.Retries == 0:
		return DefaultRetries
	case c.Retries < 0:
		return 0
	}
	return c.Retries
}

func (c *Client) stall() time.Duration {
	if c.Stall <= 0 {
		return DefaultStall
	}
	return c.Stall
}

func (c *Client) maxSize() int64 {
	if c.MaxSize <= 0 {
		return DefaultMaxSize
	}
	return c.MaxSize
}

func (c *Client) progress(done, total int64) {
	if c.Progress != nil {
		c.Progress(done, total)
	}
}
