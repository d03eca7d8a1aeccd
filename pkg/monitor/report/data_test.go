package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tigas-train/tigas-train/pkg/monitor"
)

func entry(step int64, kimg float64, values ...monitor.Value) monitor.LogEntry {
	e := monitor.LogEntry{Time: began.Add(time.Duration(step) * time.Second)}
	e.Step, e.Kimg, e.Elapsed, e.Values = step, kimg, time.Duration(step)*time.Second, values
	return e
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestColumns(t *testing.T) {
	nan := math.NaN()
	names, cols := columns([]monitor.LogEntry{
		entry(0, 0, monitor.Value{Name: "sample_score", Value: 0.1}),
		entry(1, 0.1, monitor.Value{Name: "D", Value: 1.23456789}, monitor.Value{Name: "skipped_D", Value: 1},
			monitor.Value{Name: "epoch_done", Value: 1}),
		entry(2, 0.2, monitor.Value{Name: "D", Value: nan}),
		entry(3, 0.3, monitor.Value{Name: "D", Value: math.Inf(1)}, monitor.Value{Name: "D", Value: -1.5e-9},
			monitor.Value{Name: "sample_score", Value: 1e21}),
	})
	if want := []string{"sample_score", "D", "skipped_D"}; !slices.Equal(names, want) {
		t.Errorf("got names %v, want %v", names, want)
	}
	for name, want := range map[string]string{
		"sample_score": `{"v":[0.1,1e+21],"at":[0,3]}`,
		"D":            `{"v":[1.23457,null,-1.5e-09],"at":[1,2,3]}`, // the later of two in a line
		"skipped_D":    `{"v":[0,1,0,0]}`,                            // 0 where it did not happen
	} {
		if got := encode(t, cols[name]); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// TestDocumentOfNumbers has everything that JSON has no number for.
func TestDocumentOfNumbers(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.Copysign(0, -1), 5e-324, 123456789} {
		e := entry(1, v, monitor.Value{Name: "G", Value: v})
		e.Rate, e.Epoch, e.Elapsed = v, v, math.MaxInt64
		r := Run{Name: "n", Total: v, Entries: []monitor.LogEntry{e, e, entry(math.MaxInt64, v)},
			Findings: []Finding{{Kimg: v}}, Pictures: []Picture{{"fakes", v, drawn(0, 0)}, {"fakes", 1, nil}}}
		if !json.Valid([]byte(encode(t, newDocument([]Run{r, {}}, began)))) {
			t.Errorf("%g: not valid", v)
		}
	}
}

func TestAxesDoNotFall(t *testing.T) {
	e := []monitor.LogEntry{entry(10, 1), entry(20, 2), entry(30, 3), entry(20, 2), entry(40, 4)}
	e[3].Elapsed, e[4].Elapsed = 5*time.Second, 25*time.Second // a clock that began again
	a := axesOf(monitor.DropRewound(e))
	if got := encode(t, a); got != `{"kimg":[1,2,4],"step":[10,20,40],"time":[10,15,35]}` {
		t.Error(got)
	}
	if got := encode(t, axesOf(nil)); got != `{"kimg":[],"step":[],"time":[]}` {
		t.Error(got)
	}
}

func TestState(t *testing.T) {
	lines := []monitor.LogEntry{entry(0, 0), entry(600, 1), entry(1200, 2)} // ten minutes apart
	last := lines[2].Time
	for _, c := range []struct {
		run   Run
		after time.Duration
		want  string
	}{
		{Run{}, 0, stateWaiting},
		{Run{Complete: true, Updated: last}, 1000 * time.Hour, stateFinished},
		{Run{Updated: last}, 59 * time.Minute, stateRunning},
		{Run{Updated: last}, 61 * time.Minute, stateInterrupted}, // six times as long as between lines
	} {
		entries := lines
		if c.want == stateWaiting {
			entries = nil
		}
		if got := c.run.state(entries, last.Add(c.after)); got != c.want {
			t.Errorf("after %v: got %s, want %s", c.after, got, c.want)
		}
	}
}

func TestStory(t *testing.T) {
	run := madeUp("a", 80, 1)
	tell := func(r Run, now time.Time) string {
		d, _ := newRunData(r, "id", now)
		return strings.Join(d.Story, " ")
	}
	for want, got := range map[string]string{
		"A StyleGAN was trained on 100 thousand pictures (10 passes over the data) in 1h 00m 00s, to the end as planned. " +
			"The TIGAS score of its samples rose from 0.10 to 0.60; real pictures score 0.93. The log shows no problems.": tell(run, began),
		"A StyleGAN is being trained: it has seen 50 thousand pictures (5 passes over the data) of 100 thousand, and has " +
			"about 30 minutes to go. The TIGAS score of its samples rose from 0.10 to 0.2": cut(
			tell(half(run), began.Add(31*time.Minute)), 188),
		"A StyleGAN was trained on 50 thousand pictures (5 passes over the data) of 100 thousand in 30m 00s, then the run " +
			"stopped before its end. It can be resumed.": cut(tell(half(run), began.Add(31*time.Hour)), 155),
		"A model was started. It has written no line to its log yet.": tell(Run{}, began),
	} {
		if got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	for want, f := range map[string][]Finding{
		"The log shows one problem, one warning and one remark, listed below.": found(),
		"The log shows 2 warnings, listed below.":                              {{Severity: "warning"}, {Severity: "warning"}},
	} {
		if got := count(f); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	nan := math.NaN()
	var none *score
	for want, s := range map[string]*score{
		"The TIGAS score of the pictures it makes in training fell from 0.50 to 0.40.": {"score", 0.5, 0.4, 0, nan},
		"The TIGAS score of its samples stayed at about 0.51.":                         {"sample_score", 0.5, 0.51, 0, nan},
		"There is no TIGAS score in the log: no detector judged the samples.":          none,
	} {
		if got := scoreSentence(s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func cut(s string, n int) string { return s[:min(n, len(s))] }

// half is a run that has not ended, with rates that make its time to go a round number.
func half(r Run) Run {
	r.Complete = false
	r.Entries = slices.Clone(r.Entries[:len(r.Entries)/2+1])
	last := &r.Entries[len(r.Entries)-1]
	last.Rate = 50000.0 / 1800
	r.Updated = last.Time
	return r
}

// TestCharts has each value in one chart, except the times of a step, which are in one a run.
func TestCharts(t *testing.T) {
	one, two := madeUp("one", 20, 1), madeUp("two", 20, 2)
	two.Entries[3].Values = append(two.Entries[3].Values, monitor.Value{Name: "lr_extra"}, monitor.Value{Name: "my own"})
	for _, runs := range [][]Run{{one}, {two}, {one, two}} {
		d := newDocument(runs, began)
		seen := map[string]int{}
		panels := monitor.Panels()
		at := 0
		for _, c := range d.Charts {
			for at < len(panels) && string(panels[at]) != c.Panel {
				at++
			}
			if c.Title == "" || c.ID == "" {
				t.Errorf("chart of %v has no title", c.Names)
			}
			seen["id "+c.ID]++
			for _, name := range c.Names {
				if !c.Stack || *c.Run == 0 {
					seen[name]++
				}
			}
		}
		if at == len(panels) {
			t.Error("the panels are not in their order")
		}
		for name, n := range seen {
			if n != 1 {
				t.Errorf("%s is in %d charts", name, n)
			}
		}
		for _, r := range d.Runs {
			for name := range r.Values {
				if seen[name] == 0 || d.Quantity[name].Title == "" {
					t.Errorf("%s is in no chart", name)
				}
			}
		}
	}
}

var dataPattern = regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`)

// TestWriteEscapes has texts that would end the element, begin a comment or a line in a script.
func TestWriteEscapes(t *testing.T) {
	evil := "</script><script>alert(1)</script><!--\u2028\u2029{{data}}{{script}}\x00\xff'\"&amp;"
	r := Run{Name: evil, Dir: evil, Command: evil, Family: evil,
		Settings: []Setting{{evil, evil, evil}}, Facts: []Setting{{evil, evil, ""}},
		Findings: []Finding{{evil, evil, evil, evil, evil, 1}},
		Entries:  []monitor.LogEntry{entry(1, 1, monitor.Value{Name: evil, Value: 1}, monitor.Value{Name: "__proto__", Value: 2})},
		Pictures: []Picture{{evil, 1, drawn(1, 1)}}}
	var page strings.Builder
	if err := write(&page, []Run{r}, began); err != nil {
		t.Fatal(err)
	}
	s := page.String()
	title := regexp.MustCompile(`<title>[^<]*</title>`) // where it is no script
	if len(title.FindAllString(s, -1)) != 1 {
		t.Error("the title is not escaped")
	}
	s = title.ReplaceAllString(s, "")
	if strings.Contains(s, "<script>alert") || strings.Contains(s, "\u2028") || strings.Contains(s, "\u2029") {
		t.Error("a text is not escaped")
	}
	// Those of the template, and one picture.
	if n := strings.Count(s, "</script>"); n != 3 {
		t.Errorf("got %d ends of a script, want 3", n)
	}
	var d struct {
		Runs []struct{ Name, Command string }
	}
	if err := json.Unmarshal([]byte(dataPattern.FindStringSubmatch(s)[1]), &d); err != nil {
		t.Fatal(err)
	}
	if want := strings.ReplaceAll(evil, "\xff", "\ufffd"); d.Runs[0].Name != want || d.Runs[0].Command != want {
		t.Errorf("got %q, want %q", d.Runs[0].Name, want)
	}
	if strings.Contains(s, "http://") && strings.Count(s, "http://") != strings.Count(s, "http://www.w3.org/2000/svg") {
		t.Error("the page has an address of the network")
	}
}

func TestWritePictures(t *testing.T) {
	whole, _ := drawn(1, 1)()
	reads := 0
	bad := func(file []byte, err error) func() ([]byte, error) {
		return func() ([]byte, error) { reads++; return file, err }
	}
	r := Run{Name: "r", Pictures: []Picture{
		{"fakes", 2, bad(whole[:len(whole)-5], nil)}, {"fakes", 1, bad(nil, errors.New("gone"))}, {"fakes", 3, drawn(1, 1)},
		{"fakes", 3, drawn(2, 2)}, {"scores", 1, bad([]byte("GIF89a"), nil)}, {"mine", 1, bad(nil, nil)}, {"recon", 1, nil}}}
	for i := range 200 {
		r.Pictures = append(r.Pictures, Picture{"recon", float64(i), drawn(i, 1)})
	}
	var page strings.Builder
	if err := write(&page, []Run{r}, began); err != nil {
		t.Fatal(err)
	}
	var d struct {
		Runs []struct {
			Pictures []pictureJSON
			Notes    []string
		}
	}
	if err := json.Unmarshal([]byte(dataPattern.FindStringSubmatch(page.String())[1]), &d); err != nil {
		t.Fatal(err)
	}
	got := d.Runs[0]
	p := got.Pictures
	if len(p) != 1+mostPictures || p[0].Kimg != 3 || p[1].Kimg != 0 || p[mostPictures].Kimg != 199 {
		t.Errorf("got %d pictures: %v", len(p), p)
	}
	want := []string{"140 of the pictures in the run's folder are not in this file, evenly over time.",
		"fakes: 2 could not be read and are left out.", "scores: 1 could not be read and are left out.",
		"1 other pictures could not be read and are left out."}
	if !slices.Equal(got.Notes, want) {
		t.Errorf("got %q, want %q", got.Notes, want)
	}
	for _, p := range got.Pictures {
		if !strings.Contains(page.String(), fmt.Sprintf(`<script type="text/plain" id="%s">data:image/png;base64,iVBOR`, p.Src[1:])) {
			t.Errorf("%s is not in the page", p.Src)
		}
	}
}

type pictureJSON struct {
	Kind, Src string
	Kimg      float64
}

// broken is a writer that fails after n bytes.
type broken int

func (b *broken) Write(p []byte) (int, error) {
	if *b -= broken(len(p)); *b < 0 {
		return 0, errors.New("full")
	}
	return len(p), nil
}

func TestWriteErrors(t *testing.T) {
	run := madeUp("a", 10, 1)
	for _, n := range []broken{0, 30000, 74000} {
		if err := Write(&n, []Run{run}); err == nil || err.Error() != "report: full" {
			t.Errorf("got %v, want report: full", err)
		}
	}
	var page strings.Builder
	if err := Write(&page, nil); err != nil {
		t.Errorf("no runs: %v", err)
	}
}

func TestSize(t *testing.T) {
	head, tail := pageParts("t", policy("data:", "'none'"))
	if n := len(head) + len(tail); n > 72<<10 {
		t.Errorf("the page itself has %d bytes", n)
	}
	run := madeUp("a", 5000, 1)
	run.Pictures = nil
	var page strings.Builder
	if err := Write(&page, []Run{run}); err != nil {
		t.Fatal(err)
	}
	// 5,000 entries of some 25 values in at most ten bytes each, and more of those that are small.
	if page.Len() > 2<<20 {
		t.Errorf("got a page of %d bytes", page.Len())
	}
}
