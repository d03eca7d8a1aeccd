package report

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func ask(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, "http://localhost:6006"+target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

func TestHandlerAnswers(t *testing.T) {
	run := madeUp("a b/../c", 20, 1)
	h := Handler(func() ([]Run, error) { return []Run{run}, nil })
	id := ids([]Run{run})[0]
	for _, c := range []struct {
		method, target string
		want           int
		kind           string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"HEAD", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/data.json", 200, "application/json"},
		{"GET", "/picture/" + id + "/fakes/12.5.png", 200, "image/png"},
		{"HEAD", "/picture/" + id + "/reals/0.png", 200, "image/png"},
		{"GET", "/picture/" + id + "/fakes/13.png", 404, ""},
		{"GET", "/picture/" + id + "/fakes/12.50.png", 404, ""},
		{"GET", "/picture/" + id + "/other/12.5.png", 404, ""},
		{"GET", "/picture/0/fakes/12.5.png", 404, ""},
		{"GET", "/picture/" + id + "/fakes/..%2f..%2fconfig.json", 404, ""},
		{"GET", "/picture/..%2f..%2fetc/passwd/0.png", 404, ""},
		{"GET", "/picture/%2e%2e/%2e%2e/%2e%2e/etc/passwd", 0, ""},
		{"GET", "/picture/../../etc/passwd", 0, ""},
		{"GET", "/page.js", 404, ""},
		{"POST", "/data.json", 405, ""},
		{"PUT", "/nothing", 405, ""},
		{"OPTIONS", "/", 405, ""},
	} {
		w := ask(h, c.method, c.target)
		if w.Code != c.want && !(c.want == 0 && (w.Code == 404 || w.Code/100 == 3)) { // a path that is made clean
			t.Errorf("%s %s: got %d, want %d", c.method, c.target, w.Code, c.want)
		}
		if c.kind != "" && w.Header().Get("Content-Type") != c.kind {
			t.Errorf("%s: got %s, want %s", c.target, w.Header().Get("Content-Type"), c.kind)
		}
		if c.method == "HEAD" && w.Body.Len() > 0 {
			t.Errorf("HEAD %s has a body", c.target)
		}
		p := w.Header().Get("Content-Security-Policy")
		if !strings.HasPrefix(p, "default-src 'none'; script-src 'sha256-") || strings.Contains(p, "unsafe") {
			t.Errorf("%s: got policy %q", c.target, p)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: may be sniffed", c.target)
		}
	}
	if s := ask(h, "GET", "/").Body.String(); strings.Contains(s, "a b/..") || strings.Contains(s, "http-equiv") {
		t.Error("the page has data, or the policy of a file")
	}
}

func TestHandlerHosts(t *testing.T) {
	h := Handler(func() ([]Run, error) { return nil, nil }, "gpu.lan", "")
	for host, want := range map[string]int{
		"localhost": 200, "LocalHost:6006": 200, "localhost.:1": 200, "127.0.0.1:6006": 200, "192.168.1.7": 200, "[::1]:6006": 200,
		"[::1]": 200, "[fe80::1%25eth0]:80": 200, "gpu.lan:6006": 200, "GPU.lan.": 200,
		"evil.example": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example:6006": 403, "xgpu.lan": 403, "": 403,
		":6006": 403, "[]:1": 403, ".": 403,
	} {
		if got := ask(h, "GET", "/data.json", "Host", host).Code; got != want {
			t.Errorf("%q: got %d, want %d", host, got, want)
		}
	}
}

func TestHandlerTellsWhatChanged(t *testing.T) {
	run := madeUp("a", 20, 1)
	s := &server{load: func() ([]Run, error) { return []Run{run}, nil }}
	h := http.HandlerFunc(s.serveData)
	first := ask(h, "GET", "/data.json")
	tag := first.Header().Get("ETag")
	if w := ask(h, "GET", "/data.json", "If-None-Match", tag); w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("got %d with %d bytes, want 304", w.Code, w.Body.Len())
	}
	s.at = s.at.Add(-2 * fresh) // loads again, and nothing is new
	if w := ask(h, "GET", "/data.json", "If-None-Match", tag); w.Code != 304 {
		t.Errorf("got %d, want 304", w.Code)
	}
	run.Complete = false
	s.at = s.at.Add(-2 * fresh)
	if w := ask(h, "GET", "/data.json", "If-None-Match", tag); w.Code != 200 || w.Header().Get("ETag") == tag {
		t.Errorf("got %d, want 200 and another tag", w.Code)
	}

	packed := ask(h, "GET", "/data.json", "Accept-Encoding", "gzip")
	z, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil || string(b) != ask(h, "GET", "/data.json").Body.String() {
		t.Errorf("compressed: %d bytes, %v", len(b), err)
	}
	if w := ask(h, "GET", "/data.json", "Accept-Encoding", "gzip", "If-None-Match", packed.Header().Get("ETag")); w.Code != 304 {
		t.Errorf("compressed: got %d, want 304", w.Code)
	}
}

