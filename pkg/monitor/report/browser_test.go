package report

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// driven is a page with a script of testdata before its own, and without the policy that forbids it.
func driven(t *testing.T, page, script string) string {
	t.Helper()
	code := ""
	for _, name := range []string{"drive.js", script} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		code += string(b)
	}
	page = regexp.MustCompile(`<meta http-equiv[^\n]*\n`).ReplaceAllString(page, "")
	return strings.Replace(page, "<title>", "<script>"+code+"</script>\n<title>", 1)
}

// drive opens a page of the handler in a browser, until its script has told what it found.
func drive(t *testing.T, least int, handler http.HandlerFunc) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var checks struct {
		Failed []string
		Passed int
	}
	told := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/test/checks" {
			handler(w, req)
			return
		}
		select {
		case told <- json.NewDecoder(req.Body).Decode(&checks):
		default:
		}
	}))
	defer server.Close()
	defer server.CloseClientConnections()
	cmd := browserOf(t, ctx, "--window-size=1280,900", server.URL)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var err error
	select {
	case err = <-told:
	case <-ctx.Done():
		err = ctx.Err()
	}
	cancel()
	cmd.Wait()
	if err != nil {
		t.Fatalf("the page has told nothing: %v", err)
	}
	for _, f := range checks.Failed {
		t.Error(f)
	}
	if checks.Passed < least {
		t.Errorf("got %d checks that passed, want at least %d", checks.Passed, least)
	}
}

// TestReportInBrowser drives a report of two runs: hover, drag, keys, toggles, slider, search, theme, and a phone's width.
func TestReportInBrowser(t *testing.T) {
	one, two := madeUp(`<img src=x onerror="pwned=1">&amp;</script>`, 200, 1), madeUp("second", 150, 2)
	one.Findings = found()
	two.Entries, two.Complete = two.Entries[:100], false
	var page strings.Builder
	if err := write(&page, []Run{one, two}, began.Add(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	drive(t, 40, func(w http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/":
			w.Write([]byte(driven(t, page.String(), "report.js")))
		case "/plain.html":
			w.Write([]byte(page.String()))
		default:
			t.Errorf("the page asks for %s", req.URL.Path)
		}
	})
}

// TestManyInBrowser opens a report of sixteen runs and one that cannot be read.
func TestManyInBrowser(t *testing.T) {
	runs := many(16)
	runs[4].Findings = []Finding{{Severity: "warning", Title: "t", Remedy: "--reduction sum --beta 0.1 --free-bits 0.25, and a longer " +
		"--kl-warmup; --aug color,translation,cutout and --mirror instead of nothing"}, {Severity: "info", Title: "t",
		Remedy: "--tigas-every 4 brings that; --lr again, --mirror=false or --clip-grad 1.5"}}
	pages := map[string][]Run{"/": append(runs, Run{Name: "broken", Dir: "runs/broken", Err: "log.jsonl: line 7: <b>not</b> JSON"}),
		"/seven.html": many(7), "/two.html": many(4)[2:]}
	pages["/sixteen.html"] = pages["/"]
	drive(t, 25, func(w http.ResponseWriter, req *http.Request) {
		var page strings.Builder
		if err := write(&page, pages[req.URL.Path], began.Add(24*time.Hour)); err != nil {
			t.Error(err)
		}
		if req.URL.Path == "/" {
			w.Write([]byte(driven(t, page.String(), "many.js")))
			return
		}
		w.Write([]byte(page.String()))
	})
}

// TestLiveInBrowser keeps a page open while the run goes on, its log is wrong for a while and the server is away.
func TestLiveInBrowser(t *testing.T) {
	run := madeUp("live", 200, 1)
	run.Complete = false
	var state atomic.Value
	state.Store("empty")
	handler := Handler(func() ([]Run, error) {
		r := run
		n, pictures := 101, 5
		switch state.Load() {
		case "empty":
			return []Run{{Name: r.Name, Dir: r.Dir, Family: r.Family, Total: r.Total}}, nil
		case "bad":
			return []Run{{Name: r.Name, Dir: r.Dir, Err: "config.json: gone"}}, nil
		case "wrong":
			return nil, errors.New("log.jsonl: line 7:\n <b>not</b> valid json")
		case "more":
			n, pictures = 151, 7
		}
		r.Entries = r.Entries[:n]
		r.Updated = time.Now()
		r.Pictures = nil
		for _, p := range run.Pictures {
			if p.Kind == "reals" || p.Kimg < 12.5*float64(pictures) {
				r.Pictures = append(r.Pictures, p)
			}
		}
		return []Run{r}, nil
	})
	drive(t, 15, func(w http.ResponseWriter, req *http.Request) {
		if s, ok := strings.CutPrefix(req.URL.Path, "/test/"); ok {
			state.Store(s)
			return
		}
		if state.Load() == "down" {
			panic(http.ErrAbortHandler)
		}
		if req.URL.Path != "/" {
			handler.ServeHTTP(w, req)
			return
		}
		req.Header.Del("Accept-Encoding")
		page := httptest.NewRecorder()
		handler.ServeHTTP(page, req)
		w.Write([]byte(driven(t, page.Body.String(), "live.js")))
	})
}

// TestPolicyInBrowser opens the page as it is served: the policy must let its own script, style, data and pictures pass.
func TestPolicyInBrowser(t *testing.T) {
	run := madeUp("live", 20, 1)
	server := httptest.NewServer(Handler(func() ([]Run, error) { return []Run{run}, nil }))
	defer server.Close()
	dom := chromium(t, "--virtual-time-budget=3000", "--dump-dom", server.URL)
	for _, want := range []string{
		"<title>100 kimg live", `alt="live: Samples at 100 kimg" style="width: 408px`, `id="chart-sample_score"`,
	} {
		if !strings.Contains(dom, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}
