package checkpoint_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
)

// newRun returns a run, and a function that writes a snapshot of it.
func newRun(t *testing.T) (*checkpoint.Run, func(images int64, measure float64, k checkpoint.Retention) error) {
	t.Helper()
	r, err := checkpoint.Create(filepath.Join(t.TempDir(), "a*[run]")) // a name that a pattern would take for one
	require.NoError(t, err)
	require.NoError(t, r.WriteConfig(struct{}{}))
	s := torch.NewScope()
	t.Cleanup(s.Close)
	return r, func(images int64, measure float64, k checkpoint.Retention) error {
		tensors := map[string]*torch.Tensor{"weight": s.Scalar(float64(images))}
		return r.Save(checkpoint.Snapshot{Step: images / 10, Images: images, Measure: &measure}, maps.All(tensors), nil, k)
	}
}

// images are the positions of a run's snapshots, each of which is there and nothing else.
func images(t *testing.T, r *checkpoint.Run) (l []int64) {
	t.Helper()
	all, err := r.Snapshots()
	require.NoError(t, err)
	for _, s := range all {
		require.NoError(t, r.Verify(s))
		l = append(l, s.Images)
	}
	files, err := os.ReadDir(filepath.Join(r.Dir, "snapshots"))
	require.NoError(t, err)
	require.Len(t, files, len(l)+1, "files besides the manifest")
	return l
}

func TestRetention(t *testing.T) {
	r, save := newRun(t)
	measures := []float64{5, 4, 1, 3, 3, 3, 3, 3, 3, 3, 3} // the third is the best
	for i, m := range measures {
		require.NoError(t, save(int64(i)*1500, m, checkpoint.Retention{Last: 3, Every: 5, Best: true}))
	}
	// The best one, the first ones of 5,000 and 10,000, and three.
	require.Equal(t, []int64{3000, 6000, 10500, 12000, 13500, 15000}, images(t, r))
	require.NoError(t, save(15000, 2, checkpoint.Retention{Last: 1}))
	require.Equal(t, []int64{6000, 10500, 15000}, images(t, r), "one at the same place takes its place; those that were kept for good are")

	r, save = newRun(t)
	for i := range int64(4) {
		require.NoError(t, save(i, 0, checkpoint.Retention{}))
	}
	require.Equal(t, []int64{0, 1, 2, 3}, images(t, r), "all")
}

// Snapshots of a run that is in trouble take the place of no good one, and are not what it returns to.
func TestDoubtfulSnapshots(t *testing.T) {
	r, save := newRun(t)
	k := checkpoint.Retention{Last: 2}
	for i := range int64(3) {
		require.NoError(t, save(1000*i, 0, k))
	}
	s := torch.NewScope()
	defer s.Close()
	for i := int64(3); i < 8; i++ {
		require.NoError(t, r.Save(checkpoint.Snapshot{Images: 1000 * i, Doubtful: true}, maps.All(map[string]*torch.Tensor{"w": s.Scalar(1)}), nil, k))
	}
	require.Equal(t, []int64{1000, 2000, 7000}, images(t, r))
	newest, _, err := r.Newest()
	require.NoError(t, err)
	require.EqualValues(t, 7000, newest.Images)
	good, _, err := r.NewestGood()
	require.NoError(t, err)
	require.EqualValues(t, 2000, good.Images)
	require.NoError(t, save(8000, 0, k))
	require.Equal(t, []int64{2000, 8000}, images(t, r))
}

// escaped is a path as a pattern.
func escaped(path string) string { return strings.NewReplacer("*", `\*`, "[", `\[`).Replace(path) }

