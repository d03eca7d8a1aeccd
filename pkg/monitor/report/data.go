package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// document is what the script of the page is given.
type document struct {
	Live     bool                `json:"live,omitempty"`    // it asks for the rest
	Written  string              `json:"written,omitempty"` // when the file was
	Error    string              `json:"error,omitempty"`
	Runs     []runData           `json:"runs"`
	Charts   []chart             `json:"charts,omitempty"`
	Quantity map[string]quantity `json:"quantity,omitempty"`
}

type quantity struct {
	Title string `json:"title"`
	Short string `json:"short,omitempty"`
}

type runData struct {
	ID       string             `json:"id"`
	Name     string             `json:"name"`
	Dir      string             `json:"dir,omitempty"`
	Command  string             `json:"command,omitempty"`
	Data     string             `json:"data,omitempty"` // the data set
	Err      string             `json:"err,omitempty"`
	State    string             `json:"state"`
	Total    number             `json:"total"`
	Kimg     number             `json:"kimg"`
	Started  string             `json:"started,omitempty"`
	Updated  string             `json:"updated,omitempty"`
	Rate     number             `json:"rate"` // images a second, of the whole run
	Score    *scoreData         `json:"score,omitempty"`
	Story    []string           `json:"story"`
	Findings []findingData      `json:"findings"`
	Settings []settingData      `json:"settings"`
	Facts    []settingData      `json:"facts"`
	Pictures []pictureData      `json:"pictures"`
	Notes    []string           `json:"notes,omitempty"` // about pictures that are not there
	X        axes               `json:"x"`
	Values   map[string]*column `json:"values"`
}

type scoreData struct {
	Of    string `json:"of"`
	First number `json:"first"`
	Last  number `json:"last"`
	From  number `json:"from"`
	Real  number `json:"real"`
	Doubt bool   `json:"doubt,omitempty"` // it is not to be trusted
}

type findingData struct {
	Rule     string `json:"rule,omitempty"`
	Severity string `json:"severity"`
	Title    string `json:"title"`
	Evidence string `json:"evidence,omitempty"`
	Remedy   string `json:"remedy,omitempty"`
	Kimg     number `json:"kimg"`
}

type settingData struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin string `json:"origin,omitempty"`
}

type pictureData struct {
	Kind string `json:"kind"`
	Kimg number `json:"kimg"`
	Src  string `json:"src"` // an address, or # and the id of the element that holds it
}

// newDocument is all but the pictures. live says that it is read now, not later.
func newDocument(runs []Run, now time.Time, live bool) document {
	d := document{Runs: []runData{}, Quantity: map[string]quantity{}}
	var values []string
	var timed []int
	labels := names(runs)
	for i, id := range ids(runs) {
		r, own := newRunData(runs[i], id, now, live)
		r.Name = labels[i]
		d.Runs = append(d.Runs, r)
		for _, name := range own {
			if !slices.Contains(values, name) {
				values = append(values, name)
			}
		}
		if slices.ContainsFunc(own, func(name string) bool { return strings.HasPrefix(name, monitor.PhasePrefix) }) {
			timed = append(timed, i)
		}
	}
	for _, name := range values {
		q := quantity{Title: monitor.QuantityOf(name).Title}
		if phase, ok := strings.CutPrefix(name, monitor.PhasePrefix); ok {
			q.Short = monitor.PhaseTitle(phase)
		}
		d.Quantity[name] = q
	}
	d.Charts = charts(values, timed, runs)
	for i, c := range d.Charts {
		d.Charts[i].Note = note(c.Names, d.Runs)
	}
	return d
}

