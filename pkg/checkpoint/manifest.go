package checkpoint

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
)

// Snapshot is one file in snapshots/, as the manifest has it.
type Snapshot struct {
	File    string   `json:"file"` // name in snapshots/
	Step    int64    `json:"step"`
	Images  int64    `json:"images"` // real images shown before it: snapshots are in this order, whatever they are called
	Bytes   int64    `json:"bytes"`
	SHA256  string   `json:"sha256"`
	Measure *float64 `json:"measure,omitempty"` // what the best one is chosen by; lower is better
	// MeasureOf names what Measure is, with the sign it was taken with (-score): numbers of different names are not compared.
	MeasureOf string `json:"measure_of,omitempty"`
	Keep      bool   `json:"keep,omitempty"` // it stays for good
	// Doubtful is one that was written while updates were left out: to continue an interrupted run, but not to return to
	// from a divergence, and in place of no other.
	Doubtful bool `json:"doubtful,omitempty"`
}

// Retention says which snapshots stay. The newest one always does.
type Retention struct {
	Last  int     // so many of the newest; 0: all
	Every float64 // and the first one of every so many thousand images; 0: none
	Best  bool    // and the one with the lowest Measure, of those that are of the same name as the newest one's
}

// maxManifest is far above what a run writes: 300 bytes a snapshot.
const maxManifest = 64 << 20

func (r *Run) manifest() string { return filepath.Join(r.Dir, "snapshots", "manifest.json") }

// Snapshots are the snapshots of the run, oldest first: nil when there is none yet. It returns an error for a manifest
// that cannot be read.
func (r *Run) Snapshots() ([]Snapshot, error) {
	bad := func(err error) error {
		return fmt.Errorf("checkpoint: %s: %w", r.manifest(), err)
	}
	f, err := r.open(r.manifest())
	if errors.Is(err, fs.ErrNotExist) {
		if files, err := r.files(); err != nil || len(files) == 0 {
			return nil, err
		}
		return nil, fmt.Errorf("checkpoint: %s is missing, and there are snapshots", r.manifest())
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	l, err := parseManifest(data)
	if err != nil {
		return nil, bad(err)
	}
	if files, err := r.files(); err != nil || len(l) == 0 && len(files) > 0 {
		return nil, bad(cmp.Or(err, errors.New("it is empty, and there are snapshots")))
	}
	return l, nil
}

type manifest struct {
	Snapshots []Snapshot `json:"snapshots"`
}

// parseManifest reads a manifest, and refuses names that would lead out of the folder.
func parseManifest(data []byte) ([]Snapshot, error) {
	if len(data) > maxManifest {
		return nil, fmt.Errorf("got more than %d bytes", maxManifest)
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, err
	}
	for i, s := range m.Snapshots {
		if !plainName(s.File) {
			return nil, fmt.Errorf("got the file %q vs a name in snapshots/", s.File)
		}
		if s.Images < 0 || s.Step < 0 || s.Bytes < 0 {
			return nil, fmt.Errorf("%s: got step %d, %d images, %d bytes vs numbers from 0", s.File, s.Step, s.Images, s.Bytes)
		}
		if i > 0 && s.Images <= m.Snapshots[i-1].Images {
			return nil, fmt.Errorf("%s: got %d images after %d", s.File, s.Images, m.Snapshots[i-1].Images)
		}
	}
	return m.Snapshots, nil
}

// plainName tells whether a name stays in its folder.
func plainName(name string) bool {
	return name != "" && name != "." && name != ".." && filepath.Base(name) == name && filepath.IsLocal(name)
}

func (r *Run) writeManifest(l []Snapshot) error { return r.writeJSON(r.manifest(), manifest{l}) }

// keeps tells whether s is to stay for good: the first good one of its period.
func (k Retention) keeps(l []Snapshot, s Snapshot) bool {
	if k.Every <= 0 || s.Doubtful {
		return false
	}
	before := int64(0)
	for _, o := range l {
		if o.Images < s.Images && !o.Doubtful { // a doubtful one does not stay, so it stands for no period
			before = o.Images
		}
	}
	period := func(images int64) int64 { return int64(float64(images) / (1000 * k.Every)) }
	return period(s.Images) > period(before)
}

// insert puts s in its place, instead of one at the same position.
func insert(l []Snapshot, s Snapshot) []Snapshot {
	l = slices.DeleteFunc(slices.Clone(l), func(o Snapshot) bool { return o.Images == s.Images })
	at, _ := slices.BinarySearchFunc(l, s.Images, func(o Snapshot, images int64) int { return cmp.Compare(o.Images, images) })
	return slices.Insert(l, at, s)
}

// best is the index of the snapshot with the lowest measure, -1 for none. Measures of another name than the latest are of
// another --keep-best.
func best(l []Snapshot) int {
	at, name := -1, ""
	for _, s := range l {
		if s.Measure != nil || s.MeasureOf != "" {
			name = s.MeasureOf
		}
	}
	for i, s := range l {
		if s.Measure != nil && s.MeasureOf == name && !s.Doubtful && (at < 0 || *s.Measure < *l[at].Measure) {
			at = i
		}
	}
	return at
}

// divide says which snapshots stay and which go.
func (k Retention) divide(l []Snapshot) (stay, gone []Snapshot) {
	good := 0 // from here on
	for _, s := range l {
		if !s.Doubtful {
			good++
		}
	}
	lowest := -1
	if k.Best {
		lowest = best(l)
	}
	for i, s := range l {
		if k.Last == 0 || i == len(l)-1 || !s.Doubtful && good <= max(1, k.Last) || s.Keep || i == lowest {
			stay = append(stay, s)
		} else {
			gone = append(gone, s)
		}
		if !s.Doubtful {
			good--
		}
	}
	return stay, gone
}
