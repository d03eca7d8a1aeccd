package report

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
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
	Running  *bool     // whether a process holds the folder; nil: not known, and judged by how long the log is silent
	Err      string    // why it could not be read: only its name and folder are shown, and this

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
	stateUnreadable  = "unreadable"
)

// state is judged by the log alone where nothing else is known, because the run may be on another machine: one that has not
// written for far longer than between its lines has ended.
func (r Run) state(entries []monitor.LogEntry, now time.Time) string {
	switch {
	case r.Err != "":
		return stateUnreadable
	case r.Complete:
		return stateFinished
	case r.Running != nil && !*r.Running:
		return stateInterrupted
	case r.Running != nil && len(entries) > 0:
		return stateRunning
	case r.Running != nil:
		return stateWaiting
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

// names tells runs apart where several have one name, by as much of their folders as that takes.
func names(runs []Run) []string {
	l := make([]string, len(runs))
	alike := map[string][]int{}
	for i, r := range runs {
		l[i] = r.Name
		alike[r.Name] = append(alike[r.Name], i)
	}
	for name, group := range alike {
		if len(group) == 1 {
			continue
		}
		parts, longest := map[int][]string{}, 0
		for _, i := range group {
			parts[i] = strings.FieldsFunc(runs[i].Dir, func(r rune) bool { return r == '/' || r == '\\' })
			longest = max(longest, len(parts[i]))
		}
		end := func(i, n int) string { return strings.Join(parts[i][max(0, len(parts[i])-n):], "/") }
		for n := 1; n <= longest; n++ {
			seen := map[string]bool{}
			for _, i := range group {
				seen[end(i, n)] = true
			}
			if len(seen) < len(group) && n < longest {
				continue
			}
			for _, i := range group {
				if l[i] = end(i, n); len(parts[i]) == 0 || parts[i][len(parts[i])-1] != name {
					l[i] = strings.TrimSpace(name + " " + l[i])
				}
			}
			break
		}
	}
	for i, name := range l { // one folder twice
		for n := 2; slices.Contains(l[:i], l[i]); n++ {
			l[i] = fmt.Sprintf("%s (%d)", name, n)
		}
	}
	return l
}

// readable are the indices of the runs that have more than a name.
func readable(runs []Run) []int {
	var l []int
	for i, r := range runs {
		if r.Err == "" {
			l = append(l, i)
		}
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
	if r.Err != "" {
		return nil
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
