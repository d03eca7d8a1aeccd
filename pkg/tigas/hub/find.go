package hub

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// ConvertedFolder is the folder in a cache where the caller keeps detectors that it made of downloaded ones. [Client.List]
// and [Client.Clear] know it; [Client.Find] does not look there.
const ConvertedFolder = "torchscript"

// Find looks for a file in the caches, in the order that the package's overview gives. It reads the file once, to compare it
// with its checksum where that is known and to return its SHA-256.
//
// Without a usable file it returns false, and an error if there was one that is damaged (ErrChecksum) or cannot be read.
func (c *Client) Find(f File) (Result, bool, error) {
	f, err := f.checked()
	if err != nil {
		return Result{}, false, c.at("find", err)
	}
	r, ok, err := c.find(f)
	return r, ok, c.at(f.String(), err)
}

func (c *Client) find(f File) (Result, bool, error) {
	var problem error
	seen := map[string]bool{}
	look := func(path string) (Result, bool) {
		if path == "" || seen[path] {
			return Result{}, false
		}
		seen[path] = true
		r, err := inspect(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			problem = err
		}
		return r, err == nil
	}
	if c.Cache != "" {
		if f.published() {
			if r, ok := look(filepath.Join(c.Cache, f.Name)); ok {
				return r, true, nil
			}
		}
		before := problem
		if r, ok := look(snapshot(c.Cache, f)); ok {
			return r, true, nil
		}
		// A damaged file of the wanted revision must not silently become one of another revision.
		if damaged := problem != before; f.published() && !damaged {
			for _, path := range below(c.Cache, f, c.Offline) {
				if r, ok := look(path); ok {
					return r, true, nil
				}
			}
		}
	}
	if c.HFCache != "" {
		if r, ok := look(snapshot(c.HFCache, f)); ok {
			return r, true, nil
		}
	}
	return Result{}, false, problem
}

// snapshot is the path that f has in a cache of Hugging Face's layout; "" if that does not know the revision.
func snapshot(cache string, f File) string {
	dir := filepath.Join(cache, f.folder())
	commit := f.Revision
	if !isCommit(commit) {
		if commit = readRef(filepath.Join(dir, "refs", filepath.FromSlash(f.Revision))); commit == "" {
			return ""
		}
	}
	return filepath.Join(dir, "snapshots", commit, filepath.FromSlash(f.Name))
}

// readRef is the commit that a file of refs holds; "" if it holds something else, or is no plain file.
func readRef(path string) string {
	info, err := os.Stat(path) // first: opening a pipe waits for somebody who writes to it
	if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<10 {
		return ""
	}
	text, err := os.ReadFile(path)
	if commit := strings.TrimSpace(string(text)); err == nil && isCommit(commit) {
		return commit
	}
	return ""
}

// below finds all files of f's name below a cache, the newest first, except those of other repositories, and unless the
// network cannot be asked those whose commit is known: that they are not of the wanted revision.
func below(cache string, f File, offline bool) []string {
	type found struct {
		path string
		time time.Time
	}
	var all []found
	filepath.WalkDir(cache, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir // what cannot be read is not there
		}
		if e.IsDir() {
			name := e.Name()
			foreign := strings.HasPrefix(name, "models--") && name != f.folder()
			known := name == "snapshots" && filepath.Base(filepath.Dir(path)) == f.folder() && !offline
			if path != cache && (foreign || known || name == ConvertedFolder || name == ".locks") {
				return fs.SkipDir
			}
			return nil
		}
		if e.Name() != filepath.Base(f.Name) {
			return nil
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			all = append(all, found{path, info.ModTime()})
		}
		return nil
	})
	sort.Slice(all, func(i, j int) bool {
		if !all[i].time.Equal(all[j].time) {
			return all[i].time.After(all[j].time)
		}
		return all[i].path < all[j].path
	})
	paths := make([]string, len(all))
	for i, e := range all {
		paths[i] = e.path
	}
	return paths
}

// inspect reads a file that is there.
func inspect(path string) (Result, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file") // opening some of those waits for ever
	}
	if err != nil {
		return Result{}, disk("read", path, err)
	}
	r, err := os.Open(path)
	if err != nil {
		return Result{}, disk("read", path, err)
	}
	defer r.Close()
	var e etag
	if real, err := filepath.EvalSymlinks(path); err == nil && filepath.Base(filepath.Dir(real)) == "blobs" {
		e = etag(filepath.Base(real))
	}
	sum, size, err := e.verify(r, path, info.Size(), -1)
	if err != nil {
		var f *failure
		if errors.As(err, &f) && errors.Is(err, ErrChecksum) {
			f.advice = "the file is damaged: download it anew, or delete it"
		}
		return Result{}, err
	}
	commit := commitOf(path)
	if commit == "" {
		if to, err := os.Readlink(path); err == nil {
			commit = commitOf(to)
		}
	}
	return Result{Path: path, SHA256: sum, Size: size, Commit: commit, FromCache: true, Verified: e.checkable()}, nil
}

// commitOf is the commit in the path of a snapshot's file; "" for other paths.
func commitOf(path string) string {
	parts := strings.Split(filepath.ToSlash(path), "/")
	for i := len(parts) - 2; i > 1; i-- {
		if parts[i-1] == "snapshots" && isCommit(parts[i]) {
			return parts[i]
		}
	}
	return ""
}
