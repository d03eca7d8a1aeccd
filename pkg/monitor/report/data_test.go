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
		if !json.Valid([]byte(encode(t, newDocument([]Run{r, {}}, began, true)))) {
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
		{Run{Updated: last, Running: new(true)}, 61 * time.Hour, stateRunning},
		{Run{Updated: last, Running: new(false)}, 0, stateInterrupted},
		{Run{Updated: last, Running: new(true), Complete: true}, 0, stateFinished},
		{Run{Running: new(true)}, 0, stateWaiting},
		{Run{Updated: last, Running: new(true), Err: "gone"}, 0, stateUnreadable},
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
		d, _ := newRunData(r, "id", now, true)
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
		"The TIGAS score of the pictures it makes in training fell from 0.50 to 0.40.": {"score", 0.5, 0.4, 0, nan, 9},
		"The TIGAS score of its samples stayed at about 0.51.":                         {"sample_score", 0.5, 0.51, 0, nan, 9},
		"There is no TIGAS score in the log: no detector judged the samples.":          none,
	} {
		if got := scoreSentence(s, Run{}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestStoryOfTrouble tells no success where there is none.
func TestStoryOfTrouble(t *testing.T) {
	run := madeUp("a", 80, 1)
	nan := math.NaN()
	alike := []Finding{{Rule: "mode-collapse", Severity: "problem", Title: "the samples become alike"},
		{Rule: "x", Severity: "warning", Title: "a warning"}, {Rule: "y", Severity: "problem", Title: "Another one."}}
	fooled := []Finding{{Rule: "detector-fooled", Severity: "warning", Title: "the generator fools the detector"}}
	large := []Finding{{Rule: "weight-too-large", Severity: "warning", Title: "the term outweighs the rest of the loss"}}
	grid := func(n string) []Setting { return []Setting{{"grid", n, "flag"}} }
	for _, c := range []struct {
		s    score
		r    Run
		want string
	}{
		{score{"sample_score", 0.11, 0.15, 0, 0.97, 9}, Run{}, "changed little, from 0.11 to 0.15; real pictures score 0.97."},
		{score{"sample_score", 0.15, 0.11, 0, nan, 9}, Run{}, "changed little, from 0.15 to 0.11."},
		{score{"sample_score", 0.1, 0.6, 0, nan, 2}, Run{}, "went from 0.10 to 0.60, measured only twice."},
		{score{"sample_score", 0.1, 0.1, 0, nan, 1}, Run{}, "is 0.10, measured only once."},
		{score{"sample_score", 0.1, 0.6, 0, nan, 9}, Run{Settings: grid("3")}, "went from 0.10 to 0.60, which are only 9."},
		{score{"sample_score", 0.1, 0.6, 0, nan, 9}, Run{Settings: grid("8")}, "rose from 0.10 to 0.60."},
		{score{"sample_score", 0.1, 0.6, 0, 0.97, 9}, Run{Findings: alike}, "went from 0.10 to 0.60; real pictures score 0.97."},
		{score{"sample_score", 0.1, 0.93, 0, 0.97, 9}, Run{Findings: large}, "rose from 0.10 to 0.93; real pictures score 0.97. " +
			"This score is not to be trusted: the term outweighs the rest of the loss."},
		{score{"sample_score", 0.1, 0.6, 0, 0.97, 9}, Run{Findings: large}, "rose from 0.10 to 0.60; real pictures score 0.97."},
		{score{"sample_score", 0.1, 0.6, 0, nan, 9}, Run{Findings: large}, "rose from 0.10 to 0.60."},
		{score{"sample_score", 0.1, 0.6, 0, 0.97, 9}, Run{Findings: fooled}, "rose from 0.10 to 0.60; real pictures score 0.97. " +
			"This score is not to be trusted: the generator fools the detector."},
	} {
		if got := scoreSentence(&c.s, c.r); got != "The TIGAS score of its samples "+c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	stopped := half(run)
	stopped.Findings, stopped.Running = alike, new(false)
	going := half(run)
	going.Findings, going.Running = alike, new(true)
	run.Findings = alike
	for want, r := range map[string]Run{
		"A StyleGAN was trained on 100 thousand pictures (10 passes over the data) in 1h 00m 00s, to the end as planned, but: " +
			"the samples become alike; Another one. The TIGAS score of its samples went from": run,
		"A StyleGAN was trained on 50 thousand pictures (5 passes over the data) of 100 thousand in 30m 00s, then the run stopped " +
			"before its end; and something is wrong: the samples become alike; Another one. It can be resumed.": stopped,
		"A StyleGAN was being trained when this was written: it had seen 50 thousand pictures (5 passes over the data) of 100 " +
			"thousand, and had about 30 minutes to go, but: the samples become alike; Another one.": going,
		"A model was started, and ended before it wrote a line to its log.": {Running: new(false)},
	} {
		d, _ := newRunData(r, "id", began, false)
		if got := cut(strings.Join(d.Story, " "), len(want)); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

// TestSpeed has the pace of the whole run on the card, and that of late for what is to come.
func TestSpeed(t *testing.T) {
	var l []monitor.LogEntry
	for i := range 41 { // slower by half in its second half
		e := entry(int64(i), float64(i))
		e.Elapsed, e.Rate = time.Duration(i+max(0, i-20))*time.Second, 5000
		l = append(l, e)
	}
	if got, want := wholeRate(l, 60), 40000.0/60; got != want {
		t.Errorf("got %g, want %g", got, want)
	}
	if got := speed(l); got != 500 {
		t.Errorf("got %g, want 500", got)
	}
	for i := range l[30:] {
		l[30+i].Elapsed = time.Duration(i) * time.Second // a clock that began again
	}
	if got := speed(l); got != 1000 {
		t.Errorf("got %g, want 1000", got)
	}
	if got := speed(l[:1]); got != 5000 {
		t.Errorf("got %g, want that of the line", got)
	}
	l[10].Rate = 0 // of samples, at the beginning of a session
	if got := wholeRate(l[10:], 30); got != 1000 {
		t.Errorf("got %g, want 1000", got)
	}
	if got := wholeRate(l[:1], 0); !math.IsNaN(got) {
		t.Errorf("got %g, want NaN", got)
	}
	for sec, want := range map[float64]string{1: "5 seconds", 14: "15 seconds", 89: "90 seconds", 100: "2 minutes", 7200: "2 hours",
		300000: "3 days"} {
		if got := about(sec); got != want {
			t.Errorf("%g: got %s, want %s", sec, got, want)
		}
	}
}

// TestUnreadable has a run with only a name beside another, which has the page of a single one.
func TestUnreadable(t *testing.T) {
	good, bad := madeUp("good", 20, 1), madeUp("bad", 20, 2)
	bad.Err, bad.Findings = "log.jsonl: line 3:\n no JSON", found()
	d := newDocument([]Run{bad, good}, began, true)
	r := d.Runs[0]
	if r.Name != "bad" || r.Dir != bad.Dir || r.Err != "log.jsonl: line 3: no JSON" || r.State != stateUnreadable {
		t.Errorf("got %v", r)
	}
	if len(r.Values)+len(r.Findings)+len(r.Settings)+len(r.Story)+len(r.X.Step)+len(bad.pictures()) != 0 || r.Command+r.Data != "" {
		t.Errorf("got more than the name: %v", r)
	}
	alone := newDocument([]Run{good}, began, true)
	if len(d.Charts) != len(alone.Charts) {
		t.Errorf("got %d charts, want %d", len(d.Charts), len(alone.Charts))
	}
	for i, c := range d.Charts {
		if c.Run != nil {
			if *c.Run != 1 {
				t.Errorf("%s: of run %d", c.ID, *c.Run)
			}
			c.Run = alone.Charts[i].Run
		}
		if encode(t, c) != encode(t, alone.Charts[i]) {
			t.Errorf("got %s, want %s", encode(t, c), encode(t, alone.Charts[i]))
		}
	}
	var page strings.Builder
	if err := Write(&page, []Run{bad, {Name: "worse", Err: "x"}}); err != nil {
		t.Errorf("none can be read: %v", err)
	}
	if d := newDocument([]Run{bad}, began, true); len(d.Charts) != 0 {
		t.Error("there are charts")
	}
}

func TestNames(t *testing.T) {
	run := func(name, dir string) Run { return Run{Name: name, Dir: dir} }
	for _, c := range []struct {
		runs []Run
		want []string
	}{
		{[]Run{run("a", "/x/a"), run("b", "/x/b")}, []string{"a", "b"}},
		{[]Run{run("a", "/x/a"), run("b", "/x/b"), run("a", "/y/a/")}, []string{"x/a", "b", "y/a"}},
		{[]Run{run("a", "/1/x/a"), run("a", "/2/x/a"), run("a", "/2/y/a")}, []string{"1/x/a", "2/x/a", "2/y/a"}},
		{[]Run{run("a", "x/a"), run("a", "y/x/a")}, []string{"x/a", "y/x/a"}},
		{[]Run{run("a", `C:\x\a`), run("a", `C:\y\a`)}, []string{"x/a", "y/a"}},
		{[]Run{run("a", "/x/a"), run("a", "/x/a")}, []string{"x/a", "x/a (2)"}},
		{[]Run{run("a", ""), run("a", ""), run("a", "")}, []string{"a", "a (2)", "a (3)"}},
		{[]Run{run("a", "/x/1"), run("a", "/x/2")}, []string{"a 1", "a 2"}},
	} {
		if got := names(c.runs); !slices.Equal(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	one, two := madeUp("a", 20, 1), madeUp("a", 20, 2)
	one.Dir, two.Dir = "/x/a", "/y/a"
	d := newDocument([]Run{one, two}, began, true)
	last := d.Charts[len(d.Charts)-1]
	for _, c := range d.Charts {
		if c.Stack {
			last = c
		}
	}
	if d.Runs[0].Name != "x/a" || d.Runs[0].ID != ids([]Run{one})[0] || last.Title != "y/a" || title([]Run{one, two}) != "x/a, y/a - tigas-train" {
		t.Errorf("got %s, %s, %s", d.Runs[0].Name, last.Title, title([]Run{one, two}))
	}
}

// TestNotes warns of blurred curves where the blur takes the score of real pictures as well.
func TestNotes(t *testing.T) {
	plain, harsh := madeUp("plain", 20, 1), madeUp("harsh", 20, 2)
	for _, e := range harsh.Entries {
		for i, v := range e.Values {
			if v.Name == "data_score_perturbed" {
				e.Values[i].Value = 0.2
			}
		}
	}
	const warning = "scores even real pictures low after a small blur"
	for want, runs := range map[string][]Run{
		"":                                 {plain},
		"But this detector " + warning:     {harsh},
		"the detector of harsh " + warning: {plain, harsh},
	} {
		n := 0
		for _, c := range newDocument(runs, began, true).Charts {
			if c.Note == "" {
				continue
			}
			if n++; !strings.Contains(c.Note, want) || strings.Contains(c.Note, warning) != (want != "") {
				t.Errorf("got %q, want %q", c.Note, want)
			}
		}
		if n != 1 {
			t.Errorf("got %d notes, want 1", n)
		}
	}
}

func TestData(t *testing.T) {
	facts, settings := []Setting{{Name: "data set", Value: "cifar"}}, []Setting{{"data", "demo", "default"}}
	for want, r := range map[string]Run{"cifar": {Facts: facts, Settings: settings}, "demo": {Settings: settings}, "": {}} {
		if got := r.data(); got != want {
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
	two.Entries[3].Values = append(two.Entries[3].Values, monitor.Value{Name: "lr_extra"}, monitor.Value{Name: "my own"},
		monitor.Value{Name: monitor.GPUPeak}, monitor.Value{Name: monitor.GPUReserved})
	for _, runs := range [][]Run{{one}, {two}, {one, two}} {
		d := newDocument(runs, began, true)
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
	if n := len(head) + len(tail); n > 84<<10 { // with what makes 16 runs readable: shapes, rows for runs, one put before the others
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
