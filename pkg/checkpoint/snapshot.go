package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tigas-train/tigas-train/cgo/atomicfile"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// ErrDamaged says that a snapshot is not the file that was written.
var ErrDamaged = errors.New("damaged")

// snapshotName is the file of a snapshot, by thousands of images. The name is for people: what counts is in the file and in the manifest.
func snapshotName(images int64) string {
	return snapshotStart + label(images) + snapshotEnd
}

const snapshotStart, snapshotEnd = "network-snapshot-", ".safetensors"

// label numbers what belongs to a moment of a run by thousands of images, such that names are in order: 000012.800.
func label(images int64) string { return fmt.Sprintf("%06d.%03d", images/1000, images%1000) }

// Path is where a snapshot is.
func (r *Run) Path(s Snapshot) string { return filepath.Join(r.Dir, "snapshots", s.File) }

// Save writes a snapshot and then drops those that k does not keep. at has its position, its measure and whether it is
// doubtful; the rest is filled in. The file is complete and on the disk before the manifest names it, and the manifest is
// before an older file goes: a crash or a full disk at any moment leaves the ones before it as they were.
func (r *Run) Save(at Snapshot, tensors iter.Seq2[string, *torch.Tensor], metadata map[string]string, k Retention) error {
	metadata = maps.Clone(metadata) // with what the manifest has, for [Run.Rescan]
	if metadata == nil {
		metadata = map[string]string{}
	}
	l, err := r.Snapshots()
	if err != nil {
		return err
	}
	at.Keep = k.keeps(l, at)
	metadata["step"], metadata["images"] = fmt.Sprint(at.Step), fmt.Sprint(at.Images)
	metadata["doubtful"], metadata["keep"] = fmt.Sprint(at.Doubtful), fmt.Sprint(at.Keep)
	if at.Measure != nil {
		metadata["measure"] = fmt.Sprint(*at.Measure)
	}
	if at.MeasureOf != "" {
		metadata["measure_of"] = at.MeasureOf
	}
	at.File = snapshotName(at.Images)
	old := ""
	if i := slices.IndexFunc(l, func(s Snapshot) bool { return s.Images == at.Images }); i >= 0 {
		// Another file: the one that the manifest names stays as it is until the manifest names the new one.
		if old = l[i].File; old == at.File {
			at.File = strings.TrimSuffix(at.File, snapshotEnd) + "-2" + snapshotEnd
		}
	}
	path := r.Path(at)
	if err := r.Inside(path); err != nil {
		return err
	}
	hash := sha256.New()
	err = atomicfile.Write(path, func(f *os.File) error {
		err := write(io.MultiWriter(f, hash), tensors, metadata)
		if err == nil {
			at.Bytes, err = f.Seek(0, io.SeekCurrent)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("checkpoint: write %s: %w", path, err)
	}
	at.SHA256 = hex.EncodeToString(hash.Sum(nil))
	stay, gone := k.divide(insert(l, at))
	if err := r.writeManifest(stay); err != nil {
		return err
	}
	if old != "" {
		gone = append(gone, Snapshot{File: old})
	}
	for _, s := range gone {
		if err := os.Remove(r.Path(s)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("checkpoint: %w", err)
		}
	}
	return nil
}

// Verify reads a snapshot and compares it with the manifest. It returns an error that wraps [ErrDamaged] when it is another
// file than the one that was written.
func (r *Run) Verify(s Snapshot) error {
	path := r.Path(s)
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if info.Size() != s.Bytes {
		return fmt.Errorf("checkpoint: %s is %w: got %d bytes vs %d in the manifest", path, ErrDamaged, info.Size(), s.Bytes)
	}
	got, _, err := r.hash(s)
	if err == nil && got != s.SHA256 {
		err = fmt.Errorf("checkpoint: %s is %w: its SHA-256 is %s vs %s in the manifest", path, ErrDamaged, got[:12], s.SHA256[:min(12, len(s.SHA256))])
	}
	return err
}

// hash reads a snapshot and returns its SHA-256 and size.
func (r *Run) hash(s Snapshot) (sum string, size int64, err error) {
	path := r.Path(s)
	f, err := r.open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return "", 0, fmt.Errorf("checkpoint: %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

// Newest returns the newest snapshot that is what was written, and why those after it are not. It returns an error when there is
// none.
func (r *Run) Newest() (s Snapshot, damaged []error, err error) {
	return r.newest(func(Snapshot) bool { return true })
}

// NewestGood is Newest without those that are doubtful.
func (r *Run) NewestGood() (s Snapshot, damaged []error, err error) {
	return r.newest(func(s Snapshot) bool { return !s.Doubtful })
}

func (r *Run) newest(want func(Snapshot) bool) (s Snapshot, damaged []error, err error) {
	l, err := r.Snapshots()
	if err != nil {
		return s, nil, err
	}
	for _, s := range slices.Backward(l) {
		if !want(s) {
			continue
		}
		if err := r.Verify(s); err != nil {
			damaged = append(damaged, err)
			continue
		}
		return s, damaged, nil
	}
	if len(damaged) > 0 {
		return s, damaged, fmt.Errorf("checkpoint: %s has no snapshot that can be read: %w", r.Dir, damaged[0])
	}
	return s, nil, fmt.Errorf("checkpoint: %s has no snapshot", r.Dir)
}

// Latest returns the path of the newest snapshot that is what was written, or an error when there is none.
func (r *Run) Latest() (string, error) {
	s, _, err := r.Newest()
	if err != nil {
		return "", err
	}
	return r.Path(s), nil
}

// Rewind takes the snapshots after s out of the run, and moves their files to a new folder in discarded/: a run that is
// continued from an earlier one will make others. s is in the manifest then, if it was not: see [Run.Look]. It returns how
// many were taken out.
func (r *Run) Rewind(s Snapshot) (int, error) {
	l, err := r.Snapshots()
	if err != nil {
		return 0, err
	}
	i := slices.IndexFunc(l, func(o Snapshot) bool { return o.Images > s.Images })
	if i < 0 {
		i = len(l)
	}
	if i == len(l) && slices.ContainsFunc(l, func(o Snapshot) bool { return o.File == s.File }) {
		return 0, nil
	}
	if err := r.writeManifest(insert(l[:i], s)); err != nil {
		return 0, err
	}
	var files []string
	for _, o := range l[i:] {
		files = append(files, o.File)
	}
	return len(files), r.discard(files)
}

// SetAside moves snapshots that the manifest does not name to a new folder in discarded/: a killed process had not named
// them yet, or not removed. Files with names of their own stay. It returns how many there were.
func (r *Run) SetAside() (int, error) {
	named, err := r.Snapshots()
	if err != nil {
		return 0, err
	}
	files, err := r.files()
	if err != nil {
		return 0, err
	}
	files = slices.DeleteFunc(files, func(file string) bool {
		return !strings.HasPrefix(file, snapshotStart) || slices.ContainsFunc(named, func(s Snapshot) bool { return s.File == file })
	})
	return len(files), r.discard(files)
}

// discard moves files from snapshots/ to a new folder in discarded/.
func (r *Run) discard(files []string) error {
	if len(files) == 0 {
		return nil
	}
	dir := filepath.Join(r.Dir, "discarded")
	if err := r.Inside(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	dir, err := os.MkdirTemp(dir, time.Now().Format("2006-01-02-*")) // those from before stay
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	for _, file := range files {
		err := os.Rename(filepath.Join(r.Dir, "snapshots", file), filepath.Join(dir, file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("checkpoint: %w", err)
		}
	}
	return nil
}

// files are the names of the snapshots in the folder, whether the manifest has them or not, and whatever they are called.
func (r *Run) files() (names []string, err error) {
	l, err := filepath.Glob(filepath.Join(escapeGlob(r.Dir), "snapshots", "*"+snapshotEnd))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	for _, path := range l {
		names = append(names, filepath.Base(path))
	}
	return names, nil
}

// Look returns what the manifest would have of a file in snapshots/, by its header: its content is taken as it is. It
// returns an error that wraps [ErrDamaged] for a file without a header of a snapshot.
func (r *Run) Look(file string) (Snapshot, error) {
	s := Snapshot{File: file}
	path := r.Path(s)
	bad := func(err error) (Snapshot, error) {
		return s, fmt.Errorf("checkpoint: %s is %w: %w", path, ErrDamaged, err)
	}
	if !plainName(file) {
		return s, fmt.Errorf("checkpoint: got the file %q vs a name in snapshots/", file)
	}
	if err := r.Inside(path); err != nil {
		return bad(err)
	}
	meta, err := Metadata(path)
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		return s, fmt.Errorf("checkpoint: %w", err) // of the disk, and says nothing about the file
	}
	if err != nil {
		return bad(err)
	}
	for name, to := range map[string]*int64{"step": &s.Step, "images": &s.Images} {
		if *to, err = strconv.ParseInt(meta[name], 10, 64); err != nil || *to < 0 {
			return bad(fmt.Errorf("got %s %q vs a number from 0", name, meta[name]))
		}
	}
	if measure, err := strconv.ParseFloat(meta["measure"], 64); err == nil && !math.IsNaN(measure) && !math.IsInf(measure, 0) {
		s.Measure = &measure
	}
	s.MeasureOf = meta["measure_of"]
	s.Doubtful = meta["doubtful"] == "true"
	keep, known := meta["keep"]
	s.Keep = keep == "true" || !known && !s.Doubtful // an older version wrote no such key: perhaps it was to stay
	s.SHA256, s.Bytes, err = r.hash(s)
	return s, err
}

// Rescan makes a new manifest of what [Run.Scan] finds, for one that is damaged. It returns what that returns; with its errors
// it writes nothing: an empty manifest is that of a run without any snapshots.
func (r *Run) Rescan() (l []Snapshot, damaged []error, err error) {
	if l, damaged, err = r.Scan(); err != nil {
		return nil, damaged, err
	}
	return l, damaged, r.writeManifest(l)
}

// Scan looks at the headers of the files in snapshots/, so that what follows these is taken as it is. It returns the snapshots,
// oldest first, and why other files are none. When all of them are damaged it returns an error that wraps [ErrDamaged].
func (r *Run) Scan() (l []Snapshot, damaged []error, err error) {
	files, err := r.files()
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		s, err := r.Look(file)
		switch {
		case err == nil:
			l = insert(l, s)
		case errors.Is(err, ErrDamaged):
			damaged = append(damaged, err)
		default:
			return nil, damaged, err
		}
	}
	if len(l) == 0 && len(damaged) > 0 {
		return nil, damaged, fmt.Errorf("checkpoint: %s: its snapshots are %w: none of %d can be read", r.Dir, ErrDamaged, len(damaged))
	}
	return l, damaged, nil
}
