package hub

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// etag is what the hub calls the content of a file, and the name of its blob.
type etag string

var (
	sha256Form = regexp.MustCompile(`^[0-9A-Fa-f]{64}$`) // of files in large file storage
	sha1Form   = regexp.MustCompile(`^[0-9A-Fa-f]{40}$`) // of files in git: the name of git's blob
	etagForm   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
)

// parseEtag reads the value of an ETag header; "" if there is none. One that could not be the name of a file is replaced by
// its hash, of a length that cannot be taken for a checksum.
func parseEtag(header string) etag {
	s := strings.Trim(strings.TrimPrefix(strings.TrimSpace(header), "W/"), `"`)
	if s == "" || etagForm.MatchString(s) && !strings.Contains(s, "..") && !strings.HasSuffix(s, partial) {
		return etag(s)
	}
	h := sha256.Sum256([]byte(s))
	return etag("etag-" + hex.EncodeToString(h[:16]))
}

// checkable says whether the etag is a checksum.
func (e etag) checkable() bool {
	return sha256Form.MatchString(string(e)) || sha1Form.MatchString(string(e))
}

// sums are the checksums of some bytes.
type sums struct {
	sha256 string
	blob   string // git's SHA-1, if the etag is one
}

// sum reads size bytes of r and no more.
func (e etag) sum(r io.Reader, size int64) (sums, error) {
	h := sha256.New()
	var g hash.Hash
	w := io.Writer(h)
	if sha1Form.MatchString(string(e)) {
		g = sha1.New()
		g.Write([]byte("blob " + strconv.FormatInt(size, 10) + "\x00"))
		w = io.MultiWriter(h, g)
	}
	n, err := io.CopyBuffer(w, io.LimitReader(r, size), make([]byte, 1<<18))
	if err == nil && n < size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return sums{}, err
	}
	s := sums{sha256: hex.EncodeToString(h.Sum(nil))}
	if g != nil {
		s.blob = hex.EncodeToString(g.Sum(nil))
	}
	return s, nil
}

// compare returns an error that names both sums if they differ; none if the etag is no checksum.
func (e etag) compare(s sums) error {
	name, got := "SHA-256", s.sha256
	switch {
	case sha256Form.MatchString(string(e)):
	case sha1Form.MatchString(string(e)):
		name, got = "git blob SHA-1", s.blob
	default:
		return nil
	}
	if strings.EqualFold(string(e), got) {
		return nil
	}
	return fmt.Errorf("%s %s vs %s of the hub", name, got, e)
}

// wrong is the failure of content that differs from what the hub announced.
func wrong(where, fact string) *failure {
	return &failure{
		kinds: []error{ErrChecksum}, what: where, cause: errors.New(fact),
		advice: "something on the way, such as a proxy, changes it, or the hub is being updated: try again, or from another network",
	}
}

// lengthError is a length that is not the announced one; want is -1 where none was.
type lengthError struct{ got, want int64 }

func (e lengthError) Error() string {
	if e.want < 0 {
		return fmt.Sprintf("%d bytes", e.got)
	}
	return fmt.Sprintf("%d bytes vs %d announced", e.got, e.want)
}
