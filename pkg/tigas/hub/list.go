package hub

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"
)

// Entry is a model file in the cache.
type Entry struct {
	Path      string    // below Cache
	Size      int64     // in bytes, of what a link leads to
	Repo      string    // "" if unknown
	Commit    string    // "" if unknown
	Revisions []string  // branches and tags that are known to be at Commit, sorted
	ModTime   time.Time // of what a link leads to
	Converted bool      // in ConvertedFolder
	Partial   bool      // an unfinished download, which the next Fetch goes on with
}

// List returns the model files below Cache, sorted by path, and the bytes that they take: every best_model.pt, the .pt files
// of snapshots, those of [ConvertedFolder], and unfinished downloads. A file under several names is listed once, under the one that a branch is at
// if there is such. A link that leads out of the cache is listed, but takes nothing. A cache that is not there is empty.
func (c *Client) List() (entries []Entry, total int64, err error) {
	entries, total, err = c.list()
	return entries, total, c.at("list "+c.Cache, err)
}

func (c *Client) list() ([]Entry, int64, error) {
	if c.Cache == "" {
		return nil, 0, &failure{what: "no cache folder given"}
	}
	top, err := filepath.EvalSymlinks(c.Cache)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, disk("read", c.Cache, err)
	}
	byFile := map[string]Entry{} // by what it is after all links
	refs := map[string]map[string][]string{}
	err = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted meanwhile
		}
		if err != nil {
			return disk("read", path, err)
		}
		name, err := filepath.Rel(top, path)
		if err != nil || d.IsDir() || !isModel(name) {
			return err
		}
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			return nil // a link to nothing
		}
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			return nil
		}
		folder, _, _ := strings.Cut(name, string(filepath.Separator))
		e := Entry{Path: filepath.Join(c.Cache, name), Size: info.Size(), ModTime: info.ModTime(), Converted: folder == ConvertedFolder,
			Partial: strings.HasSuffix(name, partial)}
		if repo, ok := strings.CutPrefix(folder, "models--"); ok {
			e.Repo, e.Commit = strings.ReplaceAll(repo, "--", "/"), commitOf(name)
			if refs[folder] == nil {
				refs[folder] = readRefs(filepath.Join(top, folder, "refs"))
			}
			e.Revisions = refs[folder][e.Commit]
		}
		if old, ok := byFile[real]; !ok || len(old.Revisions) == 0 && len(e.Revisions) > 0 || old.Commit == "" && e.Commit != "" {
			byFile[real] = e
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	var total int64
	entries := make([]Entry, 0, len(byFile))
	for real, e := range byFile {
		entries = append(entries, e)
		if strings.HasPrefix(real, top+string(filepath.Separator)) {
			total += e.Size
		}
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Path < entries[j].Path })
	return entries, total, nil
}

// isModel says whether a path below the cache is listed.
func isModel(name string) bool {
	parts := strings.Split(filepath.ToSlash(name), "/")
	base := parts[len(parts)-1]
	switch {
	case strings.HasPrefix(parts[0], "models--") && len(parts) == 3 && parts[1] == "blobs":
		return strings.HasSuffix(base, partial)
	case parts[0] == ConvertedFolder && len(parts) == 2, strings.HasPrefix(parts[0], "models--") && len(parts) > 3 && parts[1] == "snapshots":
		return strings.HasSuffix(base, ".pt")
	}
	return base == DefaultName
}

// readRefs maps the commits that the files in a folder of refs hold to the names of the files, sorted.
func readRefs(dir string) map[string][]string {
	m := map[string][]string{}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, ".tmp") {
			return nil
		}
		name, err := filepath.Rel(dir, path)
		if commit := readRef(path); err == nil && commit != "" {
			m[commit] = append(m[commit], filepath.ToSlash(name))
		}
		return nil
	})
	for _, names := range m {
		slices.Sort(names)
	}
	return m
}
