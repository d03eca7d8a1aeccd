package report

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// fresh is for how long what was loaded serves other requests: several tabs ask at the same time.
const fresh = time.Second

// server serves the page of runs that go on.
type server struct {
	load  func() ([]Run, error)
	hosts []string

	mu   sync.Mutex
	at   time.Time
	runs []Run // of the last load without an error, for their pictures
	data answer
}

// answer is a body that is ready to be sent.
type answer struct {
	body, gzip []byte
	etag       string
}

// Handler serves the page, which asks for /data.json every few seconds and for pictures as they are looked at. load is
// called for that, never twice at a time and at most once a second; its error is shown on the page as a line.
//
// A request must name its host by an IP address, as localhost, or as one of hosts: otherwise any page on the web could read
// the runs, by a name of its own that it lets point here. Only GET and HEAD are answered. Addresses on the page are
// relative, so that the handler can be mounted below a prefix that ends in a slash with [http.StripPrefix].
func Handler(load func() ([]Run, error), hosts ...string) http.Handler {
	s := &server{load: load, hosts: hosts}
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
	s.current(fresh)
	s.mu.Lock()
	data := s.data
	s.mu.Unlock()
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
	read := find(s.current(time.Minute))
	if read == nil { // it may be new
		read = find(s.current(fresh))
	}
	if read == nil {
		http.NotFound(w, req)
		return
	}
	png, err := read()
	if err != nil || !isPNG(png) { // gone, or not all there yet
		http.NotFound(w, req)
		return
	}
	// Not compressed: it is already. Asked for again each time, because a run that was resumed writes it anew.
	answer{body: png, etag: etag(png)}.serve(w, req, "image/png")
}

// current are the runs, loaded anew when what there is is older than that.
func (s *server) current(age time.Duration) []Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.at.IsZero() && time.Since(s.at) < age {
		return s.runs
	}
	runs, err := s.load()
	s.at = time.Now()
	doc := document{Runs: []runData{}}
	if err != nil {
		doc.Error = oneLine(err.Error())
	} else {
		s.runs = runs
		doc = newDocument(runs, s.at)
		for i, r := range runs {
			for _, p := range r.pictures() {
				src := "picture/" + doc.Runs[i].ID + "/" + url.PathEscape(p.Kind) + "/" + kimgText(p.Kimg) + ".png"
				doc.Runs[i].Pictures = append(doc.Runs[i].Pictures, pictureData{p.Kind, number(p.Kimg), src})
			}
		}
	}
	body, err := json.Marshal(doc)
	if err != nil { // a number that is none is null, and there is nothing else that JSON cannot hold
		body = []byte(`{"error":"the data cannot be written as JSON","runs":[]}`)
	}
	if next := etag(body); next != s.data.etag {
		s.data = newAnswer(body)
	}
	return s.runs
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
