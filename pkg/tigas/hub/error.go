package hub

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Kinds of errors, for errors.Is.
var (
	// ErrOffline: not on disk, and the network was not to be asked.
	ErrOffline = errors.New("offline")
	// ErrNotFound: the hub has no such repository, revision or file.
	ErrNotFound = errors.New("not found on the hub")
	// ErrAuth: the hub wants a token, another one, or conditions accepted.
	ErrAuth = errors.New("not allowed by the hub")
	// ErrRateLimit: too many requests, and the hub asks for more patience than is reasonable.
	ErrRateLimit = errors.New("rate limit of the hub")
	// ErrServer: the hub, or what answered in its place, did not do its part.
	ErrServer = errors.New("failure of the hub")
	// ErrChecksum: what came, or what is on disk, is not what the hub has.
	ErrChecksum = errors.New("wrong content")
	// ErrNetwork: the hub was not reached, or the connection did not last.
	ErrNetwork = errors.New("failure of the network")
	// ErrTooLarge: the file is longer than Client.MaxSize.
	ErrTooLarge = errors.New("too large")
	// ErrBusy: another process is downloading into the cache that is to be cleared.
	ErrBusy = errors.New("cache in use")
)

// ErrName: a repository, file or revision that can be none, or an endpoint that is no address.
var ErrName = errors.New("not a valid name")

// errChanged: the branch moved between two requests.
var errChanged = errors.New("the file changed on the hub meanwhile")

// failure is every error of this package.
type failure struct {
	kinds  []error
	what   string // and where
	cause  error  // nil, or what the system said
	advice string

	again bool          // another try may succeed
	after time.Duration // and not before
}

func (f *failure) Error() string {
	s := f.what
	if f.cause != nil {
		s += ": " + line(f.cause.Error())
	}
	if f.advice != "" {
		s += "; " + f.advice
	}
	return s
}

func (f *failure) Unwrap() []error {
	if f.cause == nil {
		return f.kinds
	}
	return append(f.kinds[:len(f.kinds):len(f.kinds)], f.cause)
}

// named is an error as the caller sees it.
type named struct {
	text string
	err  error
}

func (e *named) Error() string { return e.text }
func (e *named) Unwrap() error { return e.err }

// at puts "hub: what: " in front of err. No error of net/http holds a token, but if one did, it would end here.
func (c *Client) at(what string, err error) error {
	if err == nil {
		return nil
	}
	text := "hub: " + what + ": " + line(err.Error())
	if c.Token != "" {
		text = strings.ReplaceAll(text, c.Token, "***")
	}
	return &named{text, err}
}

// disk is an error of the file system; path is the file's full one, because those of os.Root are relative.
func disk(op, path string, err error) error {
	f := &failure{what: op + " " + path, cause: bare(err)}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		f.advice = "free some space or choose another cache folder; what is there already is kept and resumed"
	case strings.HasSuffix(err.Error(), "path escapes from parent"): // os has no value for it
		f.advice = "a symbolic link there leads out of the cache, and nothing is written through it: remove it"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR):
		f.advice = "choose a cache folder that can be written to"
	}
	return f
}

// bare is err without the operation and the path in front.
func bare(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}

// show is an address without its query, which may be signed, and without user and password.
func show(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

// quote shows a string of a server: on one line, and no longer than a line.
func quote(s string) string {
	const most = 120
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}

func line(s string) string { return strings.Join(strings.Fields(s), " ") }
