package report

import (
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
	State    string             `json:"state"`
	Total    number             `json:"total"`
	Kimg     number             `json:"kimg"`
	Started  string             `json:"started,omitempty"`
	Updated  string             `json:"updated,omitempty"`
	Rate     number             `json:"rate"` // median of the ticks
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

// newDocument is all but the pictures.
func newDocument(runs []Run, now time.Time) document {
	d := document{Runs: []runData{}, Quantity: map[string]quantity{}}
	var names []string
	var timed []int
	for i, id := range ids(runs) {
		r, own := newRunData(runs[i], id, now)
		d.Runs = append(d.Runs, r)
		for _, name := range own {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		if slices.ContainsFunc(own, func(name string) bool { return strings.HasPrefix(name, monitor.PhasePrefix) }) {
			timed = append(timed, i)
		}
	}
	for _, name := range names {
		q := quantity{Title: monitor.QuantityOf(name).Title}
		if phase, ok := strings.CutPrefix(name, monitor.PhasePrefix); ok {
			q.Short = monitor.PhaseTitle(phase)
		}
		d.Quantity[name] = q
	}
	d.Charts = charts(names, timed, runs)
	return d
}

func newRunData(r Run, id string, now time.Time) (runData, []string) {
	entries := monitor.DropRewound(slices.Clone(r.Entries))
	names, cols := columns(entries)
	d := runData{
		ID: id, Name: r.Name, Dir: r.Dir, Command: r.Command, Total: number(r.Total), State: r.state(entries, now),
		Updated: stamp(r.Updated), Rate: number(medianRate(entries)), X: axesOf(entries), Values: cols,
		Findings: []findingData{}, Settings: settingsData(r.Settings), Facts: settingsData(r.Facts), Pictures: []pictureData{},
	}
	if n := len(entries); n > 0 {
		d.Kimg = number(d.X.Kimg[n-1])
		if first := entries[0]; !first.Time.IsZero() {
			d.Started = stamp(first.Time.Add(-first.Elapsed))
		}
	}
	s := scoreOf(cols, entries)
	if s != nil {
		d.Score = &scoreData{s.Of, number(s.First), number(s.Last), number(s.From), number(s.Real)}
	}
	d.Story = story(r, d.State, entries, s)
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

// medianRate is not moved by the ticks with snapshots and pictures.
func medianRate(entries []monitor.LogEntry) float64 {
	var l []float64
	for _, e := range entries {
		if e.Rate > 0 && !math.IsInf(e.Rate, 0) {
			l = append(l, e.Rate)
		}
	}
	if len(l) == 0 {
		return math.NaN()
	}
	slices.Sort(l)
	return l[len(l)/2]
}