// A damaged snapshot is named, and the one before it is the newest.
func TestDamagedSnapshots(t *testing.T) {
	for name, damage := range map[string]func(path string, data []byte) error{
		"truncated":   func(p string, data []byte) error { return os.WriteFile(p, data[:len(data)-1], 0o644) },
		"bit flipped": func(p string, data []byte) error { data[len(data)-2] ^= 4; return os.WriteFile(p, data, 0o644) },
		"empty":       func(p string, _ []byte) error { return os.WriteFile(p, nil, 0o644) },
		"gone":        func(p string, _ []byte) error { return os.Remove(p) },
	} {
		t.Run(name, func(t *testing.T) {
			r, save := newRun(t)
			for i := range int64(3) {
				require.NoError(t, save(1000*i, 0, checkpoint.Retention{}))
			}
			all, err := r.Snapshots()
			require.NoError(t, err)
			path := r.Path(all[2])
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, damage(path, data))
			s, damaged, err := r.Newest()
			require.NoError(t, err)
			require.EqualValues(t, 1000, s.Images)
			require.Len(t, damaged, 1)
			require.ErrorContains(t, damaged[0], filepath.Base(path))
			if name != "gone" {
				require.ErrorIs(t, damaged[0], checkpoint.ErrDamaged)
			}
			for _, s := range all[:2] {
				require.NoError(t, os.WriteFile(r.Path(s), nil, 0o644))
			}
			_, _, err = r.Newest()
			require.ErrorContains(t, err, "no snapshot that can be read")
		})
	}
}

func TestRewind(t *testing.T) {
	r, save := newRun(t)
	for i := range int64(4) {
		require.NoError(t, save(1000*i, 0, checkpoint.Retention{}))
	}
	all, err := r.Snapshots()
	require.NoError(t, err)
	n, err := r.Rewind(all[1])
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, []int64{0, 1000}, images(t, r))
	require.Len(t, discarded(t, r), 2)
	n, err = r.Rewind(all[1])
	require.NoError(t, err)
	require.Zero(t, n)
	require.NoError(t, save(2000, 0, checkpoint.Retention{}))
	_, err = r.Rewind(all[1])
	require.NoError(t, err)
	require.Len(t, discarded(t, r), 3, "what was put aside before is overwritten")
}

// discarded are the snapshots that were put aside.
func discarded(t *testing.T, r *checkpoint.Run) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(filepath.Join(r.Dir, "discarded"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, d.Name())
		}
		return err
	}))
	return names
}

// A second snapshot of one moment is another file: the first one is whole until the manifest names the second.
func TestSameMoment(t *testing.T) {
	r, save := newRun(t)
	var names []string
	for range 3 {
		require.NoError(t, save(1000, 0, checkpoint.Retention{Last: 1}))
		all, err := r.Snapshots()
		require.NoError(t, err)
		names = append(names, all[0].File)
	}
	require.Equal(t, []string{"network-snapshot-000001.000.safetensors", "network-snapshot-000001.000-2.safetensors", "network-snapshot-000001.000.safetensors"}, names)
	require.Equal(t, []int64{1000}, images(t, r))
	// The manifest cannot be written: what it names is as it was.
	manifest := filepath.Join(r.Dir, "snapshots", "manifest.json")
	data, err := os.ReadFile(manifest)
	require.NoError(t, err)
	require.NoError(t, os.Remove(manifest))
	require.NoError(t, os.Mkdir(manifest, 0o755))
	require.Error(t, save(1000, 0, checkpoint.Retention{Last: 1}))
	require.NoError(t, os.Remove(manifest))
	require.NoError(t, os.WriteFile(manifest, data, 0o644))
	all, err := r.Snapshots()
	require.NoError(t, err)
	require.NoError(t, r.Verify(all[0]))
}

// Without a manifest the files are looked at; what a killed process had not named yet, or not removed, is put aside when the
// run goes on, and no sooner.
func TestRescanAndOrphans(t *testing.T) {
	r, save := newRun(t)
	for i := range int64(3) {
		require.NoError(t, save(1000*i, float64(-i), checkpoint.Retention{}))
	}
	before, err := r.Snapshots()
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(r.Dir, "snapshots", "manifest.json")))
	orphan := filepath.Join(r.Dir, "snapshots", "network-snapshot-x.safetensors")
	require.NoError(t, os.WriteFile(orphan, []byte("no snapshot"), 0o644))
	_, err = r.Snapshots()
	require.ErrorContains(t, err, "is missing, and there are snapshots")
	_, err = checkpoint.Create(r.Dir)
	require.Error(t, err)
	again, damaged, err := r.Rescan()
	require.NoError(t, err)
	require.Equal(t, before, again)
	require.Len(t, damaged, 1)
	require.ErrorContains(t, damaged[0], "network-snapshot-x.safetensors is damaged")
	require.NoError(t, r.Lock())
	defer r.Unlock()
	require.FileExists(t, orphan)
	n, err := r.SetAside()
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, []string{"network-snapshot-x.safetensors"}, discarded(t, r))
	require.Equal(t, []int64{0, 1000, 2000}, images(t, r))
}