func TestHandlerShowsErrors(t *testing.T) {
	run := madeUp("a", 20, 1)
	var failure error
	s := &server{load: func() ([]Run, error) { return []Run{run}, failure }}
	data := func() (d struct {
		Error string
		Runs  []struct {
			Name     string
			Pictures []pictureJSON
		}
	}) {
		w := ask(http.HandlerFunc(s.serveData), "GET", "/data.json")
		if w.Code != 200 {
			t.Errorf("got %d, want 200", w.Code)
		}
		if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	good := data()
	if len(good.Runs) != 1 || len(good.Runs[0].Pictures) != 19 || good.Error != "" {
		t.Fatalf("got %v", good)
	}
	failure = errors.New("first\nsecond\t</script>" + strings.Repeat("x", 1000))
	s.at = s.at.Add(-2 * fresh)
	if d := data(); !strings.HasPrefix(d.Error, "first second </script>xxx") || len(d.Error) > 410 || len(d.Runs) != 0 {
		t.Errorf("got %v", d)
	}
	if len(s.runs) != 1 {
		t.Error("the pictures of the runs are gone")
	}
	failure = nil
	s.at = s.at.Add(-2 * fresh)
	if d := data(); d.Error != "" || len(d.Runs) != 1 {
		t.Errorf("got %v", d)
	}
}

// TestHandlerAtOnce asks from many sides. It is for the race detector, and sees that load is never called twice at a time.
func TestHandlerAtOnce(t *testing.T) {
	run := madeUp("a", 20, 1)
	var inside, calls atomic.Int32
	h := Handler(func() ([]Run, error) {
		if inside.Add(1) != 1 {
			t.Error("load is called while it runs")
		}
		defer inside.Add(-1)
		calls.Add(1)
		return []Run{run}, nil
	})
	targets := []string{"/", "/data.json", "/picture/" + ids([]Run{run})[0] + "/fakes/0.png", "/picture/x/y/z"}
	var wait sync.WaitGroup
	for i := range 40 {
		wait.Go(func() {
			if w := ask(h, "GET", targets[i%4]); w.Code != 200 && i%4 != 3 {
				t.Errorf("%s: got %d", targets[i%4], w.Code)
			}
		})
	}
	wait.Wait()
	if n := calls.Load(); n > 5 { // one, and more only on a machine that needs seconds for this
		t.Errorf("load was called %d times", n)
	}
}

// TestHandlerWhileLoading serves what was loaded before while a load takes long, and survives one that panics.
func TestHandlerWhileLoading(t *testing.T) {
	run := madeUp("a", 20, 1)
	var calls atomic.Int32
	began, end := make(chan struct{}), make(chan struct{})
	s := &server{reading: make(chan struct{}, reads), load: func() ([]Run, error) {
		switch calls.Add(1) {
		case 2:
			close(began)
			<-end
		case 3:
			panic("a bug")
		}
		return []Run{run}, nil
	}}
	get := func() string { return ask(http.HandlerFunc(s.serveData), "GET", "/data.json").Body.String() }
	first := get()
	age := func() {
		s.mu.Lock()
		s.at = s.at.Add(-2 * fresh)
		s.mu.Unlock()
	}
	age()
	var wait sync.WaitGroup
	for range 5 {
		wait.Go(func() {
			if got := get(); got != first {
				t.Errorf("got %d bytes, want the %d of before", len(got), len(first))
			}
		})
	}
	<-began
	picture := httptest.NewRequest("GET", "/", nil)
	picture.SetPathValue("run", ids([]Run{run})[0])
	picture.SetPathValue("kind", "fakes")
	picture.SetPathValue("file", "12.5.png")
	w := httptest.NewRecorder()
	s.servePicture(w, picture)
	if w.Code != 200 {
		t.Errorf("a picture: got %d", w.Code)
	}
	wait.Wait()
	if n := calls.Load(); n != 2 {
		t.Errorf("load was called %d times, want 2", n)
	}
	s.mu.Lock()
	loading := s.loading
	s.mu.Unlock()
	close(end)
	<-loading
	age()
	if got := get(); !strings.Contains(got, "the runs cannot be read: a bug") {
		t.Errorf("got %s", got)
	}
	age()
	if got := get(); got != first {
		t.Error("it does not go on after a panic")
	}

	// Whoever goes away before the first load has ended keeps nobody.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	never := make(chan struct{})
	defer close(never)
	s = &server{load: func() ([]Run, error) { <-never; return nil, nil }}
	w = httptest.NewRecorder()
	s.serveData(w, httptest.NewRequest("GET", "/data.json", nil).WithContext(ctx))
	if w.Body.Len() != 0 {
		t.Errorf("got %s", w.Body)
	}
}

// TestHandlerReadsFewAtOnce counts the pictures that are in memory.
func TestHandlerReadsFewAtOnce(t *testing.T) {
	run := madeUp("a", 20, 1)
	var inside, most atomic.Int32
	full, end := make(chan struct{}), make(chan struct{})
	file, _ := drawn(1, 1)()
	for i := range run.Pictures {
		run.Pictures[i].Read = func() ([]byte, error) {
			n := inside.Add(1)
			defer inside.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			if n == reads {
				select {
				case <-full:
				default:
					close(full)
				}
			}
			<-end
			return file, nil
		}
	}
	h := Handler(func() ([]Run, error) { return []Run{run}, nil })
	target := "/picture/" + ids([]Run{run})[0] + "/fakes/12.5.png"
	var wait sync.WaitGroup
	for range 12 {
		wait.Go(func() {
			if w := ask(h, "GET", target); w.Code != 200 {
				t.Errorf("got %d", w.Code)
			}
		})
	}
	<-full
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	gone := httptest.NewRequest("GET", "http://localhost"+target, nil).WithContext(ctx)
	h.ServeHTTP(httptest.NewRecorder(), gone) // does not wait
	close(end)
	wait.Wait()
	if n := most.Load(); n != reads {
		t.Errorf("got %d at once, want %d", n, reads)
	}
}

// TestIDs are stable, and different for runs of one name.
func TestIDs(t *testing.T) {
	a, b := Run{Name: "a", Dir: "x"}, Run{Name: "a", Dir: "y"}
	l := ids([]Run{a, b, a})
	if l[0] == l[1] || l[2] != l[0]+"-2" || ids([]Run{b})[0] != l[1] {
		t.Errorf("got %v", l)
	}
}
