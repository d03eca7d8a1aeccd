package report

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// Run is what the page shows of a run. Nothing of it is written to. Any text may hold anything: the page shows it as text.
type Run struct {
	Name     string // of its folder
	Dir      string
	Command  string  // as it was started: tigas-train gan --tigas-weight 0.1
	Family   string  // gan, stylegan, vae, diffusion
	Total    float64 // kimg at the end
	Complete bool
	Updated  time.Time // of the last line of the log

	Settings []Setting // of the flags
	Facts    []Setting // libtorch, device, data set, detector, networks; without an origin
	Entries  []monitor.LogEntry
	Findings []Finding
	Pictures []Picture
}

// Setting is a value that the run was given.
type Setting struct {
	Name, Value string
	Origin      string // default, flag, demo, ...; those of another than default come first
}

// Finding is what was found in a log: what is wrong, by what one sees it, and what to do.
type Finding struct {
	Rule     string  // its name for programs
	Severity string  // info, warning or problem
	Title    string  // in one line
	Evidence string  // the numbers
	Remedy   string  // what to do; may be empty
	Kimg     float64 // where it begins; 0 or NaN when it is about the whole run
}

// Picture is a file of the run.
type Picture struct {
	Kind string  // reals, fakes, scores or recon
	Kimg float64 // when it was made; that of reals does not matter
	Read func() ([]byte, error)
}

// The states of a run.
const (
	stateWaiting     = "waiting" // no line yet
	stateRunning     = "running"
	stateInterrupted = "interrupted" // neither complete nor writing
	stateFinished    = "finished"
)

// state is judged by the log alone, because the run may be on another machine: one that has not written for far longer than
// between its lines has ended.
func (r Run) state(entries []monitor.LogEntry, now time.Time) string {
	switch {
	case r.Complete:
		return stateFinished
	case r.Updated.IsZero() && len(entries) == 0:
		return stateWaiting
	}
	updated := r.Updated
	if updated.IsZero() {
		updated = entries[len(entries)-1].Time
	}
	var between []time.Duration
	for i := max(1, len(entries)-50); i < len(entries); i++ {
		between = append(between, entries[i].Time.Sub(entries[i-1].Time))
	}
	// The least of it covers the start, which loads libtorch and the data, and snapshots.
	patience := 3 * time.Minute
	if len(between) > 0 {
		slices.Sort(between)
		patience = max(patience, 6*between[len(between)/2])
	}
	if now.Sub(updated) > patience {
		return stateInterrupted
	}
	return stateRunning
}

// ids names the runs in addresses. They do not depend on what other runs there are, as long as no two are of one folder.
func ids(runs []Run) []string {
	var l []string
	for _, r := range runs {
		sum := sha256.Sum256([]byte(r.Dir + "\x00" + r.Name))
		id := fmt.Sprintf("%x", sum[:6])
		for n, first := 2, id; slices.Contains(l, id); n++ {
			id = first + "-" + strconv.Itoa(n)
		}
		l = append(l, id)
	}
	return l
}

// kimgText names a picture in its address.
func kimgText(kimg float64) string { return strconv.FormatFloat(kimg, 'f', -1, 64) }

// pictures are those of the run in the order of the page: by kind, then by time. Where two have the same place, the first
// of them counts.
func (r Run) pictures() []Picture {
	order := []string{"fakes", "scores", "recon", "reals"}
	rank := func(kind string) int {
		if i := slices.Index(order, kind); i >= 0 {
			return i
		}
		return len(order)
	}
	var l []Picture
	for _, p := range r.Pictures {
		if p.Read != nil && !math.IsNaN(p.Kimg) && !math.IsInf(p.Kimg, 0) {
			l = append(l, p)
		}
	}
	slices.SortStableFunc(l, func(a, b Picture) int {
		return cmp.Or(rank(a.Kind)-rank(b.Kind), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Kimg, b.Kimg))
	})
	return slices.CompactFunc(l, func(a, b Picture) bool { return a.Kind == b.Kind && a.Kimg == b.Kimg })
}