// When no file can be read, that is an error and not a run without snapshots: nothing is written. Neither is it when the disk
// says why.
func TestRescanOfDamagedSnapshots(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"cut":     func(path string) error { return os.Truncate(path, 100) },
		"longer":  func(path string) error { return os.Truncate(path, 1_000_000) },
		"zeros":   func(path string) error { return os.WriteFile(path, make([]byte, 500), 0o644) },
		"foreign": func(path string) error { return checkpoint.Save(path, func(func(string, *torch.Tensor) bool) {}, nil) },
		"folder": func(path string) error {
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o755))
		},
	} {
		for _, text := range []string{"", "{", `{"snapshots":[]}`} {
			t.Run(name+text, func(t *testing.T) {
				r, save := newRun(t)
				for i := range int64(2) {
					require.NoError(t, save(1000*i, 0, checkpoint.Retention{}))
				}
				all, err := r.Snapshots()
				require.NoError(t, err)
				for _, s := range all {
					require.NoError(t, damage(r.Path(s)))
				}
				manifest := filepath.Join(r.Dir, "snapshots", "manifest.json")
				require.NoError(t, os.Remove(manifest))
				if text != "" {
					require.NoError(t, os.WriteFile(manifest, []byte(text), 0o644))
				}
				_, damaged, err := r.Rescan()
				require.ErrorIs(t, err, checkpoint.ErrDamaged)
				require.ErrorContains(t, err, "none of 2 can be read")
				require.Len(t, damaged, 2)
				left, err := os.ReadFile(manifest)
				require.Equal(t, text, string(left))
				require.Equal(t, text == "", errors.Is(err, os.ErrNotExist))
			})
		}
	}
}

// A new manifest has all that the old one had, so that what was to stay for good still does; what older versions wrote says
// nothing about that, and stays.
func TestRescanKeeps(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	r, _ := newRun(t)
	k := checkpoint.Retention{Last: 2, Every: 5, Best: true}
	save := func(images int64, measure float64) {
		at := checkpoint.Snapshot{Step: images / 10, Images: images, Measure: &measure, MeasureOf: "-score"}
		require.NoError(t, r.Save(at, maps.All(map[string]*torch.Tensor{"w": s.Scalar(1)}), nil, k))
	}
	for i := range int64(8) {
		save(1500*i, float64(i+i%2))
	}
	before, err := r.Snapshots()
	require.NoError(t, err)
	require.Equal(t, []int64{0, 6000, 9000, 10500}, images(t, r))
	require.Equal(t, []bool{false, true, false, true}, []bool{before[0].Keep, before[1].Keep, before[2].Keep, before[3].Keep})
	require.NoError(t, os.Remove(filepath.Join(r.Dir, "snapshots", "manifest.json")))
	after, _, err := r.Rescan()
	require.NoError(t, err)
	require.Equal(t, before, after)
	save(12000, 9)
	save(13500, 9)
	require.Equal(t, []int64{0, 6000, 10500, 12000, 13500}, images(t, r))

	r, _ = newRun(t)
	for i, doubtful := range []string{"false", "true", "false"} {
		file := filepath.Join(r.Dir, "snapshots", fmt.Sprintf("network-snapshot-%d.safetensors", i))
		require.NoError(t, checkpoint.Save(file, maps.All(map[string]*torch.Tensor{"w": s.Scalar(1)}),
			map[string]string{"step": fmt.Sprint(i), "images": fmt.Sprint(10 * i), "doubtful": doubtful}))
	}
	_, _, err = r.Rescan()
	require.NoError(t, err)
	k = checkpoint.Retention{Last: 1}
	save(1000, 0)
	save(2000, 0)
	require.Equal(t, []int64{0, 20, 2000}, images(t, r))
}

