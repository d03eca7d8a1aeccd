package hub

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// refused is an answer that is no success.
func (k *call) refused(a *answer) error {
	code := a.Header.Get(headError)
	f := &failure{what: show(a.at), cause: errors.New(a.said())}
	page := k.endpoint.Scheme + "://" + k.endpoint.Host + "/" + k.file.Repo
	switch s := a.StatusCode; {
	case s == http.StatusTooManyRequests:
		f.kinds, f.again, f.after = []error{ErrRateLimit}, true, patience(a.Header)
		f.advice = "wait a few minutes"
		if f.after > 0 {
			f.advice = "wait " + f.after.String()
		}
		if k.Token == "" {
			f.advice += ", or set HF_TOKEN: accounts have a limit of their own"
		}
	case s == http.StatusRequestTimeout || s >= 500:
		f.kinds, f.again, f.after = []error{ErrServer}, true, patience(a.Header)
		f.advice = "try again later"
	case s == http.StatusProxyAuthRequired:
		f.kinds = []error{ErrNetwork}
		f.advice = "the proxy wants a user and a password: set HTTPS_PROXY to http://user:password@host:port"
	case a.foreign && code == "":
		// The storage, to which the hub gave an address that lasts some minutes. The next try gets a new one.
		f.kinds, f.again = []error{ErrServer}, true
		f.advice = "the hub's storage refuses what the hub allowed: try again later"
	case code == "GatedRepo":
		f.kinds = []error{ErrAuth}
		f.advice = "accept the conditions at " + page + " and set HF_TOKEN to a token of that account"
	case s == http.StatusUnauthorized && code == "RepoNotFound":
		// What the hub says of what does not exist to those it does not know.
		f.kinds = []error{ErrAuth, ErrNotFound}
		f.advice = "no such repository, or a private one: check the name; if it is private, set HF_TOKEN and accept its conditions at " + page
	case s == http.StatusUnauthorized && k.Token != "":
		f.kinds = []error{ErrAuth}
		f.advice = "the token is not accepted: set HF_TOKEN to a valid one, or to none, and accept the conditions at " + page
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		f.kinds = []error{ErrAuth}
		f.advice = "set HF_TOKEN to a token that may read the repository, and accept its conditions at " + page
	case s == http.StatusNotFound:
		f.kinds = []error{ErrNotFound}
		switch code {
		case "RepoNotFound":
			f.advice = "no repository " + k.file.Repo + ": check its name; if it is private, set HF_TOKEN"
		case "RevisionNotFound":
			f.advice = "repository " + k.file.Repo + " has no revision " + k.file.Revision + ": see " + page + "/tree/main for those it has"
		case "EntryNotFound":
			f.advice = "revision " + k.file.Revision + " of " + k.file.Repo + " has no file " + k.file.Name + ": see " + page + " for those it has"
		default:
			f.advice = "not an answer of the hub: check the endpoint"
		}
	default:
		f.kinds = []error{ErrServer}
		f.advice = "not an answer of the hub: check the endpoint and the proxy"
	}
	return f
}

// said is the status, and the hub's own words if there are any.
func (a *answer) said() string {
	s := strconv.Itoa(a.StatusCode)
	if t := http.StatusText(a.StatusCode); t != "" {
		s += " " + t
	}
	if code := a.Header.Get(headError); code != "" {
		s += " " + quote(code)
	}
	if reason := strings.TrimSpace(a.Header.Get(headReason)); reason != "" {
		s += " " + quote(reason)
	}
	return s
}

// resetForm finds the seconds in the header that the hub's limits are told by: "api";r=0;t=55.
var resetForm = regexp.MustCompile(`\bt=(\d{1,6})\b`)

// patience is how long the server asks to wait; 0 if it does not say.
func patience(h http.Header) time.Duration {
	s := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseUint(s, 10, 32); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(0, time.Until(t).Round(time.Second))
	}
	if m := resetForm.FindStringSubmatch(h.Get("RateLimit")); m != nil {
		n, _ := strconv.Atoi(m[1])
		return time.Duration(n) * time.Second
	}
	return 0
}

// strange is an answer that succeeded and is none of the hub.
func strange(a *answer, format string, args ...any) error {
	return &failure{
		kinds: []error{ErrServer}, what: show(a.at), cause: fmt.Errorf(format, args...),
		advice: "not an answer of the hub: check the endpoint; a proxy, a firewall or a log-in page may stand in between",
	}
}
