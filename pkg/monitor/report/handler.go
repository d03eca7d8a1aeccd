package report

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// fresh is for how long what was loaded serves other requests: several tabs ask at the same time.
const fresh = time.Second

const (
	// patience is for how long a request waits for what is loaded anew, before it gets what was loaded before.
	patience = 500 * time.Millisecond
	// reads is how many pictures are read at a time: each is in memory as a whole.
	reads = 2
)

// server serves the page of runs that go on.
type server struct {
	load    func() ([]Run, error)
	hosts   []string
	reading chan struct{} // holds one of each read that goes on

	mu      sync.Mutex
	at      time.Time
	runs    []Run // of the last load without an error, for their pictures
	data    answer
	loading chan struct{} // is closed when the load that goes on has ended; nil: none does
}

// answer is a body that is ready to be sent.
type answer struct {
	body, gzip []byte
	etag       string
}

// Handler serves the page, which asks for /data.json every few seconds and for pictures as they are looked at. load is
// called for that, never twice at a time and at most once a second; its error is shown on the page as a line. While it takes
// long, what it returned before is served.
//
// A request must name its host by an IP address, as localhost, or as one of hosts: otherwise any page on the web could read
// the runs, by a name of its own that it lets point here. Only GET and HEAD are answered. Addresses on the page are
// relative, so that the handler can be mounted below a prefix that ends in a slash with [http.StripPrefix].
func Handler(load func() ([]Run, error), hosts ...string) http.Handler {
	s := &server{load: load, hosts: hosts, reading: make(chan struct{}, reads)}
	head, tail := pageParts("tigas-train", "")
	head = strings.Replace(head, `<meta http-equiv="Content-Security-Policy" content="">`+"\n", "", 1) // in the answer's head
	data, _ := dataElement(document{Live: true, Runs: []runData{}})                                    // plain texts: no error
	page := newAnswer([]byte(head + data + tail))

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, req *http.Request) {
		page.serve(w, req, "text/html; charset=utf-8")
	})
	mux.HandleFunc("GET /data.json", s.serveData)
	mux.HandleFunc("GET /picture/{run}/{kind}/{file}", s.servePicture)
	security := policy("'self' data:", "'self'") + "; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", security)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		switch {
		case !hostAllowed(req.Host, s.hosts):
			http.Error(w, "this name of the host is not allowed here: use the IP address or localhost", http.StatusForbidden)
		case req.Method != http.MethodGet && req.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		default:
			mux.ServeHTTP(w, req)
		}
	})
}

func (s *server) serveData(w http.ResponseWriter, req *http.Request) {
	_, data := s.current(req.Context(), fresh)
	if data.body == nil { // the request has gone
		return
	}
	data.serve(w, req, "application/json")
}

// servePicture finds the picture among those of the runs, by comparing names: no part of the address becomes a path.
func (s *server) servePicture(w http.ResponseWriter, req *http.Request) {
	run, kind, file := req.PathValue("run"), req.PathValue("kind"), req.PathValue("file")
	find := func(runs []Run) func() ([]byte, error) {
		for i, id := range ids(runs) {
			if id != run {
				continue
			}
			for _, p := range runs[i].pictures() {
				if p.Kind == kind && kimgText(p.Kimg)+".png" == file {
					return p.Read
				}
			}
		}
		return nil
	}
	runs, _ := s.current(req.Context(), time.Minute)
	read := find(runs)
	if read == nil { // it may be new
		runs, _ = s.current(req.Context(), fresh)
		read = find(runs)
	}
	if read == nil {
		http.NotFound(w, req)
		return
	}
	a, err := s.picture(req.Context(), read)
	if err != nil {
		http.NotFound(w, req)
		return
	}
	a.serve(w, req, "image/png")
}

// picture waits until it may read. The place is free again before the picture is sent, which a browser can let take for ever.
// It is not compressed: a PNG is already. And it is asked for again each time, because a run that was resumed writes it anew.
func (s *server) picture(ctx context.Context, read func() ([]byte, error)) (answer, error) {
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
	png, err := read()
	if err == nil && !isPNG(png) { // not all there yet
		err = errors.New("no PNG")
	}
	if err != nil {
		return answer{}, err
	}
	return answer{body: png, etag: etag(png)}, nil
}

// current are the runs and their data, loaded anew when what there is is older than that. Nothing comes of it when the request
// has gone before the first load has ended.
func (s *server) current(ctx context.Context, age time.Duration) ([]Run, answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.IsZero() || time.Since(s.at) >= age {
		if s.loading == nil {
			s.loading = make(chan struct{})
			go s.update(s.loading)
		}
		var enough <-chan time.Time
		if !s.at.IsZero() {
			enough = time.After(patience)
		}
		loading := s.loading
		s.mu.Unlock()
		select {
		case <-loading:
		case <-enough:
		case <-ctx.Done():
		}
		s.mu.Lock()
	}
	return s.runs, s.data
}

// update loads, without the mutex, and makes it what is served.
func (s *server) update(done chan struct{}) {
	runs, err := s.loadSafely()
	now := time.Now()
	doc := document{Runs: []runData{}}
	if err != nil {
		doc.Error = oneLine(err.Error())
	} else {
		doc = newDocument(runs, now, true)
		for i, r := range runs {
			for _, p := range r.pictures() {
				src := "picture/" + doc.Runs[i].ID + "/" + url.PathEscape(p.Kind) + "/" + kimgText(p.Kimg) + ".png"
				doc.Runs[i].Pictures = append(doc.Runs[i].Pictures, pictureData{p.Kind, number(p.Kimg), src})
			}
		}
	}
	body, e := json.Marshal(doc)
	if e != nil { // a number that is none is null, and there is nothing else that JSON cannot hold
		body = []byte(`{"error":"the data cannot be written as JSON","runs":[]}`)
	}
	data := s.data // which nobody else changes
	if next := etag(body); next != data.etag {
		data = newAnswer(body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.runs = runs
	}
	s.data, s.at, s.loading = data, now, nil
	close(done)
}

// loadSafely has a panic as an error: outside of a request it would end the server.
func (s *server) loadSafely() (runs []Run, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the runs cannot be read: %v", p)
		}
	}()
	return s.load()
}

// oneLine keeps an error to what the page has room for.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 400 {
		text = strings.ToValidUTF8(text[:400], "") + "..."
	}
	return text
}

func etag(body []byte) string {
	sum := sha256.Sum256(body)
	return fmt.Sprintf(`"%x"`, sum[:12])
}

// newAnswer compresses it once for all who ask.
func newAnswer(body []byte) answer {
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed) // a level that there is
	z.Write(body)                                        // into memory: no error
	z.Close()
	return answer{body, packed.Bytes(), etag(body)}
}

// serve answers that nothing has changed where the browser has it already.
func (a answer) serve(w http.ResponseWriter, req *http.Request, kind string) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", a.etag)
	body := a.body
	if a.gzip != nil {
		h.Set("Vary", "Accept-Encoding")
		if strings.Contains(req.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("ETag", strings.TrimSuffix(a.etag, `"`)+`-gzip"`)
			h.Set("Content-Encoding", "gzip")
			body = a.gzip
		}
	}
	http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(body))
}