func newRunData(r Run, id string, now time.Time, live bool) (runData, []string) {
	if r.Err != "" {
		r = Run{Name: r.Name, Dir: r.Dir, Err: r.Err, Total: math.NaN()}
	}
	entries := monitor.DropRewound(slices.Clone(r.Entries))
	names, cols := columns(entries)
	d := runData{
		ID: id, Name: r.Name, Dir: r.Dir, Command: r.Command, Data: r.data(), Err: oneLine(r.Err), Total: number(r.Total),
		State: r.state(entries, now), Updated: stamp(r.Updated), X: axesOf(entries), Values: cols,
		Findings: []findingData{}, Settings: settingsData(r.Settings), Facts: settingsData(r.Facts), Pictures: []pictureData{},
	}
	if d.Rate = number(math.NaN()); r.Err != "" {
		d.Kimg = d.Rate
	}
	if n := len(entries); n > 0 {
		d.Rate = number(wholeRate(entries, float64(d.X.Time[n-1])))
		d.Kimg = number(d.X.Kimg[n-1])
		if first := entries[0]; !first.Time.IsZero() {
			d.Started = stamp(first.Time.Add(-first.Elapsed))
		}
	}
	s := scoreOf(cols, entries)
	if s != nil {
		_, doubt := s.doubt(r.Findings)
		d.Score = &scoreData{s.Of, number(s.First), number(s.Last), number(s.From), number(s.Real), doubt}
	}
	d.Story = story(r, d.State, entries, s, live)
	for _, f := range r.Findings {
		d.Findings = append(d.Findings, findingData{f.Rule, f.Severity, f.Title, f.Evidence, f.Remedy, number(f.Kimg)})
	}
	slices.SortStableFunc(d.Findings, func(a, b findingData) int { return severity(a.Severity) - severity(b.Severity) })
	return d, names
}

// severity is the order of the cards.
func severity(name string) int {
	switch name {
	case "problem":
		return 0
	case "warning":
		return 1
	}
	return 2
}

func settingsData(l []Setting) []settingData {
	d := []settingData{}
	for _, s := range l {
		d = append(d, settingData(s))
	}
	return d
}

// stamp is empty for a time that is not known, or that JSON's form of it cannot hold.
func stamp(t time.Time) string {
	if t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// wholeRate is the images a second of all the time that the run took, NaN when that is not known. A log that begins with
// samples begins with what the run had seen before.
func wholeRate(entries []monitor.LogEntry, sec float64) float64 {
	first, last := entries[0], entries[len(entries)-1]
	images := last.Kimg * 1000
	if first.Rate == 0 {
		images -= first.Kimg * 1000
	}
	if !(images > 0 && sec > 0) {
		return math.NaN()
	}
	return images / sec
}

// data is the data set as the facts name it, or else the flags.
func (r Run) data() string {
	for _, list := range [][]Setting{r.Facts, r.Settings} {
		for _, s := range list {
			if (s.Name == "data set" || s.Name == "data") && s.Value != "" {
				return s.Value
			}
		}
	}
	return ""
}

// harsh is by how much the blur may lower the score of real pictures before it says nothing of samples.
const harsh = 0.3

// note says how to read a chart of scores after a small change.
func note(names []string, runs []runData) string {
	if !slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, "_score_perturbed") }) {
		return ""
	}
	text := "Blurred: the pictures are judged again after a small blur, and after compression like that of JPEG; the lower of the " +
		"two means is drawn. A score that this takes away came from a fine pattern."
	var bad []string
	with := 0
	for _, r := range runs {
		_, plain, ok := r.Values["data_score"].ends()
		_, blurred, ok2 := r.Values["data_score_perturbed"].ends()
		if !ok || !ok2 {
			continue
		}
		if with++; plain-blurred > harsh {
			bad = append(bad, r.Name)
		}
	}
	switch {
	case len(bad) == 0:
		return text
	case len(bad) == with:
		return text + " But this detector scores even real pictures low after a small blur, so the blurred curves say little."
	}
	return fmt.Sprintf("%s But the detector of %s scores even real pictures low after a small blur, so these blurred curves say little.", text,
		strings.Join(bad, ", "))
}