// A doubtful snapshot does not stay, so it is not the first one of its period.
func TestFirstGoodOneOfAPeriod(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	r, _ := newRun(t)
	for i, doubtful := range []bool{false, false, true, false, false, false, false} {
		require.NoError(t, r.Save(checkpoint.Snapshot{Images: int64(i) * 2500, Doubtful: doubtful},
			maps.All(map[string]*torch.Tensor{"w": s.Scalar(1)}), nil, checkpoint.Retention{Last: 1, Every: 5}))
	}
	require.Equal(t, []int64{7500, 10000, 15000}, images(t, r))
}

// Measures of different names are not compared: the lowest loss is not the lowest score.
func TestBestOfOneName(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	r, _ := newRun(t)
	save := func(images int64, name string, measure float64) {
		at := checkpoint.Snapshot{Images: images, MeasureOf: name}
		if measure != 0 {
			at.Measure = &measure
		}
		k := checkpoint.Retention{Last: 1, Best: true}
		require.NoError(t, r.Save(at, maps.All(map[string]*torch.Tensor{"w": s.Scalar(1)}), nil, k))
	}
	save(0, "", 0)
	save(1000, "-score", -0.9)
	save(2000, "-score", -0.5)
	save(3000, "-score", -0.6)
	require.Equal(t, []int64{1000, 3000}, images(t, r))
	save(4000, "", 0) // it has no measure, which is no change of names
	require.Equal(t, []int64{1000, 4000}, images(t, r))
	save(5000, "mse", 0.2)
	save(6000, "mse", 0.3)
	require.Equal(t, []int64{5000, 6000}, images(t, r))
	all, err := r.Snapshots()
	require.NoError(t, err)
	require.Equal(t, "mse", all[0].MeasureOf)
}

// A snapshot that the manifest does not name is in it when the run goes on from it.
func TestRewindToAFileThatWasPutBack(t *testing.T) {
	r, save := newRun(t)
	for i := range int64(4) {
		require.NoError(t, save(1000*i, float64(i), checkpoint.Retention{}))
	}
	all, err := r.Snapshots()
	require.NoError(t, err)
	_, err = r.Rewind(all[1])
	require.NoError(t, err)
	back, err := filepath.Glob(filepath.Join(escaped(r.Dir), "discarded", "*", all[2].File))
	require.NoError(t, err)
	require.Len(t, back, 1)
	require.NoError(t, os.Rename(back[0], r.Path(all[2])))
	require.NoError(t, r.Lock())
	defer r.Unlock()
	s, err := r.Look(all[2].File)
	require.NoError(t, err)
	require.Equal(t, all[2], s)
	require.NoError(t, save(2500, 0, checkpoint.Retention{}))
	n, err := r.Rewind(s)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = r.SetAside()
	require.NoError(t, err)
	require.Zero(t, n)
	require.Equal(t, []int64{0, 1000, 2000}, images(t, r))

	// Under a name of its own as well, and a new manifest has it again.
	own := checkpoint.Snapshot{File: "mine.safetensors"}
	require.NoError(t, os.Rename(r.Path(s), r.Path(own)))
	own, err = r.Look(own.File)
	require.NoError(t, err)
	_, err = r.Rewind(own)
	require.NoError(t, err)
	before, err := r.Snapshots()
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(r.Dir, "snapshots", "manifest.json")))
	after, _, err := r.Rescan()
	require.NoError(t, err)
	require.Equal(t, before, after)
	copied := filepath.Join(r.Dir, "snapshots", "copy.safetensors")
	require.NoError(t, os.Link(r.Path(own), copied))
	n, err = r.SetAside()
	require.NoError(t, err)
	require.Zero(t, n)
	require.FileExists(t, copied, "it is not what a killed process leaves")

	for _, name := range []string{"../config.json", "", "none.safetensors"} {
		_, err = r.Look(name)
		require.Error(t, err, name)
	}
	require.NoError(t, os.WriteFile(filepath.Join(r.Dir, "snapshots", "a.safetensors"), []byte("text"), 0o644))
	_, err = r.Look("a.safetensors")
	require.ErrorIs(t, err, checkpoint.ErrDamaged)
}

