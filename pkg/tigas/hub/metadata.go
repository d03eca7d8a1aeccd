package hub

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// metadata is what the hub says of a file before it sends it.
type metadata struct {
	commit string // 40 hex digits
	etag   etag   // fit to be the name of a file
	size   int64  // at least 1; -1: not said
	strong string // the ETag header, for conditions; "" if it is weak or not that of the host that has the bytes
}

// metadata asks for it. Redirects to another host are not followed: the hub's storage does not know these things, and the
// address given for a HEAD may not be good for a GET.
func (k *call) metadata(ctx context.Context) (metadata, error) {
	var m metadata
	err := k.retry(ctx, func() (bool, error) {
		g := k.guarded(ctx)
		defer g.end()
		a, err := k.send(g, http.MethodHead, http.Header{}, func(a *answer, foreign bool) bool {
			h := a.Header
			return h.Get(headCommit) != "" && (foreign || h.Get(headEtag) != "")
		})
		if err != nil {
			return false, first(err)
		}
		a.Body.Close()
		if a.StatusCode >= 400 {
			return false, k.refused(a)
		}
		m, err = k.read(a)
		return false, err
	})
	return m, err
}

// read checks what the hub says: commit and etag become names of files.
func (k *call) read(a *answer) (metadata, error) {
	h := a.Header
	if h.Get(headCommit) == "" && a.hub != nil {
		h = a.hub
	}
	m := metadata{commit: h.Get(headCommit), etag: parseEtag(h.Get(headEtag)), size: -1}
	length := h.Get(headSize)
	if m.etag == "" {
		m.etag = parseEtag(a.Header.Get("ETag"))
		m.strong = strong(a.Header)
	}
	if length == "" && a.StatusCode < 300 { // that of a redirect is the length of its text
		length = a.Header.Get("Content-Length")
	}
	switch {
	case m.commit == "":
		return m, strange(a, "%s without %s", a.said(), headCommit)
	case !isCommit(m.commit):
		return m, strange(a, "commit %s is not one of git", quote(m.commit))
	case isCommit(k.file.Revision) && m.commit != k.file.Revision:
		return m, strange(a, "commit %s vs the wanted %s", m.commit, k.file.Revision)
	case m.etag == "":
		return m, strange(a, "%s without an ETag", a.said())
	}
	if length != "" {
		n, err := strconv.ParseInt(strings.TrimSpace(length), 10, 64)
		if err != nil || n <= 0 {
			return m, strange(a, "a length of %s bytes", quote(length))
		}
		m.size = n
	}
	return m, k.fits(show(a.at), m.size)
}

// fits refuses a length that no detector has.
func (k *call) fits(where string, size int64) error {
	if size <= k.maxSize() {
		return nil
	}
	return &failure{
		kinds: []error{ErrTooLarge}, what: where, cause: fmt.Errorf("%d bytes vs at most %d", size, k.maxSize()),
		advice: "check that the repository is the one you want",
	}
}

// strong is the ETag of an answer if conditions may be made of it.
func strong(h http.Header) string {
	if e := h.Get("ETag"); len(e) > 2 && e[0] == '"' {
		return e
	}
	return ""
}
