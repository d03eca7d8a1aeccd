package checkpoint_test

import (
	"maps"
	"os"
	"path/filepath"
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

// Without a manifest the files are looked at; what a killed process had not named yet, or not removed, is put aside.
func TestRescanAndOrphans(t *testing.T) {
	r, save := newRun(t)
	for i := range int64(3) {
		require.NoError(t, save(1000*i, float64(-i), checkpoint.Retention{}))
	}
	before, err := r.Snapshots()
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(r.Dir, "snapshots", "manifest.json")))
	require.NoError(t, os.WriteFile(filepath.Join(r.Dir, "snapshots", "network-snapshot-x.safetensors"), []byte("no snapshot"), 0o644))
	_, err = r.Snapshots()
	require.ErrorContains(t, err, "is missing, and there are snapshots")
	_, err = checkpoint.Create(r.Dir)
	require.Error(t, err)
	again, err := r.Rescan()
	require.NoError(t, err)
	require.Equal(t, before, again)
	require.NoError(t, r.Lock())
	defer r.Unlock()
	require.Equal(t, []string{"network-snapshot-x.safetensors"}, discarded(t, r))
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