// One process writes; what a killed one left half-written goes; a lock ends with its process, here with its file.
func TestLock(t *testing.T) {
	r, save := newRun(t)
	require.NoError(t, save(0, 0, checkpoint.Retention{}))
	left := filepath.Join(r.Dir, "snapshots", "network-snapshot-000001.000.safetensors.0123456789abcdef.tmp")
	require.NoError(t, os.WriteFile(left, []byte("half"), 0o644))
	require.NoError(t, r.Lock())
	require.NoFileExists(t, left)
	other, err := checkpoint.Open(r.Dir)
	require.NoError(t, err)
	err = other.Lock()
	require.ErrorIs(t, err, checkpoint.ErrLocked)
	require.ErrorContains(t, err, "by process ")
	r.Unlock()
	require.NoError(t, other.Lock())
	other.Unlock()
}

// Links that lead out of the run are not followed, whether to a file, to a folder, or to what is not there yet.
func TestLinksOutOfTheRun(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "precious")
	require.NoError(t, os.WriteFile(outside, []byte("precious"), 0o644))
	for name, link := range map[string]struct{ at, to string }{
		"snapshot":     {"snapshots/network-snapshot-000001.000.safetensors", outside},
		"manifest":     {"snapshots/manifest.json", outside},
		"dangling":     {"snapshots/manifest.json", outside + "-not-there"},
		"folder":       {"snapshots", filepath.Dir(outside)},
		"lock":         {"lock", outside},
		"config":       {"config.json", outside},
		"by way of ..": {"lock", "../precious"},
	} {
		t.Run(name, func(t *testing.T) {
			r, save := newRun(t)
			require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(r.Dir), "precious"), []byte("precious"), 0o644))
			require.NoError(t, save(0, 0, checkpoint.Retention{}))
			at := filepath.Join(r.Dir, link.at)
			require.NoError(t, os.RemoveAll(at))
			require.NoError(t, os.Symlink(link.to, at))
			err := r.Lock()
			if err == nil {
				_, err = r.SetAside()
			}
			if err == nil {
				err = save(1000, 0, checkpoint.Retention{})
			}
			if err == nil {
				err = r.WriteConfig(1)
			}
			if name == "snapshot" { // the link itself is put aside, as a file that the manifest does not name
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, "out of the run folder")
			}
			for _, p := range []string{outside, filepath.Join(filepath.Dir(r.Dir), "precious")} {
				data, err := os.ReadFile(p)
				require.NoError(t, err)
				require.Equal(t, "precious", string(data))
			}
			require.NoFileExists(t, outside+"-not-there")
		})
	}
	// A run folder that is itself a link is where it leads.
	r, _ := newRun(t)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(r.Dir, link))
	r, err := checkpoint.Open(link)
	require.NoError(t, err)
	require.NoError(t, r.Lock())
	r.Unlock()
}

// Manifests of other hands do not lead out of the folder, and say what is wrong with them.
func TestHostileManifests(t *testing.T) {
	r, _ := newRun(t)
	for text, want := range map[string]string{
		`{"snapshots":[{"file":"../../x","images":1}]}`:                   "vs a name in snapshots/",
		`{"snapshots":[{"file":"/etc/passwd","images":1}]}`:               "vs a name in snapshots/",
		`{"snapshots":[{"file":"..","images":1}]}`:                        "vs a name in snapshots/",
		`{"snapshots":[{"file":"","images":1}]}`:                          "vs a name in snapshots/",
		`{"snapshots":[{"file":"a","images":-1}]}`:                        "numbers from 0",
		`{"snapshots":[{"file":"a","images":2},{"file":"b","images":2}]}`: "after 2",
		`{"snapshots":[{"file":"a","images":1e300}]}`:                     "cannot unmarshal",
		`{"snapshots":`: "unexpected end",
		`{"snapshots":[{"file":"a","images":1,"sha256":"short","bytes":9999}]}`: "",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(r.Dir, "snapshots", "manifest.json"), []byte(text), 0o644))
		_, err := r.Snapshots()
		if want != "" {
			require.ErrorContains(t, err, want, text)
			continue
		}
		require.NoError(t, err)
		_, _, err = r.Newest()
		require.ErrorContains(t, err, "no such file")
	}
}
