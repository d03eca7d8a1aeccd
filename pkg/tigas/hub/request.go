package hub

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
)

const mostRedirects = 10

// Headers of the hub's own answers, which the storage that it redirects to does not send.
const (
	headCommit = "X-Repo-Commit"
	headEtag   = "X-Linked-Etag"
	headSize   = "X-Linked-Size"
	headError  = "X-Error-Code"
	headReason = "X-Error-Message"
)

// answer is the answer to a request after its redirects. Its body must be closed.
type answer struct {
	*http.Response
	at      *url.URL    // who answered
	foreign bool        // not the endpoint
	hub     http.Header // of the first answer on the way that knew the commit; nil: there was none
}

// send makes a request and follows its redirects, up to the one that enough accepts as the answer.
func (k *call) send(ctx *guard, method string, header http.Header, enough func(a *answer, foreign bool) bool) (*answer, error) {
	a := &answer{at: k.url}
	for range mostRedirects {
		req, err := http.NewRequestWithContext(ctx, method, a.at.String(), nil)
		if err != nil {
			return nil, &failure{what: show(a.at), cause: errors.New("not a URL that can be asked for")}
		}
		req.Header = header.Clone()
		req.Header.Set("Accept-Encoding", "identity") // lengths and ranges are those of the file
		if k.UserAgent != "" {
			req.Header.Set("User-Agent", k.UserAgent)
		}
		if a.foreign = !k.own(a.at); !a.foreign && k.Token != "" {
			req.Header.Set("Authorization", "Bearer "+k.Token)
		}
		if a.Response, err = k.http.Do(req); err != nil {
			return nil, k.broken(ctx, a.at, err)
		}
		if a.hub == nil && a.Header.Get(headCommit) != "" {
			a.hub = a.Header
		}
		switch a.StatusCode {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		default:
			return a, nil
		}
		next, err := a.at.Parse(a.Header.Get("Location"))
		switch {
		case err != nil || a.Header.Get("Location") == "" || next.Host == "" || next.Scheme != "http" && next.Scheme != "https":
			a.Body.Close()
			return nil, notAddress(a.at)
		case enough(a, !k.own(next)):
			return a, nil
		case a.at.Scheme == "https" && next.Scheme == "http":
			a.Body.Close()
			return nil, &failure{kinds: []error{ErrServer}, what: show(a.at), cause: errors.New("redirects from https to " + show(next) + ", which anybody could answer")}
		}
		a.Body.Close()
		a.at = next
	}
	return nil, &failure{kinds: []error{ErrServer}, what: show(k.url), cause: errors.New("redirects without an end")}
}

func notAddress(at *url.URL) error {
	return &failure{kinds: []error{ErrServer}, what: show(at), cause: errors.New("redirects to something that is no address"), advice: "check the endpoint and the proxy"}
}

// own says whether u is of the endpoint, the only host that may see the token. https in place of http is the same host,
// the other way round it is not.
func (k *call) own(u *url.URL) bool {
	if u.Scheme == k.endpoint.Scheme {
		return strings.EqualFold(authority(u), authority(k.endpoint))
	}
	return u.Scheme == "https" && strings.EqualFold(u.Host, k.endpoint.Host) && u.Port() == ""
}

// authority is host:port, with the scheme's port if there is none.
func authority(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// broken is a failed request, or a body that ended too early.
func (k *call) broken(ctx *guard, at *url.URL, err error) error {
	where := show(at)
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // it holds the address, with a query that may be signed
	}
	switch cause := context.Cause(ctx); {
	case cause == errStalled:
		return &failure{kinds: []error{ErrNetwork}, what: where, cause: errors.New("no byte for " + ctx.limit.String()), advice: "try again", again: true}
	case cause != nil:
		return &failure{what: where, cause: ctx.Err()}
	}
	f := &failure{kinds: []error{ErrNetwork}, what: where, cause: err, again: true}
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var dns *net.DNSError
	switch {
	case strings.HasPrefix(err.Error(), "failed to parse Location header"): // the text holds an address that may be signed
		return notAddress(at)
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid), errors.As(err, &verify), errors.As(err, &record):
		f.again = false
		f.advice = "check the clock; behind a proxy that reads TLS, install its certificate on this machine"
	case errors.As(err, &dns):
		f.cause = &named{"no address found for " + dns.Name + ": " + dns.Err, dns} // its own text names servers
		f.advice = "check the network and the endpoint's name; behind a proxy, set HTTPS_PROXY"
	default:
		f.advice = "check the network; behind a proxy, set HTTPS_PROXY"
	}
	return f
}

// first makes a name that does not exist final. It is so for the first requests of a call; later it is a line that broke.
func first(err error) error {
	var f *failure
	var dns *net.DNSError
	if errors.As(err, &f) && errors.As(err, &dns) && dns.IsNotFound {
		f.again = false
	}
	return err
}
