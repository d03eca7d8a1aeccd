package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// enough new bytes make the number of tries start anew. Without a least number, a server that gives a byte a time would be
// asked for ever.
const enough = 1 << 20

// download brings a partial file to its full length.
type download struct {
	*call
	meta metadata
	part *os.File
	path string // of part
	have int64  // bytes in part
	size int64  // -1: unknown as yet
	cond string // ETag that the rest must have; only needed where no checksum tells afterwards
}

// run fetches what is missing. A server's wrong content is an ErrChecksum; part then has to be thrown away.
func (d *download) run(ctx context.Context) error {
	info, err := d.part.Stat()
	if err != nil {
		return disk("read", d.path, err)
	}
	d.have, d.size, d.cond = info.Size(), d.meta.size, d.meta.strong
	if d.size >= 0 && d.have > d.size || !d.meta.etag.checkable() && d.cond == "" {
		if err := d.restart(); err != nil { // not the beginning of this file, or nobody could tell
			return err
		}
	}
	return d.retry(ctx, func() (bool, error) {
		if d.have == d.size {
			return false, nil
		}
		before := d.have
		err := d.try(ctx)
		var f *failure
		if errors.As(err, &f) && d.have > 0 && (errors.Is(err, ErrNetwork) || ctx.Err() != nil) {
			f.advice = strings.TrimPrefix(f.advice+"; what is there already is kept and resumed", "; ")
		}
		return d.have-before >= enough, err
	})
}

func (d *download) restart() error {
	if err := d.part.Truncate(0); err != nil {
		return disk("truncate", d.path, err)
	}
	d.have = 0
	return nil
}

// try makes one request for what is missing.
func (d *download) try(ctx context.Context) error {
	g := d.guarded(ctx)
	defer g.end()
	header := http.Header{}
	if d.have > 0 {
		header.Set("Range", "bytes="+strconv.FormatInt(d.have, 10)+"-")
		// Servers behind one name may have ETags of their own; where a checksum tells, asking would only lose bytes.
		if !d.meta.etag.checkable() && d.cond != "" {
			header.Set("If-Range", d.cond)
		}
	}
	a, err := d.send(g, http.MethodGet, header, func(*answer, bool) bool { return false })
	if err != nil {
		return d.first(err)
	}
	defer a.Body.Close()
	if a.hub != nil {
		if e := parseEtag(a.hub.Get(headEtag)); e != "" && e != d.meta.etag {
			return &failure{kinds: []error{ErrServer}, what: show(a.at), cause: errChanged, advice: "try again"}
		}
	}
	done, err := d.begin(a)
	if err != nil || done {
		return err
	}
	return d.copy(g, a)
}

// first makes a name that does not exist final as long as nothing has come: later it is a line that broke.
func (d *download) first(err error) error {
	if d.have > 0 {
		return err
	}
	return first(err)
}

// begin checks the head of an answer, and whether it goes on where part ends.
func (d *download) begin(a *answer) (done bool, err error) {
	total := int64(-1)
	switch {
	case a.StatusCode == http.StatusOK:
		if d.have > 0 { // it knows no ranges, or has another file than If-Range wanted
			if err := d.restart(); err != nil {
				return false, err
			}
		}
		total = a.ContentLength
	case a.StatusCode == http.StatusPartialContent && d.have > 0:
		start, all, ok := contentRange(a.Header.Get("Content-Range"))
		if !ok || start != d.have {
			return false, wrong(show(a.at), fmt.Sprintf("asked for bytes from %d, got %s", d.have, quote(a.Header.Get("Content-Range"))))
		}
		total = all
	case a.StatusCode == http.StatusRequestedRangeNotSatisfiable && d.have > 0:
		// Everything is here, if the length was not known; else the server has less than the hub said, or part is not of it.
		if _, all, ok := contentRange(a.Header.Get("Content-Range")); d.size < 0 && (!ok || all == d.have) {
			d.size = d.have
			return true, nil
		}
		err := d.restart()
		if err == nil {
			err = &failure{kinds: []error{ErrServer}, what: show(a.at), cause: errors.New(a.said()), advice: "try again later", again: true}
		}
		return false, err
	case a.StatusCode >= 400:
		return false, d.refused(a)
	default:
		return false, strange(a, "%s in place of the file", a.said())
	}
	if e := a.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return false, strange(a, "the file comes encoded as %s, which was not asked for", quote(e))
	}
	if total >= 0 {
		if d.size >= 0 && total != d.size {
			return false, wrong(show(a.at), fmt.Sprintf("%d bytes vs %d announced", total, d.size))
		}
		if total == 0 {
			return false, strange(a, "a length of 0 bytes")
		}
		if err := d.fits(show(a.at), total); err != nil {
			return false, err
		}
		d.size = total
	}
	if d.size < 0 && !d.meta.etag.checkable() {
		return false, strange(a, "neither a length nor a checksum to compare the file with")
	}
	if e := strong(a.Header); e != "" {
		d.cond = e
	}
	return false, nil
}

// copy appends the body to part.
func (d *download) copy(g *guard, a *answer) error {
	if _, err := d.part.Seek(d.have, io.SeekStart); err != nil {
		return disk("write", d.path, err)
	}
	most := d.size
	if most < 0 {
		most = d.maxSize()
	}
	d.progress(d.have, d.size)
	buf := make([]byte, 1<<17)
	for {
		n, err := a.Body.Read(buf)
		if n > 0 {
			g.fed()
			if int64(n) > most-d.have {
				if d.size < 0 {
					return d.fits(show(a.at), d.have+int64(n))
				}
				return wrong(show(a.at), fmt.Sprintf("more than the %d bytes announced", d.size))
			}
			w, err := d.part.Write(buf[:n])
			d.have += int64(w)
			if err != nil {
				return disk("write", d.path, err)
			}
			d.progress(d.have, d.size)
		}
		switch {
		case err == io.EOF && d.size < 0:
			d.size = d.have
			return nil
		case err == io.EOF && d.have < d.size && slices.Contains(a.TransferEncoding, "chunked"):
			// An end that the server meant.
			return wrong(show(a.at), fmt.Sprintf("%d bytes vs %d announced", d.have, d.size))
		case err == io.EOF && d.have < d.size:
			return d.broken(g, a.at, io.ErrUnexpectedEOF)
		case err == io.EOF:
			return nil
		case err != nil:
			return d.broken(g, a.at, err)
		}
	}
}

var rangeForm = regexp.MustCompile(`^bytes (?:(\d+)-\d+|\*)/(\d+|\*)$`)

// contentRange reads "bytes START-END/TOTAL" or "bytes */TOTAL"; start or total is -1 where there is a star.
func contentRange(s string) (start, total int64, ok bool) {
	m := rangeForm.FindStringSubmatch(s)
	if m == nil {
		return 0, 0, false
	}
	start, total = -1, -1
	var err1, err2 error
	if m[1] != "" {
		start, err1 = strconv.ParseInt(m[1], 10, 64)
	}
	if m[2] != "*" {
		total, err2 = strconv.ParseInt(m[2], 10, 64)
	}
	return start, total, err1 == nil && err2 == nil
}
